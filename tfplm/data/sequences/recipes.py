"""Construction of examples from documents, for all objectives."""

import dataclasses
from collections.abc import Iterator
from typing import Literal, cast, get_args

import numpy as np

from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.sequences.documents import Document
from tfplm.data.sequences.packing import contiguous, full_sentences
from tfplm.data.sequences.segment_pairs import Relation, segment_pairs

Packing = Literal["framed", "stream", "full_sentences", "doc_sentences", "next", "order", "order3", "follow"]


@dataclasses.dataclass(frozen=True)
class Sequences:
    """Settings of examples with at most `max_length` tokens.

    packing:
    - `framed`: begin token, text, end token; always full (masked LM);
    - `stream`: text only, full (GPT, T5);
    - `full_sentences`, `doc_sentences`: whole sentences (RoBERTa), across or within documents;
    - `next`, `order`, `order3`, `follow`: pairs of segments with `next_sentence_labels` (BERT, ALBERT, StructBERT;
      UniLM).
    short_rate: fraction of documents whose pairs are shorter.
    """

    packing: Packing = "framed"
    max_length: int = 128
    short_rate: float = 0.1

    def pack(self, documents: list[Document], vocabulary: NoiseVocabulary, rng: np.random.Generator) -> Iterator[dict]:
        """Examples: dicts of int32 arrays `[T_i]`: `input_ids`, `token_type_ids`, `word_starts`, and `sentence_ids` or
        `next_sentence_labels`."""
        if self.packing in ("framed", "stream"):
            return contiguous(documents, self.max_length, vocabulary, frame=self.packing == "framed")
        if self.packing in ("full_sentences", "doc_sentences"):
            return full_sentences(documents, self.max_length, vocabulary, cross=self.packing == "full_sentences")
        if self.packing in get_args(Relation):
            relation = cast(Relation, self.packing)
            return segment_pairs(documents, self.max_length, vocabulary, rng, relation, self.short_rate)
        raise ValueError(f"packing is {self.packing!r}; expected one of {', '.join(get_args(Packing))}")


def length_stages(steps: int, max_length: int, shortest: int = 64, growth: int = 2) -> list[tuple[int, int]]:
    """A curriculum of lengths, short first: [(steps, length), ...], with lengths that double up to `max_length`.

    All stages have the same number of steps, and the last stage also the remainder.
    """
    lengths = [max_length]
    while lengths[0] // growth >= shortest:
        lengths.insert(0, lengths[0] // growth)
    share = steps // len(lengths)
    stages = [(share, length) for length in lengths[:-1]]
    return [stage for stage in [*stages, (steps - share * len(stages), max_length)] if stage[0]]
