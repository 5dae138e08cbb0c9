"""Sentence vectors: pooling, encoding, whitening, contrastive training."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "Pooling": ".encoder.pooling",
    "RemoteEncoder": ".remote.remote_encoder",
    "SearchIndex": ".search.search_index",
    "SentenceEncoder": ".encoder.sentence_encoder",
    "Whitening": ".encoder.whitening",
    "encode_file": ".commands.encode_file",
})
