"""`tfplm search`: queries a search index."""

import contextlib
import dataclasses
import itertools
import sys
from collections.abc import Iterator

from tfplm.core.terminal.results import Results, as_json, check_output
from tfplm.data.text.text_files import is_file, read_lines
from tfplm.embed.remote.remote_encoder import RemoteEncoder
from tfplm.embed.search.index.recall import RecallReport
from tfplm.embed.search.search_index import Hit, SearchIndex
from tfplm.options.base import verb
from tfplm.options.search import SearchOptions

_CHUNK = 256  # the number of queries of a file searched together


@verb(SearchOptions)
def run(options: SearchOptions) -> list[Hit] | RecallReport | int:
    """Returns the hits of a query, a recall report, or the number of queries answered."""
    if options.k < 1:
        raise ValueError(f"k is {options.k}, expected 1 or more")
    if options.sample < 1:
        raise ValueError(f"sample is {options.sample}, expected 1 or more")
    check_output(options.output, options.overwrite)
    with contextlib.ExitStack() as opened:
        index = opened.enter_context(SearchIndex.open(options.folder, _encoder(options, opened), records=options.records,
                                                      milvus=options.milvus, trust=options.trust))
        if not len(index):
            raise ValueError(f"{options.folder} has no records: add some with `tfplm index FILE --output {options.folder}`")
        if options.probes is not None or options.search_effort is not None:
            index.tune(options.probes, options.search_effort)
        if options.recall:
            return _recall(index, options)
        if options.k > len(index) and not options.quiet:
            print(f"{options.k} hits requested, but there are only {len(index)} records", file=sys.stderr)
        name = _file_of(options)
        if name is not None:
            return _answer_file(index, name, options)
        if options.query is None:
            return _interactive(index, options)
        if not options.query.strip():
            raise ValueError("the query is empty; give some text")
        hits = index.search(options.query, options.k, options.min_score)
        with Results(options.json, options.output, overwrite=options.overwrite, as_text=_as_text) as results:
            results.show(_row(options.query, hits))
        return hits


def _encoder(options: SearchOptions, stack: contextlib.ExitStack) -> str | RemoteEncoder | None:
    if options.encoder is None:
        return options.init
    if options.init is not None:
        raise ValueError("--encoder and --init were given, expected one of them: leave the other out")
    return stack.enter_context(RemoteEncoder(options.encoder, options.encoder_timeout))


def _file_of(options: SearchOptions) -> str | None:
    """The file of queries; None for a query on the command line, or for input at a terminal."""
    if options.query is None:
        return None if sys.stdin.isatty() else "-"
    return options.query if options.query == "-" or is_file(options.query) else None


def _queries(name: str, options: SearchOptions) -> Iterator[str]:
    return (line for line in read_lines(name, options.encoding, longest=-1) if line.strip())


def _answer_file(index: SearchIndex, name: str, options: SearchOptions) -> int:
    queries, count = _queries(name, options), 0
    with Results(True, options.output, overwrite=options.overwrite) as results:  # JSON at a terminal, too
        while chunk := list(itertools.islice(queries, _CHUNK)):
            for query, hits in zip(chunk, index.search(chunk, options.k, options.min_score)):
                results.show(_row(query, hits))
            count += len(chunk)
    if not count:
        raise ValueError(f"{name}: no line of text; give a file of queries")
    return count


def _interactive(index: SearchIndex, options: SearchOptions) -> int:
    """Answers queries until the end of the input or an empty line."""
    count, results = 0, Results(options.json, as_text=_as_text)
    while True:
        try:
            query = input("? ").strip()
        except EOFError:
            print()
            return count
        if not query:
            return count
        hits = index.search(query, options.k, options.min_score)
        results.show(_row(query, hits))
        count += 1


def _recall(index: SearchIndex, options: SearchOptions) -> RecallReport:
    queries = None
    if options.query is not None:
        name = _file_of(options)
        queries = [query for query in (_queries(name, options) if name else [options.query]) if query.strip()]
        if not queries:
            raise ValueError(f"{name or 'the query'}: no line of text; a recall report needs queries, found none")
    found = index.recall(queries, options.k, options.sample)
    with Results(options.json, options.output, overwrite=options.overwrite, as_text=lambda row: str(found)) as results:
        results.show(dataclasses.asdict(found))
    return found


def _row(query: str, hits: list[Hit]) -> dict:
    return {"query": query, "hits": [dataclasses.asdict(hit) for hit in hits]}


def _as_text(row: dict) -> str:
    """For each hit a line with score and text, and indented lines with the answer and the rest of the payload."""
    lines = [] if row["hits"] else ["nothing found"]
    for hit in row["hits"]:
        lines.append(f"{hit['score']:.4f}  {hit['text']}")
        payload = dict(hit["payload"])
        lines += [f"        {payload.pop('answer')}"] if "answer" in payload else []
        lines += [f"        {as_json(payload)}"] if payload else []
    return "\n".join(lines)
