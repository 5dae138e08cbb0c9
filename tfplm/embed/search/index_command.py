"""`tfplm index`: files of texts into a search index."""

import itertools
from pathlib import Path

from tqdm.auto import tqdm

from tfplm.data.text_files import find_files
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex
from tfplm.embed.search.sources import Source
from tfplm.embed.search.vector_index import IndexSettings
from tfplm.options.base import verb
from tfplm.options.search import IndexOptions


def index_file(index: SearchIndex, source: Source, existing: str = "replace", batch: int = 1024, show_progress=None) -> int:
    """Adds the rows of a file, a transaction a batch; goes on where an earlier call for the same file was stopped.

    Returns how many rows were read.
    """
    key = source.key
    begin = index.progress(key) if key else 0
    rows, count = source.rows(begin), 0
    with tqdm(desc=Path(source.name).name, unit="text", unit_scale=True, dynamic_ncols=True,
              disable=None if show_progress is None else not show_progress) as bar:
        while numbered := list(itertools.islice(rows, batch)):
            index.add_batch([row for _, row in numbered], existing, (key, numbered[-1][0]) if key else None)
            count += len(numbered)
            bar.update(len(numbered))
    return count


@verb(IndexOptions)
def run(options: IndexOptions) -> int:
    """The verb. Returns the number of records in the index."""
    files = [file for name in options.file for file in ([name] if name == "-" else find_files(name))]
    if not (files or options.delete or options.compact or options.rebuild):
        raise ValueError("nothing to do: give files of texts, or --delete, --compact, --rebuild")
    if options.batch < 1:
        raise ValueError(f"batch is {options.batch}, expected 1 or more")
    with _opened(options) as index:
        index.show_progress = not options.quiet
        if files:
            read = sum(index_file(index, Source(file, options.format, options.text_field, options.encoding),
                                  options.existing, options.batch, False if options.quiet else None) for file in files)
            if not len(index):
                raise ValueError(f"{', '.join(files)}: no line of text")
            _say(options, f"{read:,} texts read" if read else "nothing new: these files are in the index already")
        if options.delete:
            _say(options, f"{index.delete(options.delete):,} of {len(options.delete):,} records deleted")
        if options.rebuild:
            index.rebuild(options.kind)
        if options.compact:
            index.compact()
        _say(options, f"{options.output}: {len(index):,} records; index {index.kind}: {index.reason}")
        return len(index)


def _opened(options: IndexOptions) -> SearchIndex:
    encoder = None
    if options.init is not None:
        from tfplm.embed.encode_file import open_encoder
        encoder = open_encoder(options)
    if Path(options.output, "manifest.json").is_file():
        return SearchIndex.open(options.output, encoder, writable=True, records=options.records)
    if encoder is None:
        raise ValueError(f"{options.output} is a new index: say which model makes its vectors, by --init")
    settings = IndexSettings(options.metric, options.lists, options.probes, options.code_bytes, options.links,
                             search_effort=options.search_effort, hash_bits=options.hash_bits, seed=options.seed)
    return SearchIndex.create(options.output, encoder, SearchSettings(
        options.kind, settings, options.records, options.table, options.milvus,
        None if options.memory is None else options.memory << 20, options.prompt, options.query_prompt))


def _say(options: IndexOptions, sentence: str) -> None:
    if not options.quiet:
        print(sentence)
