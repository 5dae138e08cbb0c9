"""Queries per second and recall@10 of each kind of index, compared with plain Faiss, and of a whole SearchIndex.

    python tests/benchmarks/search.py --vectors 100000 1000000 --dimension 64

"ours" and "faiss" search in the same kind of index with the same settings, all queries at once; "one" is the median
latency of single queries. Vectors form clusters, as those of sentences do; queries are near some of them.
"""

import argparse
import statistics
import tempfile
import time

import faiss
import numpy as np

from tfplm.embed.search.index.exact import ExactIndex
from tfplm.embed.search.index.faiss_kinds import KINDS, code_bytes_for, factory_string, hash_bits_for, lists_for
from tfplm.embed.search.index.kinds import make_index
from tfplm.embed.search.index.recall import recall_of
from tfplm.embed.search.index.vector_index import IndexSettings, unit_rows
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex

K = 10
SECONDS = 1.0  # minimum duration of a measurement


def made(count: int, queries: int, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """(vectors, queries) in clusters of different sizes; float32, of length 1."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((max(20, count // 500), dimension)).astype(np.float32)
    vectors = np.empty((count, dimension), np.float32)
    for start in range(0, count, 65536):
        size = min(65536, count - start)
        noise = rng.standard_normal((size, dimension)).astype(np.float32)
        vectors[start:start + size] = centres[rng.integers(0, len(centres), size)] + 0.6 * noise
    near = vectors[rng.integers(0, count, queries)]
    return unit_rows(vectors), unit_rows(near + 0.3 * rng.standard_normal(near.shape).astype(np.float32))


def rate(search, queries: np.ndarray) -> float:
    """Queries per second, all at once."""
    search(queries[:2])
    start, count = time.perf_counter(), 0
    while (seconds := time.perf_counter() - start) < SECONDS:
        search(queries)
        count += len(queries)
    return count / seconds


def latency(search, queries: np.ndarray) -> float:
    """Milliseconds per query, the median of single queries."""
    times = []
    for index in range(min(100, len(queries))):
        start = time.perf_counter()
        search(queries[index:index + 1])
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def plain(kind: str, dimension: int, count: int, settings: IndexSettings):
    """The same kind of index in plain Faiss, with the row numbers as ids: (index, search parameters)."""
    metric = faiss.METRIC_INNER_PRODUCT
    if kind == "flat":
        return faiss.IndexFlatIP(dimension), None
    if kind == "sq":
        return faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_8bit, metric), None
    if kind == "lsh":
        return faiss.IndexLSH(dimension, hash_bits_for(dimension), True, True), None
    if kind == "hnsw":
        index = faiss.IndexHNSWFlat(dimension, settings.links, metric)
        index.hnsw.efConstruction = settings.build_effort
        return index, faiss.SearchParametersHNSW(efSearch=settings.search_effort)
    lists = lists_for(count)
    parameters = faiss.SearchParametersIVF(nprobe=max(8, lists // 32))
    cells = faiss.IndexFlatIP(dimension)
    if kind == "ivf":
        return faiss.IndexIVFFlat(cells, dimension, lists, metric), parameters
    if kind != "ivf_pq":
        metric = faiss.METRIC_L2 if kind == "ivf_pqr" else metric
        return faiss.index_factory(dimension, factory_string(kind, dimension, settings, lists), metric), (
            None if kind == "pq" else parameters)
    return faiss.IndexIVFPQ(cells, dimension, lists, code_bytes_for(dimension), 8, metric), parameters


def index_rows(vectors: np.ndarray, queries: np.ndarray, kinds: list[str]) -> None:
    count, dimension = vectors.shape
    exact, ids = ExactIndex(dimension), np.arange(count)
    exact.add(ids, vectors)
    _, expected = exact.search(queries, K)
    print(f"{'numpy exact':12s} {'':9s} {'1.0000':>8s} {'':8s} {rate(lambda q: exact.search(q, K), queries):10.0f} "
          f"{'':10s} {'':6s} {latency(lambda q: exact.search(q, K), queries):8.2f} {'':8s} {exact.memory / 2**20:8.0f}")
    for kind in kinds:
        settings = IndexSettings()
        start = time.perf_counter()
        ours = make_index(kind, dimension, settings)
        if not ours.trained:
            sample = np.random.default_rng(0).permutation(count)[:ours.sample_size(count)]
            ours.train(vectors[sample], count)
        ours.add(ids, vectors)
        seconds = time.perf_counter() - start
        theirs, parameters = plain(kind, dimension, count, settings)
        if not theirs.is_trained:
            theirs.train(vectors[sample])
        theirs.add(vectors)
        found, their_found = ours.search(queries, K)[1], theirs.search(queries, K, params=parameters)[1]
        mine, other = (lambda q: ours.search(q, K)), (lambda q: theirs.search(q, K, params=parameters))  # noqa: B023
        rates = rate(mine, queries), rate(other, queries)
        print(f"{kind:12s} {seconds:8.1f}s {recall_of(found, expected).mean():8.4f} "
              f"{recall_of(their_found, expected).mean():8.4f} {rates[0]:10.0f} {rates[1]:10.0f} "
              f"{rates[0] / rates[1]:6.2f} {latency(mine, queries):8.2f} {latency(other, queries):8.2f} "
              f"{ours.memory / 2**20:8.0f}", flush=True)


class Lookup:
    """An encoder that looks up vectors: a text is the index of its vector."""

    def __init__(self, vectors: np.ndarray):
        self.vectors = vectors

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.stack([self.vectors[int(text) if text.isdigit() else 0] for text in texts])


def whole_row(vectors: np.ndarray, queries: np.ndarray, kind: str) -> None:
    """A SearchIndex: records, the vector index built from them, hits with texts and payloads."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with SearchIndex.create(f"{folder}/i", Lookup(vectors), SearchSettings(kind)) as index:
            index.add((str(row), str(row), {"answer": "x"}) for row in range(len(vectors)))
            added = time.perf_counter()
            kind = index.kind
            built = time.perf_counter()
        start_open = time.perf_counter()
        with SearchIndex.open(f"{folder}/i", Lookup(vectors)) as index:
            index.search_vectors(queries[:1], K)
            opened = time.perf_counter()
            recall = index.recall(k=K, sample=100).recall
            many = rate(lambda q: index.search_vectors(q, K), queries)
            one = latency(lambda q: index.search_vectors(q, K), queries)
    print(f"{kind:12s} {len(vectors) / (added - start):10.0f} {built - added:9.1f}s {opened - start_open:9.1f}s "
          f"{recall:8.4f} {many:10.0f} {one:8.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vectors", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dimension", type=int, default=64)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=KINDS)
    parser.add_argument("--whole", nargs="*", default=["flat", "ivf", "ivf_pq"], help="kinds of a whole SearchIndex")
    parser.add_argument("--threads", type=int, help="number of threads of Faiss (default: the number of cores)")
    options = parser.parse_args()
    if options.threads:
        faiss.omp_set_num_threads(options.threads)
    for count in options.vectors:
        vectors, queries = made(count, options.queries, options.dimension)
        print(f"\n{count:,} vectors of {options.dimension}, {options.queries} queries, k = {K}; build in seconds, "
              f"recall@{K} (ours, Faiss), queries/s (ours, Faiss, ratio), ms of one query (ours, Faiss), MiB")
        index_rows(vectors, queries, options.kinds)
        print("\nSearchIndex: rows/s added, seconds to build, to open and search; recall, queries/s, ms of one query")
        for kind in options.whole:
            whole_row(vectors, queries, kind)


if __name__ == "__main__":
    main()
