"""Documents to full sequences: contiguous streams (GPT, T5) and whole sentences (RoBERTa)."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.sequences.documents import Document

_ROWS_AT_ONCE = 256


def _sentence_numbers(lengths: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(lengths)), lengths)


def _closed(document: Document, closing: int) -> list[np.ndarray]:
    """(ids, word starts, sentence numbers) with the closing token, which belongs to the last sentence."""
    lengths = document.sentence_lengths.copy()
    lengths[-1] += 1
    return [np.append(document.ids, closing), np.append(document.word_starts, True), _sentence_numbers(lengths)]


def contiguous(documents: Iterable[Document], length: int, vocabulary: NoiseVocabulary, frame: bool = False
               ) -> Iterator[dict]:
    """Examples of exactly `length` tokens: all documents behind one another, each closed by `end`, cut anywhere.

    frame: every example begins with `begin` and ends with `end` (encoders); else it is text through and through
    (GPT-2, T5). Nothing is padded; less than one example is left over at the end and dropped, but for a corpus that
    has not even one, which gives one shorter example.
    """
    vocabulary.need(*(("begin", "end") if frame else ("end",)))
    body = length - 2 * frame
    if body < 1:
        raise ValueError(f"length {length} leaves no room for text")
    parts, size, whole = [], 0, False
    for document in documents:
        parts.append(_closed(document, vocabulary.separator if frame else vocabulary.end))
        size += len(document) + 1
        if size >= body * _ROWS_AT_ONCE:
            rest = yield from _cut(parts, body, vocabulary, frame)
            size, whole = len(rest[0]), True
            parts = [rest] if size else []
    if size:
        rest = yield from _cut(parts, body, vocabulary, frame)
        if not whole and size < body:
            yield from _rows([array[None] for array in rest], vocabulary, frame)


def _cut(parts: list, body: int, vocabulary: NoiseVocabulary, frame: bool):
    """Yields the full rows of the joined parts, returns what is left."""
    offsets = np.cumsum([0, *(part[2][-1] + 1 for part in parts)])
    joined = [np.concatenate([part[k] + offset * (k == 2) for part, offset in zip(parts, offsets)]) for k in range(3)]
    rows = len(joined[0]) // body
    yield from _rows([array[:rows * body].reshape(rows, body) for array in joined], vocabulary, frame)
    ids, starts, sentences = (array[rows * body:] for array in joined)
    return [ids, starts, sentences - sentences[:1]]


def _rows(arrays: list[np.ndarray], vocabulary: NoiseVocabulary, frame: bool) -> Iterator[dict]:
    ids, starts, sentences = (array.astype(np.int32) for array in arrays)
    sentences = sentences - sentences[:, :1]
    if frame:
        ids = np.pad(ids, ((0, 0), (1, 1)), constant_values=((0, 0), (vocabulary.begin, vocabulary.end)))
        starts = np.pad(starts, ((0, 0), (1, 1)), constant_values=1)
        sentences = np.pad(sentences, ((0, 0), (1, 1)), mode="edge")
    types = np.zeros_like(ids)
    for row in range(len(ids)):
        yield {"input_ids": ids[row], "token_type_ids": types[row], "word_starts": starts[row],
               "sentence_ids": sentences[row]}


def full_sentences(documents: Iterable[Document], length: int, vocabulary: NoiseVocabulary, cross: bool = True
                   ) -> Iterator[dict]:
    """Examples of at most `length` tokens: `begin`, as many whole sentences as fit, `end`.

    RoBERTa (Liu et al. 2019, section 4.2): FULL-SENTENCES, where an example goes on into the next document behind a
    `separator`; with cross=False DOC-SENTENCES. A sentence that is longer than an example is cut. Batch them by
    length: some are short.
    """
    vocabulary.need("begin", "separator", "end")
    body = length - 2
    parts: list[Sequence] = []  # each the ids, word starts and sentence ids of a stretch
    size = number = 0

    def example() -> dict:
        return next(_rows([np.concatenate(column)[None] for column in zip(*parts)], vocabulary, frame=True))

    for document in documents:
        if size and cross and size + 1 + document.sentence_lengths[0] <= body:
            parts.append(([vocabulary.separator], [1], [number - 1]))
            size += 1
        elif size:
            yield example()
            parts, size = [], 0
        ends = np.cumsum(document.sentence_lengths)
        columns = document.ids, document.word_starts, _sentence_numbers(document.sentence_lengths) + number
        number, place = number + len(ends), 0
        while place < len(document):
            whole = int(np.searchsorted(ends, place + body - size, side="right"))
            end = max(int(ends[whole - 1]) if whole else 0, place)
            if end == place and size:  # the next sentence does not fit any more
                yield example()
                parts, size = [], 0
                continue
            end = end if end > place else place + body
            parts.append(tuple(column[place:end] for column in columns))
            size, place = size + end - place, end
    if size:
        yield example()
