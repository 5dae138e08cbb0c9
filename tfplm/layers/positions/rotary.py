"""Rotary positions: queries and keys are rotated, so that their product depends only on the distance."""

import numpy as np
from keras import ops

from tfplm.layers.kernels import fused as kernels
from tfplm.layers.positions.scheme import PositionScheme


class Turn:
    """A function that rotates `[B,N,T,D]` by the angles of the tokens: `turn(x)`.

    Attributes:
        cos, sin: float32 `[1 or B,1,T,D/2]`.
        interleaved: the form of the pairs of units, see `Rotary`.
    """

    def __init__(self, cos, sin, interleaved: bool):
        self.cos, self.sin, self.interleaved = cos, sin, interleaved

    def __call__(self, x):
        return kernels.rotate(x, self.cos, self.sin, self.interleaved)


class Rotary(PositionScheme):
    """Rotary position embeddings (RoFormer, Su et al. 2021, section 3.2.2), computed in float32.

    Pair i of the units of a head is rotated by the angle position x theta ^ (-2 i / head_dim). Pairs are the units i
    and i + head_dim / 2 (GPT-NeoX, LLaMA, ModernBERT), or with `interleaved` 2 i and 2 i + 1 (the paper, RoFormer,
    GPT-J).
    """

    def __init__(self, head_dim: int, theta: float = 10000.0, interleaved: bool = False):
        # rounded where the references round: at position 8,000 the last bit of a frequency is 1e-3 of an angle
        exponents = (np.arange(0, head_dim, 2) / head_dim).astype(np.float32).astype(np.float64)
        self.frequencies = 1 / (theta ** exponents).astype(np.float32)
        self.interleaved = interleaved

    @classmethod
    def of_layers(cls, config):
        thetas = {"global": config.rope_theta, "local": config.local_rope_theta or config.rope_theta}
        schemes = {theta: cls(config.attention_head_dim, theta, config.rope_interleaved) for theta in thetas.values()}
        return [schemes[thetas[kind]] for kind in config.layer_kinds]

    def turn(self, positions) -> Turn:
        angles = ops.cast(positions, "float32")[..., None] * self.frequencies  # [T,D/2] or [B,T,D/2]
        angles = angles[None, None] if len(angles.shape) == 2 else angles[:, None]
        return Turn(ops.cos(angles), ops.sin(angles), self.interleaved)
