"""Alignment of word labels with the pieces of a tokenizer, and back (Devlin et al. 2019, section 5.3).

    words      我    在   Wolfsburg               the first piece of a word has its label; the other pieces have none
    pieces     我    在   Wolf  ##s  ##burg
    labels     O     O    B-LOC  -    -
"""

from collections.abc import Iterator, Sequence

import numpy as np

from tfplm.data.tasks.examples import TaggedExample
from tfplm.data.tasks.labels import LabelMap
from tfplm.data.tasks.spans import fill_tags
from tfplm.tokenizers import Tokenizer

_AT_ONCE = 1024  # the number of sentences tokenized together


def tagging_features(examples: Sequence[TaggedExample], tokenizer: Tokenizer, max_length: int = 128, stride: int = 32,
                     labels: LabelMap | None = None, unknown: int | None = None) -> list[dict]:
    """Converts sentences to features, dicts of int32 arrays with the keys

    - `input_ids [T]`, `token_type_ids [T]`, T <= max_length;
    - `first_of_word [T]`: 1 + the index of the word if the token is its first piece, else 0;
    - `tag_mask [T]`: 1 for tokens with a tag (without `labels`: all first pieces);
    - `tag_ids [T]`: the tag ids, 0 where `tag_mask` is 0; only with `labels`;
    - `example []`: the index of the sentence.

    A sentence that is too long is cut before a word into several features, each starting at most `stride` tokens before
    the end of the previous one; a word longer than a feature is truncated. Words that the tokenizer drops (control
    characters, the empty word) have no tokens; a sentence of such words alone has no feature.

    Raises ValueError for a tag that is not in `labels`, unless `unknown=-1`, which leaves it unlabelled.
    """
    features = []
    for start in range(0, len(examples), _AT_ONCE):
        part = examples[start:start + _AT_ONCE]
        batch = tokenizer([list(example.words) for example in part], is_split_into_words=True, return_word_ids=True,
                          return_special_tokens_mask=True, padding=False, truncation=False)
        for index, example in enumerate(part):
            row = {key: batch[key][index] for key in ("input_ids", "token_type_ids", "word_ids", "special_tokens_mask")}
            tags = None if labels is None else _tag_ids(example, labels, unknown)
            features += [feature | {"example": np.int32(start + index)}
                         for feature in _windows(row, max_length, stride, tags)]
    return features


def _tag_ids(example: TaggedExample, labels: LabelMap, unknown: int | None) -> np.ndarray:
    if example.tags is None:
        raise ValueError(f"{example.origin or 'a sentence'}: no tags; they are needed for training and evaluation")
    return np.array([labels.id(tag, example.origin, unknown) for tag in example.tags], np.int32)


def _windows(row: dict[str, np.ndarray], max_length: int, stride: int, tags: np.ndarray | None) -> Iterator[dict]:
    """The features of one sentence."""
    words = row["word_ids"]  # [N], -1 for special tokens
    inner = np.flatnonzero(row["special_tokens_mask"] == 0)
    if not len(inner):
        return
    first, last = inner[0], inner[-1] + 1
    special = len(words) - (last - first)
    starts = np.r_[True, words[first + 1:last] != words[first:last - 1]]  # [last - first], True where a word starts
    for start, end in cut_at(np.flatnonzero(starts), last - first, max_length - special, stride):
        kept = np.r_[:first, first + start:first + end, last:len(words)]
        firsts = np.zeros(len(kept), np.int32)
        firsts[first:first + end - start] = np.where(starts[start:end], words[first + start:first + end] + 1, 0)
        feature = {"input_ids": row["input_ids"][kept], "token_type_ids": row["token_type_ids"][kept],
                   "first_of_word": firsts, "tag_mask": (firsts > 0).astype(np.int32)}
        if tags is not None:
            ids = np.where(firsts > 0, tags[firsts - 1], -1)
            feature["tag_mask"] = (ids >= 0).astype(np.int32)
            feature["tag_ids"] = np.maximum(ids, 0).astype(np.int32)
        yield feature


def cut_at(starts: np.ndarray, length: int, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """Windows [start, end) of at most `room` of `length` tokens, starting at one of `starts` (ascending, the first 0).

    A window starts at most `stride` tokens before the end of the previous one. A word that does not fit into a window
    is truncated.
    """
    if not 0 <= stride < room:
        raise ValueError(f"stride {stride}: expected from 0 to {room - 1}, because a window has room for {room} tokens")
    start = 0
    while True:
        end = min(start + room, length)
        if end == length:
            yield start, end
            return
        # a word that crosses the end is left to the next window, unless it is the only one in this window
        cut = starts[np.searchsorted(starts, end, side="right") - 1]
        end = int(cut) if cut > start else end
        yield start, end
        later = starts[np.searchsorted(starts, max(end - stride, start + 1)):]
        if not len(later):
            return
        start = int(later[0])


def join_words(outputs: Sequence[np.ndarray], features: Sequence[dict], lengths: Sequence[int],
               fill: float = -1) -> list[np.ndarray]:
    """Converts the outputs `[T_i, ...]` of features to `[words, ...]` for each sentence; `lengths` are in words.

    A word that is in several features is taken from the one where it has the most context on its shorter side. Words
    without tokens get `fill`.
    """
    shape, kind = (outputs[0].shape[1:], outputs[0].dtype) if len(outputs) else ((), np.int32)
    joined = [np.full((length, *shape), fill, kind) for length in lengths]
    context = [np.full(length, -1) for length in lengths]
    for output, feature in zip(outputs, features):
        firsts, example = feature["first_of_word"], int(feature["example"])
        positions = np.flatnonzero(firsts)
        words = firsts[positions] - 1
        around = np.minimum(positions, len(firsts) - 1 - positions)
        better = around > context[example][words]
        joined[example][words[better]] = output[positions[better]]
        context[example][words[better]] = around[better]
    return joined


def join_tags(ids: Sequence[np.ndarray], features: Sequence[dict], examples: Sequence[TaggedExample], labels: LabelMap,
              outside: str = "O") -> list[tuple[str, ...]]:
    """Converts the tag ids `[T_i]` of features to a tag for every word of every sentence.

    Words that the tokenizer drops get the tag that continues the span around them, so that it stays one span; elsewhere
    they get the tag `outside`, or the first label if `outside` is not among the labels.
    """
    default = outside if outside in labels.ids else labels.names[0]
    joined = join_words([np.asarray(row) for row in ids], features, [len(example.words) for example in examples])
    return [tuple(fill_tags([labels.names[tag_id] if tag_id >= 0 else None for tag_id in row], labels.names, default))
            if (row < 0).any() else tuple(labels.names[tag_id] for tag_id in row) for row in joined]
