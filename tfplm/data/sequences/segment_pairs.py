"""Pairs of segments: next sentence (BERT), sentence order (ALBERT), and the three-way order of StructBERT."""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

import numpy as np

from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.sequences.documents import Document

Relation = Literal["next", "order", "order3", "follow"]
Segment = tuple[Document, int, int]  # tokens [start, end) of a document
IN_ORDER, OTHER, UNRELATED = 0, 1, 2


def truncate(a: int, b: int, limit: int) -> tuple[int, int]:
    """The lengths after removing tokens of the longer of two (of equal ones the second), one by one, until both fit."""
    if a + b <= limit:
        return a, b
    kept = min(a, max(limit - b, (limit + 1) // 2))
    return kept, limit - kept


def _trim(segment: Segment, kept: int, rng: np.random.Generator) -> Segment:
    """Removes tokens down to `kept`, each at random from the start or from the end."""
    document, start, end = segment
    front = int(rng.binomial(end - start - kept, 0.5))
    return document, start + front, start + front + kept


def pair_example(a: Segment, b: Segment, limit: int, vocabulary: NoiseVocabulary, rng: np.random.Generator) -> dict:
    """The example [CLS] a [SEP] b [SEP] of at most limit + 3 tokens, int32 arrays `[T]`."""
    sizes = truncate(a[2] - a[1], b[2] - b[1], limit)
    segments = [_trim(segment, kept, rng) for segment, kept in zip((a, b), sizes)]
    frame = (vocabulary.begin, vocabulary.separator, vocabulary.end)
    ids = np.empty(sum(sizes) + 3, np.int32)
    starts = np.ones_like(ids)
    types = np.zeros_like(ids)
    middle = sizes[0] + 1
    ids[[0, middle, -1]] = frame
    columns = {name: np.zeros_like(ids) for name in a[0].columns}
    for (document, start, end), position in zip(segments, (1, middle + 1)):
        part = slice(position, position + end - start)
        ids[part], starts[part] = document.ids[start:end], document.word_starts[start:end]
        for name, column in columns.items():
            column[part] = document.columns[name][start:end]
    types[middle + 1:] = 1
    return {"input_ids": ids, "token_type_ids": types, "word_starts": starts, **columns}


def _elsewhere(documents: Sequence[Document], own: int, length: int, rng: np.random.Generator) -> Segment:
    """Sentences from a random position in another document, with at least `length` tokens if it has as many."""
    other = own
    for _ in range(10):  # as in BERT: of a single document it is the same one
        other = int(rng.integers(len(documents)))
        if other != own:
            break
    document = documents[other]
    ends = np.cumsum(document.sentence_lengths)
    first = int(rng.integers(len(ends)))
    start = int(ends[first] - document.sentence_lengths[first])
    last = min(max(int(np.searchsorted(ends, start + length)), first), len(ends) - 1)
    return document, start, int(ends[last])


def _pair(documents: Sequence[Document], own: int, bounds: list[int], target: int, relation: Relation,
          rng: np.random.Generator) -> tuple[Segment, Segment, int, int] | None:
    """(a, b, label, number of unused sentences) from the sentences with these token bounds."""
    document, sentences = documents[own], len(bounds) - 1
    cut = int(rng.integers(1, sentences)) if sentences > 1 else 1
    a = (document, bounds[0], bounds[cut])
    if relation == "next":
        if sentences == 1 or rng.random() < 0.5:
            return a, _elsewhere(documents, own, target - (a[2] - a[1]), rng), OTHER, sentences - cut
        return a, (document, bounds[cut], bounds[-1]), IN_ORDER, 0
    if relation == "order3" and rng.random() < 1 / 3:
        return a, _elsewhere(documents, own, target - (a[2] - a[1]), rng), UNRELATED, sentences - cut
    # a single sentence is split in two, so that only the order has to be predicted
    middle = bounds[cut] if sentences > 1 else (bounds[0] + bounds[1]) // 2
    a, b = (document, bounds[0], middle), (document, middle, bounds[-1])
    if bounds[-1] - bounds[0] < 2:
        return None
    return (a, b, IN_ORDER, 0) if relation == "follow" or rng.random() < 0.5 else (b, a, OTHER, 0)


def segment_pairs(documents: Sequence[Document], length: int, vocabulary: NoiseVocabulary, rng: np.random.Generator,
                  relation: Relation = "next", short_rate: float = 0.1) -> Iterator[dict]:
    """Examples of at most `length` tokens, as in `create_instances_from_document` of BERT's repository.

    Sentences of a document fill a target length of `length` - 3 tokens (for a fraction `short_rate` of the documents, a
    random smaller one) and are split in two at random. `next_sentence_labels`, int32:
    - `next`: 0 = b follows a, 1 = b is from another document (half of the cases; the replaced sentences are used
    later);
    - `order`: 0 = in order, 1 = swapped (ALBERT);
    - `order3`: 0 = in order, 1 = swapped, 2 = from another document, a third each (StructBERT);
    - `follow`: always 0, b follows a (source and target for UniLM).
    """
    vocabulary.need("begin", "separator", "end")
    if relation not in get_args(Relation):
        raise ValueError(f"relation is {relation!r}; expected one of {', '.join(get_args(Relation))}")
    if length < 5:
        raise ValueError(f"length is {length}; expected at least 5: a pair needs three special tokens and two of text")
    limit = length - 3
    for own, document in enumerate(documents):
        target = int(rng.integers(2, limit + 1)) if rng.random() < short_rate else limit
        ends = np.concatenate([[0], np.cumsum(document.sentence_lengths)])
        first, sentences = 0, len(document.sentence_lengths)
        while first < sentences:
            last = min(int(np.searchsorted(ends, ends[first] + target)), sentences)
            bounds = ends[first:last + 1].tolist()
            first = last
            if pair := _pair(documents, own, bounds, target, relation, rng):
                a, b, label, unused = pair
                first -= unused
                yield {**pair_example(a, b, limit, vocabulary, rng), "next_sentence_labels": np.int32(label)}
