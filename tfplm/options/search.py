"""Options of `tfplm index` and `tfplm search`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, ResultOptions, flag
from tfplm.options.encode import EncoderOptions


@dataclasses.dataclass(kw_only=True)
class IndexOptions(Options, EncoderOptions):
    """Make texts searchable by meaning: write them and their vectors into a folder for `tfplm search`.

    A line of a text file is a text. A line of a .tsv file is a question, a tab and its answer, or has the columns named
    in the first line. A line of a .jsonl file is an object with a text, optionally an id, and any other fields, which
    are returned with a hit.

    If the folder has an index already, the texts are added to it. The id of a record is its "id", or FILE:LINE, so that
    indexing a changed file again updates its records. After a kill, run the same command again to resume.
    """

    RUN = "tfplm.embed.search.index_command:run"
    USAGE = "FILE... --init MODEL --output DIR"
    EXAMPLES = ("tfplm index faq.tsv --init model -o faq",
                "tfplm index titles.txt -o titles --encoder tcp://gpu:5555 --kind IndexIVFPQ --nlist 100 --m 8")
    EXPLAINED = ("file", "output", "overwrite", "init", "encoder", "format", "kind", "metric", "existing", "delete",
                 "text_field")
    ALIASES = {"nlist": "lists", "nprobe": "probes", "m": "code_bytes", "nbits": "code_bits"}  # Faiss' names

    file: list[str] = flag(factory=list, help="files, globs, folders, .gz, or - for standard input", positional=True)
    output: str = flag(help="folder of the index")
    overwrite: bool = flag(False, "make the index again, without the records that it has")
    init: str | None = flag(None, "the model: a folder (also of sentence-transformers, or a TF1 checkpoint) or a name on "
                                  "the Hugging Face hub (default: that of the existing index)")
    encoder: str | None = flag(None, "in place of a model: a running server (tfplm serve, or bert-as-service) that encodes "
                                     "the texts, tcp://HOST:5555, whose replies come from the next port, or as "
                                     "tcp://HOST:5555?port_out=5600 says")
    encoder_timeout: float = flag(600.0, "seconds that the server may take for a batch")
    format: Literal["auto", "text", "tsv", "jsonl"] = flag("auto", "format of the files; auto: by their names")
    text_field: str | None = flag(None, "field to encode (default: the first present one of question, query, text, "
                                        "sentence, title, content)")
    kind: str = flag(
        "auto", "kind of the vector index; auto: by size and memory; exact needs no package, the others "
                "pip install -e '.[search]': flat, ivf, ivf_pq, hnsw, lsh, sq, pq, ivf_sq, ivf_pqr; a class of Faiss, such "
                "as IndexIVFPQ; or a string of its index_factory, such as OPQ16,IVF1024,PQ16")
    metric: Literal["cosine", "inner_product", "l2"] = flag("cosine", "how vectors are compared")
    memory: int | None = flag(None, "maximum memory of the vectors in MiB (default: half of the machine's)")
    lists: int | None = flag(None, "ivf, ivf_sq, ivf_pq, ivf_pqr: number of cells, Faiss' nlist (default: 2 sqrt(N))")
    probes: int | None = flag(None, "the same: cells visited by a search, Faiss' nprobe; more find more but take longer "
                                    "(default: 1/32)")
    code_bytes: int | None = flag(None, "pq, ivf_pq, ivf_pqr: parts of a vector, Faiss' m, with 8 bits each its bytes "
                                        "(default: 1 for every 4 numbers)")
    code_bits: int = flag(8, "pq, ivf_pq: bits of a part, Faiss' nbits")
    refine_bytes: int | None = flag(None, "ivf_pqr: bytes of the second code (default: as many as of the first)")
    training_vectors: int | None = flag(None, "vectors from which cells and codes are learned (default: 64 for each cell)")
    links: int = flag(32, "hnsw: neighbours of a vector")
    search_effort: int = flag(96, "hnsw: vectors visited by a search; more find more but take longer")
    hash_bits: int | None = flag(None, "lsh: bits per vector (default: 4 for every number)")
    records: str | None = flag(None, "store the records in postgresql://USER@HOST/DATABASE or "
                                     "mysql://USER@HOST/DATABASE (default: SQLite in the folder)")
    table: str = flag("tfplm", "name of the tables in that database")
    milvus: str | None = flag(None, "store the vectors in a Milvus server, http://HOST:19530 (with its token in "
                                    "MILVUS_TOKEN), or in an embedded one, milvus.db in the folder")
    prompt: str | None = flag(None, "prefix of each text: a prompt's name in the model's folder, or the prompt itself")
    query_prompt: str | None = flag(None, "prefix of each query")
    existing: Literal["replace", "skip", "error"] = flag("replace", "treatment of existing ids")
    delete: list[str] = flag(factory=list, help="ids of records to delete")
    compact: bool = flag(False, "free the space of deleted records")
    rebuild: bool = flag(False, "rebuild the vector index with the kind given by --kind")
    batch: int = flag(1024, "maximum number of texts encoded and committed together")
    trust: bool = flag(False, "existing index: use the databases, servers, files and models that it names")
    encoding: str = flag("utf-8", "encoding of the files")


@dataclasses.dataclass(kw_only=True)
class SearchOptions(ResultOptions):
    """Find the texts nearest in meaning to a query, in an index made by `tfplm index`.

    QUERY is a text; or a file with one query per line, or - for standard input, for which the hits of each query are
    printed as a line of JSON. Without a query, queries are read interactively at a terminal.
    """

    RUN = "tfplm.embed.search.search_command:run"
    EXAMPLES = ('tfplm search faq "when do you open?" -k 3', "tfplm search faq queries.txt --json")
    UNUSED = ("seed",)
    ALIASES = {"nprobe": "probes"}

    folder: str = flag(help="folder of the index", positional=True)
    query: str | None = flag(None, "a text, a file of texts, or -", positional=True)
    k: int = flag(5, "number of hits per query", short="-k")
    min_score: float | None = flag(None, "drop hits with a lower score")
    recall: bool = flag(False, "instead of hits, report the recall and the speed of the index against exact search, "
                               "for the queries or for a sample of the texts")
    sample: int = flag(200, "--recall without queries: number of texts used as queries")
    probes: int | None = flag(None, "cells visited by this search, Faiss' nprobe (default: as the index was made)")
    search_effort: int | None = flag(None, "hnsw: vectors visited by this search (default: as the index was made)")
    init: str | None = flag(None, "folder of the model, if it has moved since the index was made")
    encoder: str | None = flag(None, "in place of the model: a running server, tcp://HOST:5555, that encodes the queries")
    encoder_timeout: float = flag(600.0, "seconds that the server may take for a batch")
    records: str | None = flag(None, "URL of the records' database, if it is not in the folder")
    milvus: str | None = flag(None, "URL of the Milvus server, or its file, if it is not in the folder")
    trust: bool = flag(False, "use the databases, servers, files and models that the folder names, wherever they are")
    encoding: str = flag("utf-8", "encoding of the file of queries")
