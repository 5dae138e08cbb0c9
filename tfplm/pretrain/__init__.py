"""Pre-training from raw text: objectives, batches, the run and its result."""

from tfplm.core.lazy import lazy_exports, make_callable

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "PretrainResult": ".result",
    "pretrain": ".run",
})
make_callable(__name__, "pretrain")  # `tfplm.pretrain(...)`
