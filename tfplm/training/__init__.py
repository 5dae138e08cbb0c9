"""Training with Keras: distribution, resuming, progress, optimizers, schedules, metrics; independent of the models."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "Progress": ".loop.progress",
    "Resume": ".loop.resume",
    "make_optimizer": ".optimizers.make",
    "set_devices": ".loop.devices",
    "strategy_for": ".loop.distribute",
})
