"""Rewriting of texts character by character in a graph, by tables that are made with this Python's Unicode data.

TensorFlow Text has operations for case and normal forms, but of another version of Unicode and with other rules (its case
folding is not Python's `lower`, for example); a table cannot differ.
"""

import functools
import unicodedata
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

SELF = -1  # in an entry: the character itself
_SIGMA, _FINAL_SIGMA = 0x3A3, 0x3C2
_PAGE = 256
_CODES = 0x110000
_OTHER, _CASED, _SKIPPED = 0, 1, 2


@functools.cache
def assigned() -> str:
    """All characters that this Python's version of Unicode has, without private ones and surrogates."""
    characters = map(chr, range(_CODES))
    return "".join(c for c in characters if unicodedata.category(c) not in ("Cn", "Co", "Cs"))


class CodeTable(tf.Module):
    """A number for each code point: pages of 256, of which equal ones are stored once."""

    def __init__(self, numbers: np.ndarray):
        super().__init__()
        pages, index = np.unique(numbers.reshape(-1, _PAGE), axis=0, return_inverse=True)
        self._pages = tf.constant(pages.reshape(-1), tf.int32)
        self._index = tf.constant(index.reshape(-1), tf.int32)

    def __call__(self, codes):
        """int32 of the shape of `codes`."""
        page = tf.gather(self._index, tf.bitwise.right_shift(codes, 8))
        return tf.gather(self._pages, page * _PAGE + tf.bitwise.bitwise_and(codes, _PAGE - 1))


class Rewriter(tf.Module):
    """`rewriter(texts)`: the texts `[B]` with each character replaced; bytes that are not UTF-8 become U+FFFD before.

    Args:
        replaced: a character -> what replaces it, if that is anything else.
        lower: whether a capital sigma becomes a small one, whose form depends on the letters around it.
        skipped: characters that are removed before the letters around a sigma are looked at.
        marks: for texts of which the marks that remain are put into canonical order.
    """

    def __init__(self, replaced: Mapping[str, str], lower: bool = False, skipped: str = "", marks: "Marks | None" = None):
        super().__init__()
        self._table = _Replacements(replaced)
        self._classes = CodeTable(_sigma_classes(skipped)) if lower else None
        self._marks = marks

    def __call__(self, texts):
        rows = tf.strings.unicode_decode(tf.strings.join([" ", texts]), "UTF-8")  # the space separates rows in flat arrays
        codes = rows.flat_values
        if self._classes is not None:
            codes = tf.cond(tf.reduce_any(codes == _SIGMA), lambda: self._small_sigmas(codes), lambda: codes)
        if self._marks is None:
            result = self._table(rows.with_flat_values(codes))
        else:
            result = self._marks.ordered(rows.with_flat_values(codes), self._table)
        return tf.strings.unicode_encode(result[:, 1:], "UTF-8")

    def _small_sigmas(self, codes):
        """A capital sigma becomes a final one after a cased letter that no cased letter follows, as in `str.lower`."""
        classes = self._classes(codes)
        letters = tf.cast(tf.reshape(tf.where(classes != _SKIPPED), [-1]), tf.int32)
        counts = tf.cumsum(tf.cast(classes != _SKIPPED, tf.int32))
        before = tf.gather(letters, tf.maximum(counts - 2, 0))  # a sigma is a letter itself, and a row starts with a space
        after = tf.gather(letters, tf.minimum(counts, tf.size(letters) - 1))
        follows = (tf.gather(classes, after) == _CASED) & (counts < tf.size(letters))
        final = (tf.gather(classes, before) == _CASED) & ~follows
        return tf.where((codes == _SIGMA) & final, _FINAL_SIGMA, codes)


class _Replacements(tf.Module):
    """Rows of code points -> rows of what replaces them."""

    def __init__(self, replaced: Mapping[str, str]):
        super().__init__()
        entries: dict[tuple[int, ...], int] = {(SELF,): 0}
        numbers = np.zeros(_CODES, np.int32)
        for character, text in replaced.items():
            entry = tuple(SELF if c == character else ord(c) for c in text)
            numbers[ord(character)] = entries.setdefault(entry, len(entries))
        self._numbers = CodeTable(numbers)
        self._values = tf.constant([code for entry in entries for code in entry], tf.int32)
        self._splits = tf.constant(np.cumsum([0, *map(len, entries)]), tf.int64)

    def __call__(self, rows):
        codes = rows.flat_values
        entries = tf.RaggedTensor.from_row_splits(self._values, self._splits, validate=False)
        found = tf.gather(entries, self._numbers(codes))
        own = tf.gather(codes, found.value_rowids())
        found = found.with_flat_values(tf.where(found.flat_values == SELF, own, found.flat_values))
        return rows.with_flat_values(found).merge_dims(1, 2)


class Marks(tf.Module):
    """The canonical order of combining marks, for texts with marks that are kept although others are dropped.

    Such marks (viramas, musical stems) are rare, so that nearly all texts are rewritten by one table.

    Args:
        full: a character -> what replaces it if all marks are kept.
        dropped: the marks that are dropped after they are in order.
    """

    def __init__(self, full: Mapping[str, str], dropped: str):
        super().__init__()
        classes, rare = np.zeros(_CODES, np.int32), np.zeros(_CODES, np.int32)
        for character in assigned():
            text = full.get(character, character)
            classes[ord(character)] = unicodedata.combining(character)
            rare[ord(character)] = any(unicodedata.combining(c) and c not in dropped for c in text)
        self._classes, self._rare = CodeTable(classes), CodeTable(rare)
        self._full, self._drop = _Replacements(full), _Replacements(dict.fromkeys(dropped, ""))

    def ordered(self, rows, table):
        """The rows as `table` replaces them, with the marks that remain in canonical order."""
        flat = rows.flat_values

        def slow():
            kept = self._full(rows)
            codes = kept.flat_values
            classes = tf.cast(self._classes(codes), tf.int64)
            runs = tf.cumsum(tf.cast(classes == 0, tf.int64))  # marks stay behind the character before them
            order = tf.argsort(runs * 256 + classes, stable=True)
            result = self._drop(kept.with_flat_values(tf.gather(codes, order)))
            return result.flat_values, result.row_splits

        def fast():
            result = table(rows)
            return result.flat_values, result.row_splits

        values, splits = tf.cond(tf.reduce_any(self._rare(flat) > 0), slow, fast)
        return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


@functools.lru_cache(8)
def _sigma_classes(skipped: str) -> np.ndarray:
    """Cased, skipped (between letters), or other, for each code point, as `str.lower` looks at them around a sigma."""
    classes = np.full(_CODES, _OTHER, np.int32)
    for character in assigned():
        if f"{character}\u03a3".lower().endswith("\u03c2"):
            classes[ord(character)] = _CASED
        elif f"a{character}\u03a3".lower().endswith("\u03c2"):
            classes[ord(character)] = _SKIPPED
    for character in skipped:
        classes[ord(character)] = _SKIPPED
    return classes


def table_of(change: Callable[[str], str]) -> dict[str, str]:
    """What `change` makes of each character, if that is anything else."""
    return {character: text for character in assigned() if (text := change(character)) != character}


@functools.lru_cache(1)
def lower_table() -> dict[str, str]:
    """The table of `str.lower`."""
    return table_of(str.lower)
