"""Optimizers and learning rate schedules."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "make_optimizer": ".make",
})
