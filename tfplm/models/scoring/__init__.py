"""Scoring with language models: filling masks, perplexity, Gibbs sampling."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "fill_mask": ".fill_mask",
    "gibbs_sample": ".gibbs",
    "perplexity": ".perplexity",
})
