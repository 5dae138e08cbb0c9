"""Contrastive training of sentence vectors."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "contrastive": ".run",
})
