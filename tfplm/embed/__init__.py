"""Sentence vectors: pooling, encoding, whitening, contrastive training."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "Pooling": ".pooling",
    "SearchIndex": ".search.search_index",
    "SentenceEncoder": ".sentence_encoder",
    "Whitening": ".whitening",
    "encode_file": ".encode_file",
})
