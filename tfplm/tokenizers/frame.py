"""The special tokens around texts and pairs of texts, for those who put token ids together by themselves."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfplm.tokenizers.tokenizer import Tokenizer

DIVIDER = "|||"  # between the texts of a pair that is written as one: bert-as-service's sign


@dataclasses.dataclass(frozen=True)
class Frame:
    """Special tokens, each int32 `[2, tokens]`: ids and segments.

    prefix, suffix: around one text. before, between, behind: of a pair. first, second: the segments of a pair's texts.
    """

    prefix: np.ndarray
    suffix: np.ndarray
    before: np.ndarray
    between: np.ndarray
    behind: np.ndarray
    first: int = 0
    second: int = 0

    @property
    def size(self) -> int:
        """Special tokens of a pair."""
        return self.before.shape[1] + self.between.shape[1] + self.behind.shape[1]

    @property
    def single_size(self) -> int:
        """Special tokens of one text."""
        return self.prefix.shape[1] + self.suffix.shape[1]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Frame":
        """Found out by encoding a short text, alone and twice."""
        single, text = _encoded(tokenizer, "a")
        pair, texts = _encoded(tokenizer, "a", "a")
        if not len(text):  # the vocabulary has no "a", nor an unknown token
            return cls(single[:, :0], single, single[:, :0], single, single)
        one, two = texts[:len(text)], texts[len(text):]
        return cls(single[:, :text[0]], single[:, text[-1] + 1:], pair[:, :one[0]], pair[:, one[-1] + 1:two[0]],
                   pair[:, two[-1] + 1:], int(pair[1, one[0]]), int(pair[1, two[0]]))

    @classmethod
    def of_ids(cls, before: int, between: int, behind: int) -> "Frame":
        """One token at each place; all segments are 0."""
        left, middle, right = (np.array([[number], [0]], np.int32) for number in (before, between, behind))
        return cls(left, right, left, middle, right)

    def around(self, first: Sequence[int], second: Sequence[int] | None = None, most: int | None = None) -> np.ndarray:
        """int32 `[2, tokens]`: ids and segments of one text or of a pair, cut behind to `most` tokens in all."""
        if second is None:
            room = len(first) if most is None else most - self.single_size
            return np.concatenate([self.prefix, _row(first[:room], 0), self.suffix], 1)
        if most is not None:
            left, right = cut_pair(len(first), len(second), most - self.size)
            first, second = first[:left], second[:right]
        return np.concatenate([self.before, _row(first, self.first), self.between, _row(second, self.second),
                               self.behind], 1)


def cut_pair(first: int, second: int, room: int) -> tuple[int, int]:
    """Lengths of two texts cut to `room` tokens together, token by token from the longer one; the second of equals.

    BERT's `_truncate_seq_pair`.
    """
    room = max(room, 0)
    right = min(second, max(room // 2, room - first))
    return min(first, room - right), right


def divide(tokens: list[str]) -> tuple[list[str], list[str] | None]:
    """The texts of a pair that `|||` divides, the last one if there are several; one text and None without it."""
    if DIVIDER not in tokens:
        return tokens, None
    place = len(tokens) - 1 - tokens[::-1].index(DIVIDER)
    return tokens[:place], tokens[place + 1:]


def _encoded(tokenizer: Tokenizer, text: str, pair: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(ids and segments `[2,T]`, places of the texts' tokens)."""
    batch = tokenizer(text, pair, return_special_tokens_mask=True, padding=False, truncation=False)
    return (np.stack([batch["input_ids"][0], batch["token_type_ids"][0]]).astype(np.int32),
            np.flatnonzero(batch["special_tokens_mask"][0] == 0))


def _row(ids: Sequence[int], segment: int) -> np.ndarray:
    return np.stack([np.asarray(ids, np.int32), np.full(len(ids), segment, np.int32)])
