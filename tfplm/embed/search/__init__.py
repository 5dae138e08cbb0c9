"""Semantic search: vector indexes, records in SQL databases, and both together as a `SearchIndex`."""

import importlib

_PUBLIC = {
    "ExactIndex": "exact_index",
    "FaissIndex": "faiss_index",
    "Hit": "search_index",
    "IndexSettings": "vector_index",
    "MilvusIndex": "milvus_index",
    "RecallReport": "recall",
    "SearchIndex": "search_index",
    "SearchSettings": "manifest",
    "VectorIndex": "vector_index",
    "choose_kind": "kinds",
    "make_index": "kinds",
    "recall_report": "recall",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
