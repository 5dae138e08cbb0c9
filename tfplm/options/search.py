"""Options of `tfplm index` and `tfplm search`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag
from tfplm.options.encode import EncoderOptions


@dataclasses.dataclass(kw_only=True)
class IndexOptions(Options, EncoderOptions):
    """Make texts searchable by meaning: their vectors and themselves go into a folder that `tfplm search` asks.

    A line of a text file is a text. A line of a .tsv file is a question, a tab and its answer, or what its first line
    names. A line of a .jsonl file is an object: a text, perhaps an id, and whatever else a hit shall bring along.

    Into a folder that has an index already, texts are added. A record's id is its "id", or FILE:LINE: a changed file
    given again changes what has changed. A killed run that is started again goes on where it was.
    """

    RUN = "tfplm.embed.search.index_command:run"

    file: list[str] = flag(factory=list, help="files, globs, folders, .gz, or - for standard input", positional=True)
    output: str = flag(help="folder of the index", short="-o")
    init: str | None = flag(None, "the model: a folder (also of sentence-transformers, or a TF1 checkpoint) or a name on "
                                  "the Hugging Face hub; an index that is there knows its own")
    format: Literal["auto", "text", "tsv", "jsonl"] = flag("auto", "of the files (default: by their names)")
    text_field: str | None = flag(None, "what is encoded, of a line with named fields (default: the first that is there of "
                                        "question, query, text, sentence, title, content)")
    kind: Literal["auto", "exact", "flat", "ivf", "ivf_pq", "hnsw", "lsh", "sq"] = flag(
        "auto", "of the vector index; auto: by size and memory; exact needs nothing installed, the others "
                "pip install 'tfplm[search]'")
    metric: Literal["cosine", "inner_product", "l2"] = flag("cosine", "how vectors are compared")
    memory: int | None = flag(None, "MiB that the vectors may take in memory (default: half of the machine's)")
    lists: int | None = flag(None, "cells of ivf and ivf_pq (default: 2 sqrt(N))")
    probes: int | None = flag(None, "cells that a search looks into: more find more, and take longer (default: 1/32)")
    code_bytes: int | None = flag(None, "bytes of a vector in ivf_pq (default: 1 for each 4 numbers)")
    links: int = flag(32, "neighbours of a vector in hnsw")
    search_effort: int = flag(96, "vectors that a search in hnsw follows: more find more, and take longer")
    hash_bits: int | None = flag(None, "bits of a vector in lsh (default: 4 for each number)")
    records: str | None = flag(None, "keep the records at postgresql://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE "
                                     "(default: SQLite, in the folder)")
    table: str = flag("tfplm", "what the tables in that database are called")
    milvus: str | None = flag(None, "keep the vectors at a Milvus server, http://HOST:19530 (its token in MILVUS_TOKEN), "
                                    "or in an embedded one, milvus.db in the folder")
    prompt: str | None = flag(None, "written before each text: a prompt's name in the model's folder, or the prompt itself")
    query_prompt: str | None = flag(None, "written before each query")
    existing: Literal["replace", "skip", "error"] = flag("replace", "what is done about ids that are there already")
    delete: list[str] = flag(factory=list, help="ids of records to take out")
    compact: bool = flag(False, "give back the room of deleted records")
    rebuild: bool = flag(False, "make the vector index anew, of the kind that --kind says")
    batch: int = flag(1024, "texts that are encoded and committed together, at most")
    encoding: str = flag("utf-8", "of the files")


@dataclasses.dataclass(kw_only=True)
class SearchOptions(Options):
    """Find the texts that are nearest to a query in meaning, in an index made by `tfplm index`.

    QUERY is a text, or the name of a file with a query a line, or - for standard input: then each query's hits are a
    line of JSON. Without a query, at a terminal, queries are asked for.
    """

    RUN = "tfplm.embed.search.search_command:run"

    folder: str = flag(help="folder of the index", positional=True)
    query: str | None = flag(None, "a text, a file of texts, or -", positional=True)
    k: int = flag(5, "hits of a query", short="-k")
    min_score: float | None = flag(None, "only hits with at least that score")
    json: bool = flag(False, "a line of JSON for each query")
    recall: bool = flag(False, "in place of hits: how much of exact search the index finds, for the queries or for a "
                               "sample of the texts, and how fast")
    sample: int = flag(200, "texts of the index that --recall asks for where there are no queries")
    init: str | None = flag(None, "the model's folder, where it has moved since the index was made")
    records: str | None = flag(None, "URL of the records' database, where it has changed or needs a password")
    encoding: str = flag("utf-8", "of the file of queries")
