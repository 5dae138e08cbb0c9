"""Multi-task training: one encoder with several heads, trained on several tasks at once."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "multitask": ".run",
})
