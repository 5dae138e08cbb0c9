"""Conversion of the Rust library's encodings to padded int32 arrays."""

import dataclasses
from itertools import chain

import numpy as np

from tfplm.core.rounding import round_up

STRATEGIES = ("longest_first", "only_first", "only_second")


@dataclasses.dataclass(kw_only=True)
class Details:
    """The less common arguments of `Tokenizer.__call__`.

    stride: with `max_length`, splits a longer text into several rows that overlap by this many tokens; the result then
        has `overflow_to_sample_mapping [rows]`, the index of the text that each row belongs to.
    add_special_tokens: adds the family's special tokens.
    is_split_into_words: each text is a list of words.
    return_offsets: adds `offsets [B,T,2]`, the character span [start, end) of each token in the original text (in its
        word, with `is_split_into_words`); 0, 0 for special tokens and padding.
    return_special_tokens_mask: adds `special_tokens_mask [B,T]`, 1 for special tokens and padding.
    return_word_ids: adds `word_ids [B,T]`, the index of the word in its text, -1 for special tokens and padding.
    """

    stride: int | None = None
    add_special_tokens: bool = True
    is_split_into_words: bool = False
    return_offsets: bool = False
    return_special_tokens_mask: bool = False
    return_word_ids: bool = False

    @property
    def need_text(self) -> bool:
        return self.return_offsets or self.return_word_ids


def check_strategy(truncation: str | bool) -> str | None:
    """Validates the truncation strategy; True means `longest_first`, False no truncation."""
    if truncation is True:
        return STRATEGIES[0]
    if truncation in (False, None):
        return None
    if truncation not in STRATEGIES:
        raise ValueError(f"truncation='{truncation}': expected {', '.join(STRATEGIES)}, True or False")
    return truncation


def as_inputs(texts, pairs, split: bool) -> list:
    """The inputs of the Rust library: texts, or (text, pair) tuples; a single text becomes a batch of one."""
    if isinstance(texts, str) or (split and len(texts) and isinstance(texts[0], str)):
        texts, pairs = [texts], None if pairs is None else [pairs]
    texts = _checked(texts, split, "texts")
    if pairs is None:
        return texts
    if isinstance(pairs, str):
        raise ValueError(f"pairs is one text, but there are {len(texts)} texts: give a list of the same length")
    pairs = _checked(pairs, split, "pairs")
    if len(pairs) != len(texts):
        raise ValueError(f"{len(texts)} texts but {len(pairs)} pairs: expected equally many")
    return list(zip(texts, pairs))


def _checked(texts, split: bool, name: str) -> list:
    texts = [list(text) if isinstance(text, tuple) else text for text in texts] if split else list(texts)
    wanted = list if split else str
    for index, text in enumerate(texts):
        if not isinstance(text, wanted) or (split and not all(isinstance(word, str) for word in text)):
            raise TypeError(f"{name}[{index}] is {type(text).__name__}: expected "
                            f"{'a list of words (is_split_into_words=True)' if split else 'str'}")
        try:
            "".join(text).encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{name}[{index}] is not Unicode text: character {error.start} is the half of a surrogate "
                             f"pair, U+{ord(error.object[error.start]):X}, expected whole characters; it was probably "
                             "read with the wrong encoding (errors='surrogateescape') or cut in two: read it as UTF-8, or "
                             "repair it by text.encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')") from error
    return texts


def width_of(longest: int, padding, max_length: int | None) -> int:
    """The number of columns of a batch: the longest row, `max_length`, or a multiple of an int, up to `max_length`."""
    if padding == "max_length":
        if max_length is None:
            raise ValueError('padding="max_length" needs max_length=N: this tokenizer has no limit')
        return max(longest, max_length)
    if padding == "longest":
        return longest
    if not isinstance(padding, int) or padding < 1:
        raise ValueError(f'padding={padding!r}: expected "longest", "max_length", a multiple such as 8, or False')
    width = round_up(longest, padding)
    return width if max_length is None else max(longest, min(width, max_length))


class Rows:
    """Arranges the values of all rows in one array, padded on the given side."""

    def __init__(self, lengths: np.ndarray, width: int | None, side: str):
        self.lengths, self.ragged = lengths, width is None
        if width is not None:
            columns = np.arange(width)
            real = columns < lengths[:, None] if side == "right" else columns >= width - lengths[:, None]
            self.real = real  # [B,T]

    def arrange(self, values, fill: int, shape: tuple = ()):
        """int32 [B,T,*shape] of the values of all real positions, or a list of arrays if the rows are not padded."""
        flat = np.fromiter(chain.from_iterable(values), dtype=np.dtype((np.int32, shape)), count=self.lengths.sum())
        if self.ragged:
            return np.split(flat, np.cumsum(self.lengths)[:-1]) if len(self.lengths) else []
        result = np.full((*self.real.shape, *shape), fill, np.int32)
        result[self.real] = flat
        return result

    def constant(self, value: int):
        """`value` at real positions, 0 at padded ones."""
        if self.ragged:
            return [np.full(length, value, np.int32) for length in self.lengths]
        return self.real.astype(np.int32) * np.int32(value)


def to_arrays(encodings: list, rows: Rows, details: Details, pad: tuple[int, int], segments: bool) -> dict:
    """Builds the batch; `pad` is the id and the segment of padding."""
    batch = {"input_ids": rows.arrange((e.ids for e in encodings), pad[0]), "attention_mask": rows.constant(1),
             "token_type_ids": rows.arrange((e.type_ids for e in encodings), pad[1]) if segments else rows.constant(0)}
    if details.return_offsets:
        batch["offsets"] = rows.arrange((e.offsets for e in encodings), 0, (2,))
    if details.return_special_tokens_mask:
        batch["special_tokens_mask"] = rows.arrange((e.special_tokens_mask for e in encodings), 1)
    if details.return_word_ids:
        batch["word_ids"] = rows.arrange(([-1 if w is None else w for w in e.word_ids] for e in encodings), -1)
    return batch
