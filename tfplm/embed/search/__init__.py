"""Semantic search: vector indexes, records in SQL databases, and `SearchIndex`, which combines them."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "ExactIndex": ".index.exact",
    "FaissIndex": ".index.faiss",
    "Hit": ".search_index",
    "IndexSettings": ".index.vector_index",
    "MilvusIndex": ".index.milvus_index",
    "RecallReport": ".index.recall",
    "SearchIndex": ".search_index",
    "SearchSettings": ".manifest",
    "VectorIndex": ".index.vector_index",
    "choose_kind": ".index.kinds",
    "make_index": ".index.kinds",
    "recall_report": ".index.recall",
})
