"""Labels of words on the pieces that a tokenizer makes of them, and back (Devlin et al. 2019, section 5.3).

    words      我    在   Wolfsburg               a word's label stands on its first piece; the others have none
    pieces     我    在   Wolf  ##s  ##burg
    labels     O     O    B-LOC  -    -
"""

from collections.abc import Iterator, Sequence

import numpy as np

from tfplm.data.tasks.examples import TaggedExample
from tfplm.data.tasks.labels import LabelMap
from tfplm.tokenizers import Tokenizer

_AT_ONCE = 1024  # sentences that are tokenized together


def tagging_features(examples: Sequence[TaggedExample], tokenizer: Tokenizer, max_length: int = 128, stride: int = 32,
                     labels: LabelMap | None = None, unknown: int | None = None) -> list[dict]:
    """Sentences -> features: dicts of int32 arrays, with the keys

    - `input_ids [T]`, `token_type_ids [T]`, T <= max_length;
    - `first_of_word [T]`: 1 + the number of the word whose first piece stands there, 0 at all other places;
    - `tag_mask [T]`: 1 where there is a tag (without `labels`: on all first pieces);
    - `tag_ids [T]`: the numbers of the tags, 0 where `tag_mask` is; only with `labels`;
    - `example []`: the place of the sentence.

    A sentence that does not fit is cut before a word into several features, the next one beginning at most `stride`
    tokens before the end of the last; of a word longer than a feature only the beginning is kept. Words that the
    tokenizer drops (control characters, the empty word) have no place; a sentence of such words alone has no feature.

    Raises ValueError for a tag that `labels` lacks, unless `unknown=-1` says to leave it unlabelled.
    """
    features = []
    for begin in range(0, len(examples), _AT_ONCE):
        part = examples[begin:begin + _AT_ONCE]
        batch = tokenizer([list(example.words) for example in part], is_split_into_words=True, return_word_ids=True,
                          return_special_tokens_mask=True, padding=False, truncation=False)
        for place, example in enumerate(part):
            row = {key: batch[key][place] for key in ("input_ids", "token_type_ids", "word_ids", "special_tokens_mask")}
            tags = None if labels is None else _numbers(example, labels, unknown)
            features += [feature | {"example": np.int32(begin + place)}
                         for feature in _windows(row, max_length, stride, tags)]
    return features


def _numbers(example: TaggedExample, labels: LabelMap, unknown: int | None) -> np.ndarray:
    if example.tags is None:
        raise ValueError(f"{example.origin or 'a sentence'}: no tags; they are needed for training and evaluation")
    return np.array([labels.id(tag, example.origin, unknown) for tag in example.tags], np.int32)


def _windows(row: dict[str, np.ndarray], max_length: int, stride: int, tags: np.ndarray | None) -> Iterator[dict]:
    """The features of one sentence."""
    words = row["word_ids"]  # [N], -1 at special tokens
    inner = np.flatnonzero(row["special_tokens_mask"] == 0)
    if not len(inner):
        return
    first, last = inner[0], inner[-1] + 1
    around = len(words) - (last - first)
    starts = np.r_[True, words[first + 1:last] != words[first:last - 1]]  # [last - first], of the words
    for begin, end in cut_at(np.flatnonzero(starts), last - first, max_length - around, stride):
        places = np.r_[:first, first + begin:first + end, last:len(words)]
        firsts = np.zeros(len(places), np.int32)
        firsts[first:first + end - begin] = np.where(starts[begin:end], words[first + begin:first + end] + 1, 0)
        feature = {"input_ids": row["input_ids"][places], "token_type_ids": row["token_type_ids"][places],
                   "first_of_word": firsts, "tag_mask": (firsts > 0).astype(np.int32)}
        if tags is not None:
            numbers = np.where(firsts > 0, tags[firsts - 1], -1)
            feature["tag_mask"] = (numbers >= 0).astype(np.int32)
            feature["tag_ids"] = np.maximum(numbers, 0).astype(np.int32)
        yield feature


def cut_at(starts: np.ndarray, length: int, room: int, stride: int) -> Iterator[tuple[int, int]]:
    """Windows [begin, end) of at most `room` of `length` tokens that begin at one of `starts` (ascending, the first 0).

    A window begins at most `stride` tokens before the end of the one before it; where a word does not fit into a
    window, its end is left out.
    """
    if not 0 <= stride < room:
        raise ValueError(f"stride {stride}: expected from 0 to {room - 1}, for a window has room for {room} tokens")
    begin = 0
    while True:
        end = min(begin + room, length)
        if end == length:
            yield begin, end
            return
        cut = starts[np.searchsorted(starts, end, side="right") - 1]  # a word that goes on behind the end is left to
        end = int(cut) if cut > begin else end                        # the next window, unless it is the only one
        yield begin, end
        later = starts[np.searchsorted(starts, max(end - stride, begin + 1)):]
        if not len(later):
            return
        begin = int(later[0])


def join_words(outputs: Sequence[np.ndarray], features: Sequence[dict], lengths: Sequence[int],
               fill: float = -1) -> list[np.ndarray]:
    """Outputs `[T_i, ...]` of the features -> `[words, ...]` for each of the sentences, `lengths` words long.

    A word that stands in several features is taken from the one where it has the most context on its shorter side.
    Words without any place are `fill`.
    """
    shape, kind = (outputs[0].shape[1:], outputs[0].dtype) if len(outputs) else ((), np.int32)
    joined = [np.full((length, *shape), fill, kind) for length in lengths]
    context = [np.full(length, -1) for length in lengths]
    for output, feature in zip(outputs, features):
        firsts, example = feature["first_of_word"], int(feature["example"])
        places = np.flatnonzero(firsts)
        words = firsts[places] - 1
        around = np.minimum(places, len(firsts) - 1 - places)
        better = around > context[example][words]
        joined[example][words[better]] = output[places[better]]
        context[example][words[better]] = around[better]
    return joined


def join_tags(ids: Sequence[np.ndarray], features: Sequence[dict], examples: Sequence[TaggedExample], labels: LabelMap,
              outside: str = "O") -> list[tuple[str, ...]]:
    """Numbers of tags `[T_i]` of the features -> a tag for every word of every sentence.

    `outside` is the tag of words that the tokenizer drops; where the labels lack it, the first label is.
    """
    default = outside if outside in labels.ids else labels.names[0]
    names = [*labels.names, default]  # the fill -1 is the last one
    joined = join_words([np.asarray(row) for row in ids], features, [len(example.words) for example in examples])
    return [tuple(names[number] for number in row) for row in joined]
