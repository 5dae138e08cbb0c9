"""Phrase and entity masking: listed phrases become single words, as in ERNIE 1.0 (Sun et al. 2019, section 3.2)."""

import numpy as np

_BASE = np.uint64(0x9E3779B97F4A7C15)  # of the 64-bit polynomial hash of a run of ids


class PhraseTable:
    """A set of phrases, given as id sequences, or as texts with `PhraseTable.from_texts(phrases, tokenizer)`.

    Phrases of one token are dropped: there is nothing to join.
    """

    def __init__(self, phrases: list[list[int]]):
        by_length: dict[int, set[int]] = {}
        for phrase in phrases:
            if len(phrase) > 1:
                by_length.setdefault(len(phrase), set()).add(int(_hashes(np.asarray([phrase]), len(phrase))[0, 0]))
        self.hashes = {length: np.array(sorted(by_length[length]), np.uint64)
                       for length in sorted(by_length, reverse=True)}

    @classmethod
    def from_texts(cls, phrases: list[str], tokenizer) -> "PhraseTable":
        batch = tokenizer(list(phrases), add_special_tokens=False)
        return cls([row[:length].tolist() for row, length in zip(batch["input_ids"], batch["attention_mask"].sum(1))])


def _hashes(ids: np.ndarray, length: int) -> np.ndarray:
    """uint64 [B,T-length+1]: the hash of each run of `length` ids, modulo 2^64."""
    ids = ids.astype(np.uint64) + np.uint64(1)
    width = ids.shape[1] - length + 1
    total = np.zeros((len(ids), max(width, 0)), np.uint64)
    for k in range(length if width > 0 else 0):
        total = total * _BASE + ids[:, k:k + width]
    return total


def join_phrases(batch: dict, table: PhraseTable) -> dict:
    """Changes `word_starts` so that each listed phrase in the batch is one word.

    Longer phrases take precedence, then those further left; phrases do not overlap. Use it with `Masking(unit="word")`.
    """
    ids = batch["input_ids"]
    starts = np.array(batch.get("word_starts", np.ones_like(ids)))
    taken = np.zeros(ids.shape, bool)
    for length, hashes in table.hashes.items():
        rows, columns = np.nonzero(np.isin(_hashes(ids, length), hashes))
        for row, column in zip(rows, columns):  # few: only the matches
            inside = slice(column, column + length)
            if not taken[row, inside].any():
                taken[row, inside] = True
                starts[row, inside] = 0
                starts[row, column] = 1
    return {**batch, "word_starts": starts}
