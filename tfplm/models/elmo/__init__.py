"""ELMo (Peters et al. 2018): vectors of words in their context, from a bidirectional language model over characters."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "Elmo": ".model", "ElmoOptions": ".options", "ScalarMix": ".mix", "character_ids": ".characters",
})
