"""Indexes of Faiss from the strings of its `index_factory`, and what can be told of one."""

import re

import numpy as np

from tfplm.embed.search.index.vector_index import IndexSettings

_SEED = 1234  # Faiss' own seed of k-means, to which that of the settings is added


def faiss_module():
    """Imports the `faiss` package. Raises ImportError, with the install command, if it is missing."""
    try:
        import faiss
    except ImportError as error:
        raise ImportError("this kind of index needs Faiss: pip install -e '.[search]', or use kind 'exact'") from error
    return faiss


def empty_index(string: str, dimension: int, settings: IndexSettings):
    """An index of vectors `[N,dimension]` to which vectors are added with ids.

    Raises ValueError for a string of which Faiss makes no index, and for a metric that the index does not have.
    """
    faiss = faiss_module()
    try:
        index = _made(string, dimension, faiss.METRIC_L2 if settings.metric == "l2" else faiss.METRIC_INNER_PRODUCT)
    except ValueError:
        if settings.metric == "l2":
            raise
        # some know distances alone, whose order is that of cosines for vectors of length 1; signs have no length anyway
        index = _made(string, dimension, faiss.METRIC_L2)
        if settings.metric == "inner_product" and not isinstance(core_of(index), faiss.IndexLSH):
            raise ValueError(f"the metric is inner_product, but Faiss compares what {string} keeps by distance alone: "
                             "choose the metric l2 or cosine, or another kind") from None
    if not (is_mapped(index) or _keeps_ids(index)):
        index = faiss.IndexIDMap2(index)
    _set_learning(index, settings)
    return index


def core_of(index):
    """The index that keeps the vectors, without those that map ids, rotate vectors or refine scores."""
    faiss = faiss_module()
    index = faiss.downcast_index(index)
    while isinstance(index, faiss.IndexIDMap | faiss.IndexPreTransform | faiss.IndexRefine):
        index = faiss.downcast_index(index.base_index if isinstance(index, faiss.IndexRefine) else index.index)
    return index


def is_mapped(index) -> bool:
    """Returns True if ids are kept in a table beside the vectors."""
    return isinstance(index, faiss_module().IndexIDMap)


def keeps_vectors(index) -> bool:
    """Returns True if whole vectors are compared, in all or in some cells: not a refinement (RFlat), which takes too few."""
    faiss = faiss_module()
    below = faiss.downcast_index(index.index) if is_mapped(index) else index
    return isinstance(below, faiss.IndexFlat | faiss.IndexIVFFlat | faiss.IndexHNSWFlat)


def removes(index) -> bool:
    """Returns True if vectors can be removed. Cells below a table of ids would lose their places in it."""
    if is_mapped(index) and isinstance(core_of(index), faiss_module().IndexIVF):
        return False
    try:
        index.remove_ids(np.zeros(0, np.int64))
    except RuntimeError:
        return False
    return True


def reason(error: RuntimeError) -> str:
    """What Faiss says, without the place in its source."""
    said = re.sub(r"^Error in .* at \S+:\d+: (Error: )?", "", str(error).strip().split("\n")[0])
    return said[:200] or "without a reason"


def _made(string: str, dimension: int, metric: int):
    try:
        return faiss_module().index_factory(dimension, string, metric)
    except RuntimeError as error:
        raise ValueError(f"kind is {string!r}, of which Faiss makes no index for vectors of {dimension} numbers "
                         f"({reason(error)}): choose another string of its index_factory, such as 'IVF100,PQ8' with a PQ "
                         "that divides them, or a named kind, which pads them") from error


def _keeps_ids(index) -> bool:
    """Returns True for cells, which keep the ids of their vectors."""
    faiss = faiss_module()
    index = faiss.downcast_index(index)
    while isinstance(index, faiss.IndexPreTransform):
        index = faiss.downcast_index(index.index)
    return isinstance(index, faiss.IndexIVF) and not isinstance(index, faiss.IndexIVFPQR)


def _set_learning(index, settings: IndexSettings) -> None:
    faiss, core = faiss_module(), core_of(index)
    learners = [getattr(core, name).cp for name in ("pq", "refine_pq") if hasattr(core, name)]
    if isinstance(core, faiss.IndexIVF):
        learners.append(core.cp)
        core.cp.spherical = settings.metric == "cosine" and core.metric_type == faiss.METRIC_INNER_PRODUCT
    for learner in learners:
        learner.seed, learner.min_points_per_centroid = _SEED + settings.seed, 1
    if isinstance(core, faiss.IndexHNSW):
        core.hnsw.efConstruction = settings.build_effort
