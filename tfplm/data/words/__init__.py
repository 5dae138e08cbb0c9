"""Word vectors: the formats of word2vec, GloVe and fastText, neighbours, and evaluation."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {"WordVectors": ".word_vectors", "Subwords": ".subwords"})
