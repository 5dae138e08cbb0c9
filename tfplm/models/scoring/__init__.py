"""Scoring with language models: filling masks, perplexity, Gibbs sampling, next sentence and order."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "fill_mask": ".fill_mask",
    "gibbs_sample": ".gibbs",
    "in_order": ".next_sentence",
    "is_next": ".next_sentence",
    "open_pair_model": ".next_sentence",
    "perplexity": ".perplexity",
})
