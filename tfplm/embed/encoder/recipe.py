"""How vectors are made from a model."""

import dataclasses

import numpy as np

from tfplm.embed.encoder.pooling import Pooling, PoolingPlan

ACTIVATIONS = {"Identity": lambda x: x, "Tanh": np.tanh, "ReLU": lambda x: np.maximum(x, 0),
               "Sigmoid": lambda x: 1 / (1 + np.exp(-x))}


@dataclasses.dataclass(frozen=True)
class DenseModule:
    """A projection behind the pooling: `activation(x kernel + bias)`, kernel `[in, out]`, float32."""

    kernel: np.ndarray
    bias: np.ndarray | None = None
    activation: str = "Identity"

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        y = vectors @ self.kernel
        return ACTIVATIONS[self.activation](y if self.bias is None else y + self.bias)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What makes a model a sentence encoder.

    plan: layers and pooling. normalize: vectors of length 1. max_length: tokens of a text, special ones included.
    lowercase: texts are lower-cased before the tokenizer. dense: projections behind the pooling. prompts: what is
    written before a text, by name; default_prompt: the name of the one that is always used. pool_prompt: whether the
    prompt's tokens count in the pooling.
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
            raise ValueError(f"the default prompt is '{self.default_prompt}', but the prompts are "
                             f"{', '.join(self.prompts) or 'none'}")
        if not self.pool_prompt and Pooling.WEIGHTED_MEAN in self.plan.strategies:
            raise ValueError("WEIGHTED_MEAN cannot leave the prompt out of the pooling (include_prompt: false)")
        if not self.pool_prompt and self.plan.mask_cls_sep:
            raise ValueError("mask_cls_sep cannot leave the prompt out of the pooling (include_prompt: false)")
        if self.dense and self.plan.of_tokens:
            raise ValueError("pooling NONE gives token vectors, behind which there can be no dense module")
