"""Semantic search: vector indexes, records in SQL databases, and both together as a `SearchIndex`."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "ExactIndex": ".exact_index",
    "FaissIndex": ".faiss_index",
    "Hit": ".search_index",
    "IndexSettings": ".vector_index",
    "MilvusIndex": ".milvus_index",
    "RecallReport": ".recall",
    "SearchIndex": ".search_index",
    "SearchSettings": ".manifest",
    "VectorIndex": ".vector_index",
    "choose_kind": ".kinds",
    "make_index": ".kinds",
    "recall_report": ".recall",
})
