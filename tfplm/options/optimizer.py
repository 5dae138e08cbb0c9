"""Flags of the optimizer and its learning rate, for every verb that trains."""

import dataclasses
from typing import Literal

from tfplm.options.base import flag


@dataclasses.dataclass(kw_only=True)
class OptimizerOptions:
    """To be inherited beside `TrainingOptions`, and the arguments of `tfplm.training.optimizers.make.make_optimizer`."""

    optimizer: Literal["adamw", "bert_adam", "lamb", "adafactor", "sgd"] = flag(
        "adamw", "bert_adam is Adam without bias correction, as BERT was trained")
    learning_rate: float = flag(5e-5, "peak learning rate")
    schedule: Literal["linear", "cosine", "polynomial", "constant", "inverse_sqrt", "slanted_triangular"] = flag(
        "linear", "how the learning rate falls after the warm-up")
    warmup_steps: int | None = flag(None, "updates until the peak (default: by warmup-ratio)")
    warmup_ratio: float = flag(0.1, "part of all updates until the peak")
    end_learning_rate: float = flag(0.0, "learning rate of the last update")
    power: float = flag(1.0, "degree of the polynomial schedule")
    weight_decay: float = flag(0.01, "decoupled weight decay; biases and norms have none")
    clip_norm: float = flag(1.0, "largest global norm of the gradient, 0 for no clipping")
    accumulation: int = flag(1, "batches whose gradients make one update")
    layer_decay: float = flag(1.0, "factor of the learning rate from each block to the one below")
    lookahead: int = flag(0, "updates between two Lookahead steps, 0 for none")
    beta_1: float = flag(0.9, "decay of Adam's and LAMB's first moment, momentum of SGD")
    beta_2: float = flag(0.999, "decay of Adam's and LAMB's second moment")
    epsilon: float = flag(1e-6, "added to the root of the second moment")
