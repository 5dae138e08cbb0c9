"""Words as ids of their bytes, as ELMo reads them."""

from collections.abc import Sequence

import numpy as np

# ids before the shift by 1, which leaves 0 for padding words
_BYTES = 256
BEGIN_SENTENCE, END_SENTENCE, BEGIN_WORD, END_WORD, PAD = range(_BYTES, _BYTES + 5)
CHARACTERS = _BYTES + 5  # rows of the table in a file; the model has one more, for padding words


def word_ids(word: str, longest: int = 50) -> np.ndarray:
    """int32 `[longest]`: the bytes of a word between two signs, cut to fit."""
    return _row(list(word.encode("utf-8", "surrogatepass"))[:longest - 2], longest)


def _row(codes: list[int], longest: int) -> np.ndarray:
    row = np.full(longest, PAD + 1, np.int32)
    row[:len(codes) + 2] = np.array([BEGIN_WORD, *codes, END_WORD]) + 1
    return row


def character_ids(sentences: Sequence[Sequence[str]], longest: int = 50) -> np.ndarray:
    """The words of sentences, between the signs of a sentence: int32 `[B, T + 2, longest]`, 0 for padding words.

    Raises TypeError for a text in place of a list of words.
    """
    for sentence in sentences:
        if isinstance(sentence, str):
            raise TypeError(f"a sentence is the text {sentence[:40]!r}, expected a list of its words: split it, e.g. with "
                            "sentence.split()")
    length = max((len(sentence) for sentence in sentences), default=0) + 2
    ids = np.zeros((len(sentences), length, longest), np.int32)
    for row, sentence in zip(ids, sentences, strict=True):
        row[0] = _row([BEGIN_SENTENCE], longest)
        for index, word in enumerate(sentence, start=1):
            row[index] = word_ids(word, longest)
        row[len(sentence) + 1] = _row([END_SENTENCE], longest)
    return ids
