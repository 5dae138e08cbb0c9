"""Byte-level BPE (GPT-2, RoBERTa, BART) in a graph, of TensorFlow's own operations: TensorFlow Text has none for it.

A text is divided into words by GPT-2's pattern, the bytes of each different word are the first tokens, and then in each
step, in all words at once, the pair of neighbors that was learned first is merged, the leftmost one of several.
"""

import functools
import json

import numpy as np
import tensorflow as tf
from tokenizers import models, pre_tokenizers

from tfplm.models.portable.text.added import AddedTokens
from tfplm.models.portable.text.characters import CodeTable
from tfplm.models.portable.text.errors import NotInGraph
from tfplm.tokenizers.tokenizer import Tokenizer

_LETTER, _NUMBER, _OTHER, _SPACE = range(4)
_APOSTROPHE, _BLANK = 0x27, 0x20
_SHORT, _LONG = "stmd", ("re", "ve", "ll")  # after an apostrophe they are words of their own ('s, 'll)
_LATE = np.iinfo(np.int32).max  # the rank of pairs that are never merged


class BytePairGraph(tf.Module):
    """`graph(texts)`: the ids of texts `[B]` without special tokens around them, ragged int32 `[B, None]`."""

    def __init__(self, tokenizer: Tokenizer):
        super().__init__()
        backend = tokenizer.backend
        _check(backend)
        self.added = AddedTokens(backend.get_added_tokens_decoder())
        self.prefix_space = backend.pre_tokenizer.add_prefix_space
        self.words, self.merges = Words(), Merges(backend)

    def __call__(self, texts):
        return self.added.pieces(texts, self._pieces)

    def _pieces(self, texts):
        if self.prefix_space:
            bare = (texts != "") & (tf.strings.substr(texts, 0, 1) != " ")
            texts = tf.where(bare, tf.strings.join([" ", texts]), texts)
        words = self.words(texts)
        return words.with_flat_values(self.merges(words.flat_values)).merge_dims(1, 2)


class Words(tf.Module):
    """Texts `[B]` -> their words, ragged `[B, None]`, by the pattern of GPT-2 (Radford et al. 2019).

    The pattern looks ahead, which TensorFlow's regular expressions do not: a run of white space leaves its last character
    to the word after it, which takes it if it is a blank.
    """

    def __init__(self):
        super().__init__()
        self._classes = CodeTable(_classes())

    def __call__(self, texts):
        rows, offsets = tf.strings.unicode_decode_with_offsets(texts, "UTF-8")
        starts = self._starts(rows)
        row = tf.boolean_mask(rows.value_rowids(), starts)
        begin = tf.boolean_mask(offsets.flat_values, starts)
        total = tf.cast(tf.strings.length(texts), tf.int64)
        # a word ends where the next one of the same text starts, and the last one at the end of the text
        following = tf.concat([begin[1:], [0]], 0)
        same = tf.concat([row[1:] == row[:-1], [False]], 0)[:tf.size(row)]
        end = tf.where(same, following[:tf.size(row)], tf.gather(total, row))
        words = tf.strings.substr(tf.gather(texts, row), tf.cast(begin, tf.int32), tf.cast(end - begin, tf.int32))
        return tf.RaggedTensor.from_value_rowids(words, row, nrows=tf.size(texts, tf.int64), validate=False)

    def _starts(self, rows):
        """bool for each character: it is the first one of a word."""
        codes, row = rows.flat_values, rows.value_rowids()
        kinds = self._classes(codes)

        def shifted(values, by: int, outside):
            """`values[i + by]`, or `outside` if that is in another text."""
            count = tf.size(row)
            index = tf.clip_by_value(tf.range(count) + by, 0, tf.maximum(count - 1, 0))
            inside = (tf.gather(row, index) == row) & (index == tf.range(count) + by)
            return tf.where(inside, tf.gather(values, index), outside)

        before, after = shifted(kinds, -1, -1), shifted(kinds, 1, -1)
        space = kinds == _SPACE
        after_blank = shifted(codes, -1, -1) == _BLANK
        starts = tf.where(space, (before != _SPACE) | ((after != _SPACE) & (after >= 0)),
                          (kinds != before) & ~after_blank)
        apostrophe = starts & (codes == _APOSTROPHE)
        first, second = shifted(codes, 1, -1), shifted(codes, 2, -1)
        short, long = tf.zeros_like(starts), tf.zeros_like(starts)
        for letter in _SHORT:
            short |= first == ord(letter)
        for left, right in _LONG:
            long |= (first == ord(left)) & (second == ord(right))
        short, long = apostrophe & short, apostrophe & long
        ended = shifted(short, -2, False) | shifted(long, -3, False)
        joined = shifted(short | long, -1, False)
        return (starts & ~joined) | ended


class Merges(tf.Module):
    """Words `[W]` -> their tokens, ragged int32 `[W, None]`."""

    def __init__(self, backend):
        super().__init__()
        vocab = backend.get_vocab(with_added_tokens=False)
        self._size = max(vocab.values()) + 1
        merges = _merges(backend)
        keys = np.array([vocab[left] * self._size + vocab[right] for left, right in merges], np.int64)
        # of a pair that is there twice, the last rank counts, as in the library
        keys, last = np.unique(keys[::-1], return_index=True)
        ranks = len(merges) - 1 - last
        merged = [vocab["".join(merges[rank])] for rank in ranks]
        self._keys, self._ranks = tf.constant(keys, tf.int64), tf.constant(ranks, tf.int32)
        self._merged = tf.constant(merged, tf.int32)
        self._bytes = tf.constant([vocab.get(letter, -1) for letter in byte_letters()], tf.int32)

    def __call__(self, words):
        different, which = tf.unique(words)
        letters = tf.strings.bytes_split(different)
        codes = tf.reshape(tf.io.decode_raw(letters.flat_values, tf.uint8), [-1])
        tokens = tf.gather(self._bytes, tf.cast(codes, tf.int32))
        row = tf.cast(letters.value_rowids(), tf.int32)
        known = tokens >= 0
        count = tf.size(different)
        tokens, row = self._merge(tf.boolean_mask(tokens, known), tf.boolean_mask(row, known), count)
        rows = tf.RaggedTensor.from_value_rowids(tokens, tf.cast(row, tf.int64), nrows=tf.cast(count, tf.int64),
                                                 validate=False)
        return tf.gather(rows, which)

    def _merge(self, tokens, row, count):
        """Merges one pair in each row until there is none."""
        def step(tokens, row, _):
            pairs = tf.range(tf.size(tokens) - 1)
            key = tf.cast(tokens[:-1], tf.int64) * self._size + tf.cast(tokens[1:], tf.int64)
            place = tf.minimum(tf.searchsorted(self._keys, key, out_type=tf.int32), tf.size(self._keys) - 1)
            known = (row[:-1] == row[1:]) & (tf.gather(self._keys, place) == key)
            rank = tf.where(known, tf.gather(self._ranks, place), _LATE)
            lowest = tf.gather(tf.math.unsorted_segment_min(rank, row[:-1], count), row[:-1])
            candidate = tf.where(known & (rank == lowest), pairs, _LATE)
            leftmost = tf.gather(tf.math.unsorted_segment_min(candidate, row[:-1], count), row[:-1])
            merges = candidate == tf.where(leftmost == _LATE, -1, leftmost)
            tokens = tf.concat([tf.where(merges, tf.gather(self._merged, place), tokens[:-1]), tokens[-1:]], 0)
            kept = tf.concat([[True], ~merges], 0)
            return tf.boolean_mask(tokens, kept), tf.boolean_mask(row, kept), tf.reduce_any(merges)

        vector = tf.TensorShape([None])
        tokens, row, _ = tf.while_loop(lambda *state: state[-1], step, (tokens, row, tf.size(tokens) > 1),
                                       shape_invariants=(vector, vector, tf.TensorShape([])))
        return tokens, row


def _check(backend) -> None:
    pre, model = backend.pre_tokenizer, backend.model
    if not isinstance(model, models.BPE) or not isinstance(pre, pre_tokenizers.ByteLevel):
        raise NotInGraph("its words are not made by the rule of GPT-2")
    if backend.normalizer is not None:
        raise NotInGraph(f"it changes texts by {type(backend.normalizer).__name__} before it divides them")
    if not pre.use_regex or model.continuing_subword_prefix or model.end_of_word_suffix or model.ignore_merges:
        raise NotInGraph("it merges by other rules than GPT-2")
    if not _merges(backend):
        raise NotInGraph("it has no merges")


def _merges(backend) -> list[tuple[str, str]]:
    merges = json.loads(backend.to_str())["model"]["merges"]
    return [tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in merges]


def byte_letters() -> list[str]:
    """The letter of each byte in the vocabulary: the byte itself if it is visible, else one from U+0100 on."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = iter(range(0x100, 0x200))
    return [chr(byte) if byte in visible else chr(next(hidden)) for byte in range(256)]


@functools.lru_cache(1)
def _classes() -> np.ndarray:
    """The class of each code point, asked of the library, whose version of Unicode is not this Python's."""
    divide = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True).pre_tokenize_str
    classes = np.full(0x110000, _OTHER, np.int32)
    for plane in (0, 1, 2, 3, 14):  # the others have no letters, numbers and white space
        for start in range(plane << 16, (plane + 1) << 16, 0x800):
            if start == 0xD800:  # surrogates
                continue
            codes = np.arange(start, start + 0x800)
            classes[codes] = _SPACE
            for letter, kind in (("a", _LETTER), ("1", _NUMBER), ("!", _OTHER)):
                # a character has the class of the letter if they make one word
                text = "\n".join(f"{letter}{chr(code)}{letter}" for code in codes)
                spans = {span for _, span in divide(text)}
                classes[codes[[(4 * index, 4 * index + 3) in spans for index in range(len(codes))]]] = kind
    return classes
