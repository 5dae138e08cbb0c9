"""Packing of documents into full sequences: contiguous streams (GPT, T5) and whole sentences (RoBERTa)."""

from collections.abc import Iterable, Iterator

import numpy as np

from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.sequences.documents import Document

_ROWS_AT_ONCE = 256


def _sentence_indices(lengths: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(lengths)), lengths)


def _columns(document: Document, sentences: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of an example with a value for each token; `sentences` are the indices of their sentences."""
    return {"input_ids": document.ids, "word_starts": document.word_starts, "sentence_ids": sentences,
            **document.columns}


def _single(names: Iterable[str], token: int, sentence: int) -> dict[str, np.ndarray]:
    """The columns of one special token."""
    values = {"input_ids": token, "word_starts": 1, "sentence_ids": sentence}
    return {name: np.array([values.get(name, 0)], np.int32) for name in names}


def _joined(parts: list[dict]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _closed(document: Document, closing: int) -> dict[str, np.ndarray]:
    """The columns of a document and of its closing token, which belongs to the last sentence."""
    sentences = _sentence_indices(document.sentence_lengths)
    columns = _columns(document, sentences)
    return _joined([columns, _single(columns, closing, sentences[-1])])


def contiguous(documents: Iterable[Document], length: int, vocabulary: NoiseVocabulary, frame: bool = False
               ) -> Iterator[dict]:
    """Examples of exactly `length` tokens: all documents, each closed by `end`, concatenated and split at any token.

    frame: every example starts with `begin` and ends with `end` (encoders); otherwise it is text only (GPT-2, T5).

    There is no padding; tokens at the end that do not fill an example are dropped, except if the whole corpus is
    shorter than one example, which results in one shorter example.
    """
    vocabulary.need(*(("begin", "end") if frame else ("end",)))
    body = length - 2 * frame
    if body < 1:
        raise ValueError(f"length is {length}; expected at least {1 + 2 * frame}, special tokens and one of text")
    parts, size, whole = [], 0, False
    for document in documents:
        parts.append(_closed(document, vocabulary.separator if frame else vocabulary.end))
        size += len(document) + 1
        if size >= body * _ROWS_AT_ONCE:
            rest = yield from _cut(parts, body, vocabulary, frame)
            size, whole = len(rest["input_ids"]), True
            parts = [rest] if size else []
    if size:
        rest = yield from _cut(parts, body, vocabulary, frame)
        if not whole and size < body:
            yield from _rows({name: array[None] for name, array in rest.items()}, vocabulary, frame)


def _cut(parts: list[dict], body: int, vocabulary: NoiseVocabulary, frame: bool):
    """Yields the full rows of the concatenated parts, and returns the remaining tokens."""
    offsets = np.cumsum([0, *(part["sentence_ids"][-1] + 1 for part in parts)])
    joined = _joined([{**part, "sentence_ids": part["sentence_ids"] + offset} for part, offset in zip(parts, offsets)])
    rows = len(joined["input_ids"]) // body
    yield from _rows({name: array[:rows * body].reshape(rows, body) for name, array in joined.items()}, vocabulary, frame)
    rest = {name: array[rows * body:] for name, array in joined.items()}
    return {**rest, "sentence_ids": rest["sentence_ids"] - rest["sentence_ids"][:1]}


def _rows(columns: dict[str, np.ndarray], vocabulary: NoiseVocabulary, frame: bool) -> Iterator[dict]:
    columns = {name: array.astype(np.int32) for name, array in columns.items()}
    columns["sentence_ids"] = columns["sentence_ids"] - columns["sentence_ids"][:, :1]
    if frame:
        special = {"input_ids": (vocabulary.begin, vocabulary.end), "word_starts": (1, 1)}
        columns = {name: np.pad(array, ((0, 0), (1, 1)), mode="edge") if name == "sentence_ids" else
                   np.pad(array, ((0, 0), (1, 1)), constant_values=((0, 0), special.get(name, (0, 0))))
                   for name, array in columns.items()}
    types = np.zeros_like(columns["input_ids"])
    for row in range(len(types)):
        example = {name: array[row] for name, array in columns.items()}
        yield {"input_ids": example.pop("input_ids"), "token_type_ids": types[row], **example}


def full_sentences(documents: Iterable[Document], length: int, vocabulary: NoiseVocabulary, cross: bool = True
                   ) -> Iterator[dict]:
    """Examples of at most `length` tokens: `begin`, as many whole sentences as fit, `end`.

    RoBERTa (Liu et al. 2019, section 4.2): FULL-SENTENCES, where an example continues in the next document after a
    `separator`; with cross=False DOC-SENTENCES. A sentence longer than an example is split. As some examples are short,
    they should be batched by length.
    """
    vocabulary.need("begin", "separator", "end")
    body = length - 2
    parts: list[dict[str, np.ndarray]] = []  # the columns of each part
    size = count = 0  # tokens of the example, sentences of all documents

    def example() -> dict:
        return next(_rows({name: array[None] for name, array in _joined(parts).items()}, vocabulary, frame=True))

    for document in documents:
        if size and cross and size + 1 + document.sentence_lengths[0] <= body:
            parts.append(_single(parts[0], vocabulary.separator, count - 1))
            size += 1
        elif size:
            yield example()
            parts, size = [], 0
        ends = np.cumsum(document.sentence_lengths)
        columns = _columns(document, _sentence_indices(document.sentence_lengths) + count)
        count, start = count + len(ends), 0
        while start < len(document):
            whole = int(np.searchsorted(ends, start + body - size, side="right"))
            end = max(int(ends[whole - 1]) if whole else 0, start)
            if end == start and size:  # the next sentence does not fit
                yield example()
                parts, size = [], 0
                continue
            end = end if end > start else start + body
            parts.append({name: array[start:end] for name, array in columns.items()})
            size, start = size + end - start, end
    if size:
        yield example()
