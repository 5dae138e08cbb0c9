"""Corpora: documents (lists of sentences), streamed from files, data sets or standard input."""

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Literal

from tfplm.data.text.sentences import split_sentences
from tfplm.data.text.text_files import find_files, read_lines

Layout = Literal["auto", "sentences", "paragraphs", "wrapped", "documents"]
LONGEST_DOCUMENT = 32_768  # characters; a longer document is split
_SAMPLE = 400  # the number of lines from which the layout is guessed
_ENDS = tuple(".!?。！？；…\"'”’」』）):：")


def guess_layout(lines: list[str]) -> Layout:
    """Guesses `sentences`, `paragraphs` or `wrapped` from the first lines of a file."""
    full = [line.strip() for line in lines if line.strip()]
    if not full:
        return "paragraphs"
    ended = sum(line.endswith(_ENDS) for line in full) / len(full)
    longest = max(map(len, full))
    blanks = len(full) < len(lines)
    wide = sum(len(line) > 0.6 * longest for line in full) / len(full)
    if blanks and longest <= 100 and wide > 0.5 and ended < 0.6:
        return "wrapped"
    single = sum(len(split_sentences(line)) <= 1 for line in full) / len(full)
    return "sentences" if blanks and single > 0.8 and ended > 0.5 else "paragraphs"


def _cut(sentences: Iterable[str | None]) -> Iterator[list[str]]:
    """Groups sentences into documents; a document ends at None or at `LONGEST_DOCUMENT` characters."""
    document: list[str] = []
    size = 0
    for sentence in itertools.chain(sentences, [None]):
        if document and (sentence is None or size + len(sentence) > LONGEST_DOCUMENT):
            yield document
            document, size = [], 0
        if sentence:
            document.append(sentence)
            size += len(sentence)


def _unwrapped(lines: Iterable[str]) -> Iterator[str]:
    """Paragraphs of hard-wrapped text: the lines between two blank lines, joined (in Chinese without a space)."""
    block = []
    for line in itertools.chain(lines, [""]):
        if line.strip():
            block.append(line.strip())
            if len(block) < 1000:
                continue
        if block:
            yield "".join(line if line[-1] > "\u2e80" else line + " " for line in block)
            block = []


def documents_of_lines(lines: Iterable[str], layout: Layout = "auto") -> Iterator[list[str]]:
    """Splits lines of text into documents, each a list of sentences.

    - `sentences`: one sentence per line, a blank line between documents (the layout of BERT's repository);
    - `paragraphs`: one paragraph per line, split into sentences, a blank line between documents;
    - `wrapped`: lines of about equal length, a blank line between paragraphs, all of it one document;
    - `documents`: one document per line;
    - `auto`: one of the first three, guessed from the first lines.
    """
    lines = iter(lines)
    if layout == "auto":
        head = list(itertools.islice(lines, _SAMPLE))
        layout = guess_layout(head)
        lines = itertools.chain(head, lines)
    sentences: Iterator[str | None]
    if layout == "sentences":
        sentences = (piece for line in lines for piece in _one_sentence(line))
    elif layout == "wrapped":
        sentences = (sentence for block in _unwrapped(lines) for sentence in split_sentences(block))
    elif layout == "documents":
        sentences = (sentence for line in lines for sentence in (None, *split_sentences(line)))
    elif layout == "paragraphs":
        sentences = (sentence for line in lines for sentence in ((*split_sentences(line),) or (None,)))
    else:
        raise ValueError(f"layout {layout!r}: expected auto, sentences, paragraphs, wrapped or documents")
    return _cut(sentences)


def _one_sentence(line: str) -> list[str | None]:
    line = line.strip()
    return [None] if not line else [line] if len(line) <= 1000 else [*split_sentences(line)]


def _json_documents(name: str, encoding: str, field: str) -> Iterator[list[str]]:
    for number, line in enumerate(read_lines(name, encoding, longest=-1), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{name}, line {number}: not JSON ({error}); expected one JSON object per line") from None
        if not isinstance(row, dict) or not isinstance(row.get(field), str):
            found = f"fields {', '.join(map(repr, row))}" if isinstance(row, dict) else type(row).__name__
            raise ValueError(f"{name}, line {number}: no text in field {field!r}, found {found}; give --field NAME")
        yield from _text_document(row[field])


def _text_document(text: str) -> Iterator[list[str]]:
    """Turns a text into one document; blank lines do not split it."""
    return _cut(sentence for line in text.splitlines() for sentence in split_sentences(line))


def _documents_of(source: str, layout: Layout, encoding: str, field: str | None) -> Iterator[list[str]]:
    if source.startswith("builtin:"):
        from tfplm.data.text.builtin_corpus import builtin_documents
        yield from builtin_documents(source.removeprefix("builtin:"))
    elif source.startswith("tfds:"):
        from tfplm.data.text.dataset_corpus import dataset_texts
        for text in dataset_texts(source.removeprefix("tfds:"), field):
            yield from _text_document(text)
    else:
        for name in ["-"] if source == "-" else find_files(source):
            if field or name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson", ".json")):
                yield from _json_documents(name, encoding, field or "text")
            else:
                yield from documents_of_lines(read_lines(name, encoding), layout)


def read_documents(sources: str | list[str], layout: Layout = "auto", encoding: str = "utf-8",
                   field: str | None = None) -> Iterator[list[str]]:
    """Streams the documents of a corpus, each a list of sentences, in bounded memory.

    Args:
        sources: paths, globs, folders, `.gz` files, `-` (standard input), `tfds:NAME[:SPLIT]`, `builtin:python`.
        layout: see `documents_of_lines`; guessed for each file by default.
        encoding: the encoding of the files.
        field: the field that holds the text, which makes the files JSON lines (default for `.jsonl` files: `text`).

    A document longer than `LONGEST_DOCUMENT` characters is split into several. Raises FileNotFoundError for a wrong
    path (with the nearest names), ValueError for binary files, another encoding, or a corpus without text.
    """
    sources = [sources] if isinstance(sources, str) else list(sources)
    if not sources:
        raise ValueError("no corpus was given: name files, folders, globs, -, tfds:NAME or builtin:python")
    for source in sources:  # report wrong paths before spending hours on the right ones
        if source != "-" and not source.startswith(("tfds:", "builtin:")):
            find_files(source)
    return _not_empty((document for source in sources for document in _documents_of(source, layout, encoding, field)),
                      ", ".join(sources))


def _not_empty(documents: Iterator[list[str]], name: str) -> Iterator[list[str]]:
    empty = True
    for document in documents:
        empty = False
        yield document
    if empty:
        raise ValueError(f"{name}: the corpus is empty; expected some text: name other files")
