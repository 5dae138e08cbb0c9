"""Attention maps and mask matrices as images with tokens on the axes."""

import numpy as np
import tensorflow as tf

from tfplm.summaries.heatmap import Heatmap, grid_columns, titled_grid


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
    """Writes the attention weights as one image per layer, with a panel for each head: `name/layer_0/heads`.

    Args:
        attentions: for each layer a float array `[B, heads, T, S]` of probabilities, as returned by a model under
            `attentions` when called with `output_attentions=True`.
        tokens: the T query tokens of the example, for the rows. With fewer than T tokens the padding after them is cut
            off. Of more than 24 tokens, every second, third, ... is named.
        key_tokens: the S key tokens, for the columns; default: `tokens`.
        example: the index of the example in the batch.
        layers, heads: the indices of those to draw (negative: from the end); default: all. The image of a single head
            is `name/layer_0/head_0`.

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
        chosen = _choose(heads, len(maps), "head")
        together = len(chosen) > 1
        if heatmap is None or heatmap.shape != maps.shape[1:]:
            room = max(300, 1200 // grid_columns(len(chosen))) if together else 1000
            heatmap = Heatmap(tokens, key_tokens, shape=maps.shape[1:], room=room)
        pictures = {f"head_{head}": heatmap.draw(maps[head]) for head in chosen}
        if together:
            pictures = {"heads": titled_grid(list(pictures.values()), [f"head {head}" for head in chosen])}
        for tag, picture in pictures.items():
            tf.summary.image(f"{name}/layer_{layer}/{tag}", picture[np.newaxis], step)


def mask_image(name: str, allow, step=None, tokens=None, key_tokens=None, *, example: int = 0) -> None:
    """Writes an attention mask as an image: light where the row's token attends to the column's, else dark.

    Args:
        allow: boolean (or 0 and 1) of shape `[T, S]`, `[B, T, S]` or `[B, 1, T, S]`.
        tokens, key_tokens, example: as in `attention_images`.
    """
    if not tf.summary.should_record_summaries():
        return
    allow = np.asarray(allow)
    if not np.isin(allow, (0, 1)).all():
        wrong = allow[~np.isin(allow, (0, 1))].flat[0]
        raise ValueError(f"the mask contains {wrong}; expected booleans, or 1 where a token may attend and 0 elsewhere: "
                         "of a mask that is added to scores, pass (mask == 0)")
    if allow.ndim not in (2, 3, 4):
        raise ValueError(f"the mask has the shape {allow.shape}; expected [T, S], [B, T, S] or [B, 1, T, S]")
    matrix = allow if allow.ndim == 2 else allow[example].reshape(-1, *allow.shape[-2:])[0]
    if tokens is not None and key_tokens is None and matrix.shape[0] == matrix.shape[1]:
        key_tokens = tokens
    picture = Heatmap(tokens, key_tokens, shape=matrix.shape, colours="cividis").draw(matrix)
    tf.summary.image(name, picture[np.newaxis], step)
