"""Choice and creation of vector indexes."""

import importlib.util
import os
from pathlib import Path
from typing import NamedTuple

from tfplm.embed.search.index.exact import ExactIndex
from tfplm.embed.search.index.faiss import FaissIndex
from tfplm.embed.search.index.faiss_kinds import (
    KINDS,
    TRAINABLE,
    bytes_per_vector,
    check_known,
    fewest_vectors,
    resolve,
)
from tfplm.embed.search.index.vector_index import IndexSettings, VectorIndex

FEW = 50_000  # up to this many vectors, comparing all of them takes milliseconds
GRAPH = 1_000_000  # up to this many vectors, building a graph takes minutes


class Choice(NamedTuple):
    """A kind, and a sentence that explains it."""

    kind: str
    reason: str


def has_faiss() -> bool:
    return importlib.util.find_spec("faiss") is not None


def usable_memory() -> int:
    """The default memory limit of an index in bytes: half of the machine's memory, 2 GiB if that is unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 2 << 30


def choose_kind(kind: str, count: int, dimension: int, settings: IndexSettings | None = None,
                memory: int | None = None) -> Choice:
    """Chooses a kind for `count` vectors of `dimension` numbers in `memory` bytes (default: half of the machine's).

    "auto" chooses exact search as long as it is fast, then the first that fits into memory of a graph (hnsw), cells
    (ivf) and codes in cells (ivf_pq). Any other kind is kept, unless there are too few vectors to train it: then all
    vectors are compared (flat) until there are enough.
    """
    kind, settings = resolve(kind, settings or IndexSettings())
    memory = usable_memory() if memory is None else memory
    check_known(kind, ("auto", "exact"))
    if kind not in ("auto", "exact") and count < (needed := fewest_vectors(kind, settings)):
        return Choice("flat", f"{count:,} vectors are too few to train {kind}, which needs {needed:,}")
    if kind != "auto":
        return Choice(kind, f"{kind} was requested")
    if not has_faiss():
        return Choice("exact", "Faiss is not installed (pip install -e '.[search]'), so all vectors are compared in "
                               "NumPy")
    needs = {kind: count * bytes_per_vector(kind, dimension, settings) for kind in KINDS}
    if count <= FEW and needs["flat"] <= memory:
        return Choice("flat", f"comparing all {count:,} vectors is fast, and exact")
    budget = f"the memory limit of {_size(memory)}"
    if count <= GRAPH and needs["hnsw"] <= memory:
        return Choice("hnsw", f"a graph over {count:,} vectors takes {_size(needs['hnsw'])} of {budget}, and is the "
                              "fastest")
    if needs["ivf"] <= memory:
        why = "would take long to build" if needs["hnsw"] <= memory else f"would take {_size(needs['hnsw'])}"
        return Choice("ivf", f"whole vectors in cells take {_size(needs['ivf'])} of {budget}; a graph {why}")
    if count < TRAINABLE:
        return Choice("sq", f"whole vectors would take {_size(needs['flat'])} of {budget}; with 8 bits per number they "
                            f"take {_size(needs['sq'])}")
    return Choice("ivf_pq", f"whole vectors would take {_size(needs['ivf'])}, more than {budget}; codes take "
                            f"{_size(needs['ivf_pq'])}")


def make_index(kind: str, dimension: int, settings: IndexSettings | None = None) -> VectorIndex:
    """Creates an empty index of a kind in this process (for a server, see `MilvusIndex`)."""
    return ExactIndex(dimension, settings) if kind == "exact" else FaissIndex(kind, dimension, settings)


def check_kind(kind: str, dimension: int, settings: IndexSettings) -> None:
    """Raises ImportError or ValueError for a kind that cannot be made here of vectors with so many numbers."""
    if kind not in ("auto", "exact"):
        make_index(kind, dimension, settings)


def load_index(folder: str | os.PathLike) -> VectorIndex:
    """Loads an index written by `VectorIndex.save`. Raises ValueError if it cannot be read."""
    if Path(folder, "vectors.npy").exists():
        return ExactIndex.load(folder)
    if Path(folder, "milvus.json").exists():
        from tfplm.embed.search.index.milvus_index import MilvusIndex
        return MilvusIndex.load(folder)
    return FaissIndex.load(folder)


def _size(count: int) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
