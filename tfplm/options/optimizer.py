"""Flags of the optimizer and the learning rate, for all verbs that train."""

import dataclasses
from typing import Literal

from tfplm.options.base import flag


@dataclasses.dataclass(kw_only=True)
class OptimizerOptions:
    """The arguments of `tfplm.training.optimizers.make.make_optimizer`; a mixin for `TrainingOptions`."""

    HEADING = "optimizer"

    optimizer: Literal["adamw", "bert_adam", "lamb", "adafactor", "sgd"] = flag(
        "adamw", "the optimizer; bert_adam is Adam without bias correction, as in BERT")
    learning_rate: float = flag(5e-5, "peak learning rate")
    schedule: Literal["linear", "cosine", "polynomial", "constant", "inverse_sqrt", "slanted_triangular"] = flag(
        "linear", "decay of the learning rate after the warm-up")
    warmup_steps: int | None = flag(None, "updates until the peak (default: by --warmup-ratio)")
    warmup_ratio: float = flag(0.1, "share of all updates until the peak")
    end_learning_rate: float = flag(0.0, "learning rate of the last update")
    power: float = flag(1.0, "degree of the polynomial schedule")
    weight_decay: float = flag(0.01, "decoupled weight decay; biases and norms have none")
    clip_norm: float = flag(1.0, "maximum global norm of the gradient; 0: no clipping")
    accumulation: int = flag(1, "number of batches whose gradients are accumulated for one update")
    layer_decay: float = flag(1.0, "factor of the learning rate from each block to the one below it")
    lookahead: int = flag(0, "updates between two Lookahead steps; 0: none")
    beta_1: float = flag(0.9, "decay of Adam's and LAMB's first moment; momentum of SGD")
    beta_2: float = flag(0.999, "decay of Adam's and LAMB's second moment")
    epsilon: float = flag(1e-6, "added to the root of the second moment")
