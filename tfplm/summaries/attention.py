"""Attention maps and mask matrices as images with tokens on the axes."""

import numpy as np
import tensorflow as tf

from tfplm.summaries.heatmap import Heatmap


def _choose(chosen, count: int, what: str) -> list[int]:
    if chosen is None:
        return list(range(count))
    if wrong := [index for index in chosen if not -count <= index < count]:
        raise ValueError(f"there is no {what} {wrong[0]}; there are {count}, from 0 to {count - 1}")
    return [index % count for index in chosen]


def _length(tokens) -> int | None:
    return None if tokens is None else len(tokens)


def attention_images(name: str, attentions, step=None, tokens=None, key_tokens=None, *, example: int = 0, layers=None,
                     heads=None) -> None:
    """Writes the attention weights as one image per layer and head: `name/layer_0/head_0` and so on.

    Args:
        attentions: for each layer a float array `[B, heads, T, S]` of probabilities, as returned by a model under
            `attentions` when called with `output_attentions=True`.
        tokens: the T query tokens of the example, for the rows. With fewer than T tokens the padding after them is cut
            off.
        key_tokens: the S key tokens, for the columns; default: `tokens`.
        example: the index of the example in the batch.
        layers, heads: the indices of those to draw (negative: from the end); default: all.

    Chinese tokens need a font with their glyphs: see `tfplm.summaries.fonts`.
    """
    if not tf.summary.should_record_summaries():
        return
    if tokens is not None and key_tokens is None:
        key_tokens = tokens
    heatmap = None
    for layer in _choose(layers, len(attentions), "layer"):
        maps = np.asarray(attentions[layer][example], dtype=np.float32)  # [heads,T,S]
        maps = maps[:, :_length(tokens), :_length(key_tokens)]
        if heatmap is None or heatmap.shape != maps.shape[1:]:
            heatmap = Heatmap(tokens, key_tokens, shape=maps.shape[1:])
        for head in _choose(heads, len(maps), "head"):
            tf.summary.image(f"{name}/layer_{layer}/head_{head}", heatmap.draw(maps[head])[np.newaxis], step)


def mask_image(name: str, allow, step=None, tokens=None, key_tokens=None, *, example: int = 0) -> None:
    """Writes an attention mask as an image: light where the row's token attends to the column's, else dark.

    Args:
        allow: boolean (or 0 and 1) of shape `[T, S]`, `[B, T, S]` or `[B, 1, T, S]`.
        tokens, key_tokens, example: as in `attention_images`.
    """
    if not tf.summary.should_record_summaries():
        return
    allow = np.asarray(allow)
    if allow.ndim not in (2, 3, 4):
        raise ValueError(f"the mask has the shape {allow.shape}; expected [T, S], [B, T, S] or [B, 1, T, S]")
    matrix = allow if allow.ndim == 2 else allow[example].reshape(-1, *allow.shape[-2:])[0]
    if tokens is not None and key_tokens is None and matrix.shape[0] == matrix.shape[1]:
        key_tokens = tokens
    picture = Heatmap(tokens, key_tokens, shape=matrix.shape, colours="cividis").draw(matrix)
    tf.summary.image(name, picture[np.newaxis], step)
