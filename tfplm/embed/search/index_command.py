"""`tfplm index`: adds files of texts to a search index."""

import contextlib
import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

from tqdm.auto import tqdm

from tfplm.core.outputs import known_files, remove_parts
from tfplm.data.text.text_files import find_files
from tfplm.embed.remote.remote_encoder import RemoteEncoder
from tfplm.embed.search.index.kinds import check_kind
from tfplm.embed.search.index.vector_index import IndexSettings
from tfplm.embed.search.manifest import FILE, WHITENING, SearchSettings
from tfplm.embed.search.records.row import Row
from tfplm.embed.search.records.sources import Source
from tfplm.embed.search.search_index import SearchIndex
from tfplm.embed.search.store import writer_lock
from tfplm.options.base import verb
from tfplm.options.encode import EncoderOptions
from tfplm.options.search import IndexOptions

log = logging.getLogger(__name__)
_CHARACTERS = 1 << 17  # of the texts in a batch: some seconds of work


def index_file(index: SearchIndex, source: Source, existing: str = "replace", batch: int = 1024, show_progress=None) -> int:
    """Adds the rows of a file, one transaction per batch; resumes an interrupted call for the same file.

    batch: the number of rows in a batch; fewer if they are long, so that an interruption loses little work.

    Returns the number of rows read.
    """
    key = source.key
    start = index.progress(key) if key else 0
    count = 0
    with tqdm(desc=Path(source.name).name, unit="text", unit_scale=True, dynamic_ncols=True,
              disable=None if show_progress is None else not show_progress) as bar:
        for numbered in _batches(source.rows(start), batch):
            index.add_batch([row for _, row in numbered], existing, (key, numbered[-1][0]) if key else None)
            count += len(numbered)
            bar.update(len(numbered))
    return count


def _batches(rows: Iterator[tuple[int, Row]], batch: int) -> Iterator[list[tuple[int, Row]]]:
    numbered, characters = [], 0
    for number, row in rows:
        numbered.append((number, row))
        characters += len(row.text)
        if len(numbered) == batch or characters >= _CHARACTERS:
            yield numbered
            numbered, characters = [], 0
    if numbered:
        yield numbered


@verb(IndexOptions)
def run(options: IndexOptions) -> int:
    """Adds, deletes or rebuilds as requested, and returns the number of records in the index."""
    files = [file for name in options.file for file in ([name] if name == "-" else find_files(name))]
    if not (files or options.delete or options.compact or options.rebuild):
        raise ValueError("nothing to do: give files of texts, or --delete, --compact, --rebuild")
    if options.batch < 1:
        raise ValueError(f"batch is {options.batch}, expected 1 or more")
    sources = [Source(file, options.format, options.text_field, options.encoding) for file in files]
    if sources and not any(source.name == "-" or next(source.rows(), None) for source in sources):
        raise ValueError(f"{', '.join(files)}: no line of text; give a file with texts")  # before loading the model
    with contextlib.ExitStack() as opened:
        index = opened.enter_context(_opened(options, opened))
        index.show_progress = not options.quiet
        if sources:
            _read(index, sources, options)
        if options.delete:
            _print(options, f"{index.delete(options.delete):,} of {len(options.delete):,} records deleted")
        if options.rebuild:
            index.rebuild(options.kind)
        if options.compact:
            index.compact()
        _print(options, f"{options.output}: {len(index):,} records; index {index.kind}: {index.reason}")
        return len(index)


def _read(index: SearchIndex, sources: list[Source], options: IndexOptions) -> None:
    try:
        read = sum(index_file(index, source, options.existing, options.batch, False if options.quiet else None)
                   for source in sources)
    except (KeyboardInterrupt, ConnectionError, TimeoutError):  # of a server that encodes
        _print(options, f"{options.output} has {len(index):,} records; run the same command again"
                        f"{', without --overwrite,' if options.overwrite else ''} to resume")
        raise
    if not len(index):
        raise ValueError(f"{', '.join(source.name for source in sources)}: no line of text; give a file with texts")
    _print(options, f"{read:,} texts read" if read else "nothing new: these files are in the index already")


def _opened(options: IndexOptions, stack: contextlib.ExitStack) -> SearchIndex:
    """The index; a connection to a server is closed with the stack."""
    folder, encoder = Path(options.output), None
    known_files(folder, (FILE, "writer.lock"))
    if options.encoder is not None:
        encoder = stack.enter_context(_remote(options))
    elif options.init is not None:
        from tfplm.embed.commands.encode_file import open_encoder
        encoder = open_encoder(options)
    if (folder / FILE).is_file() and not options.overwrite:
        return SearchIndex.open(options.output, encoder, writable=True, records=options.records,
                                milvus=options.milvus, trust=options.trust)
    if encoder is None:
        raise ValueError("--overwrite was given without a model; expected the one that encodes the texts of the new "
                         "index: add --init, or --encoder" if options.overwrite else
                         f"{options.output} is a new index: give the model that encodes its texts with --init, or a server "
                         "that does with --encoder")
    settings = _settings(options)
    if settings.milvus is None:
        check_kind(settings.kind, encoder.dimension, settings.index)  # before an older index is removed
    if options.overwrite:
        _remove(folder)
    return SearchIndex.create(options.output, encoder, settings)


def _settings(options: IndexOptions) -> SearchSettings:
    index = IndexSettings(options.metric, options.lists, options.probes, options.code_bytes, options.links,
                          search_effort=options.search_effort, hash_bits=options.hash_bits, seed=options.seed,
                          code_bits=options.code_bits, refine_bytes=options.refine_bytes,
                          training_vectors=options.training_vectors)
    return SearchSettings(options.kind, index, options.records, options.table, options.milvus,
                          None if options.memory is None else options.memory << 20, options.prompt, options.query_prompt)


def _remote(options: IndexOptions) -> RemoteEncoder:
    """The server's encoder. Raises ValueError for flags of the model, which are the server's own."""
    given = [field.name for field in dataclasses.fields(EncoderOptions)
             if getattr(options, field.name) not in (None, field.default, [])]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise ValueError(f"--encoder was given with {flags}, but the model, its pooling and its lengths are the server's: "
                         f"leave {flags} out, or --encoder")
    encoder = RemoteEncoder(options.encoder, options.encoder_timeout)
    if options.file and encoder.max_length is not None:
        log.warning("%s encodes only the first %s tokens of a text: start it with --max-seq-len NONE for whole texts",
                    encoder.address, encoder.max_length)
    return encoder


def _remove(folder: Path) -> None:
    """Removes the files of an index, but not records in a database elsewhere."""
    if (folder / FILE).is_file():
        lock = writer_lock(folder)
        remove_parts(folder, (FILE, WHITENING, "records.sqlite*", "vectors-*", "milvus.db*"))
        lock.release()


def _print(options: IndexOptions, sentence: str) -> None:
    if not options.quiet:
        print(sentence)
