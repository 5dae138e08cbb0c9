"""The recipe of a sentence encoder: pooling, projections, normalization and prompts."""

import dataclasses

import numpy as np

from tfplm.embed.encoder.pooling import Pooling, PoolingPlan

ACTIVATIONS = {"Identity": lambda x: x, "Tanh": np.tanh, "ReLU": lambda x: np.maximum(x, 0),
               "Sigmoid": lambda x: 1 / (1 + np.exp(-x))}


@dataclasses.dataclass(frozen=True)
class DenseModule:
    """A projection after the pooling: `activation(x kernel + bias)`, kernel `[in, out]`, float32."""

    kernel: np.ndarray
    bias: np.ndarray | None = None
    activation: str = "Identity"

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        y = vectors @ self.kernel
        return ACTIVATIONS[self.activation](y if self.bias is None else y + self.bias)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The settings that turn a model into a sentence encoder.

    - plan: layers and pooling;
    - normalize: scales vectors to length 1;
    - max_length: the maximum number of tokens of a text, including special tokens;
    - lowercase: lower-cases texts before tokenization;
    - dense: projections after the pooling;
    - prompts: named prefixes of texts; default_prompt: the name of the prompt used by default;
    - pool_prompt: includes the tokens of the prompt in the pooling.
    """

    plan: PoolingPlan = PoolingPlan()
    normalize: bool = False
    max_length: int | None = None
    lowercase: bool = False
    dense: tuple[DenseModule, ...] = ()
    prompts: dict[str, str] = dataclasses.field(default_factory=dict)
    default_prompt: str | None = None
    pool_prompt: bool = True

    def __post_init__(self):
        if self.default_prompt is not None and self.default_prompt not in self.prompts:
            raise ValueError(f"the default prompt is '{self.default_prompt}', expected one of the prompts: "
                             f"{', '.join(self.prompts) or 'there are none'}")
        if not self.pool_prompt and Pooling.WEIGHTED_MEAN in self.plan.strategies:
            raise ValueError("WEIGHTED_MEAN cannot exclude the prompt from the pooling (include_prompt: false); choose "
                             "another pooling, or include the prompt")
        if not self.pool_prompt and self.plan.mask_cls_sep:
            raise ValueError("mask_cls_sep cannot exclude the prompt from the pooling (include_prompt: false); include "
                             "the prompt")
        if self.dense and self.plan.of_tokens:
            raise ValueError("pooling NONE gives token vectors, after which there can be no dense module; choose "
                             "another pooling, or drop the module")
