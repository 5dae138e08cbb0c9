"""The special tokens around texts and pairs of texts, for code that assembles token ids by itself."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfplm.tokenizers.tokenizer import Tokenizer

DIVIDER = "|||"  # separates the texts of a pair written as one text, as in bert-as-service


@dataclasses.dataclass(frozen=True)
class Frame:
    """Special tokens, each int32 `[2, tokens]`: ids and segments.

    - prefix, suffix: of a single text;
    - pair_prefix, pair_separator, pair_suffix: of a pair;
    - first, second: the segment ids of the two texts of a pair.
    """

    prefix: np.ndarray
    suffix: np.ndarray
    pair_prefix: np.ndarray
    pair_separator: np.ndarray
    pair_suffix: np.ndarray
    first: int = 0
    second: int = 0

    @property
    def size(self) -> int:
        """The number of special tokens of a pair."""
        return self.pair_prefix.shape[1] + self.pair_separator.shape[1] + self.pair_suffix.shape[1]

    @property
    def single_size(self) -> int:
        """The number of special tokens of a single text."""
        return self.prefix.shape[1] + self.suffix.shape[1]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Frame":
        """The frame of a tokenizer, determined by encoding a short text alone and as a pair."""
        single, text = _encoded(tokenizer, "a")
        pair, texts = _encoded(tokenizer, "a", "a")
        if not len(text):  # the vocabulary has neither "a" nor an unknown token
            return cls(single[:, :0], single, single[:, :0], single, single)
        one, two = texts[:len(text)], texts[len(text):]
        return cls(single[:, :text[0]], single[:, text[-1] + 1:], pair[:, :one[0]], pair[:, one[-1] + 1:two[0]],
                   pair[:, two[-1] + 1:], int(pair[1, one[0]]), int(pair[1, two[0]]))

    @classmethod
    def of_ids(cls, prefix: int, separator: int, suffix: int) -> "Frame":
        """A frame with one token at each position; all segments are 0."""
        left, middle, right = (np.array([[token_id], [0]], np.int32) for token_id in (prefix, separator, suffix))
        return cls(left, right, left, middle, right)

    def around(self, first: Sequence[int], second: Sequence[int] | None = None, most: int | None = None) -> np.ndarray:
        """int32 `[2, tokens]`: ids and segments of a text or a pair, truncated to `most` tokens in total."""
        if second is None:
            room = len(first) if most is None else most - self.single_size
            return np.concatenate([self.prefix, _row(first[:room], 0), self.suffix], 1)
        if most is not None:
            left, right = cut_pair(len(first), len(second), most - self.size)
            first, second = first[:left], second[:right]
        return np.concatenate([self.pair_prefix, _row(first, self.first), self.pair_separator,
                               _row(second, self.second), self.pair_suffix], 1)


def cut_pair(first: int, second: int, room: int) -> tuple[int, int]:
    """The lengths of two texts truncated to `room` tokens together.

    Tokens are removed one by one from the longer text, or from the second one if both are equally long, as in BERT's
    `_truncate_seq_pair`.
    """
    room = max(room, 0)
    right = min(second, max(room // 2, room - first))
    return min(first, room - right), right


def divide(tokens: list[str]) -> tuple[list[str], list[str] | None]:
    """Splits tokens at the last `|||` into the two texts of a pair; without one, returns the text and None."""
    if DIVIDER not in tokens:
        return tokens, None
    index = len(tokens) - 1 - tokens[::-1].index(DIVIDER)
    return tokens[:index], tokens[index + 1:]


def _encoded(tokenizer: Tokenizer, text: str, pair: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(ids and segments `[2,T]`, positions of the tokens that are not special)."""
    batch = tokenizer(text, pair, return_special_tokens_mask=True, padding=False, truncation=False)
    return (np.stack([batch["input_ids"][0], batch["token_type_ids"][0]]).astype(np.int32),
            np.flatnonzero(batch["special_tokens_mask"][0] == 0))


def _row(ids: Sequence[int], segment: int) -> np.ndarray:
    return np.stack([np.asarray(ids, np.int32), np.full(len(ids), segment, np.int32)])
