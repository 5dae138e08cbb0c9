"""Fine-tuning on labelled data: training, evaluation, prediction."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "FinetuneResult": ".result",
    "Predictor": ".predictor",
    "evaluate": ".evaluate",
    "finetune": ".run",
})
