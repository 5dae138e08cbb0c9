"""A Keras training toolkit: distribution, resuming, progress, optimizers, schedules, metrics. It knows no language model."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "Progress": ".loop.progress",
    "Resume": ".loop.resume",
    "make_optimizer": ".optimizers.make",
    "strategy_for": ".loop.distribute",
})
