"""The interface of position schemes of attention layers, and their positions in one call of a stack."""

import dataclasses
from collections.abc import Callable
from typing import Any

from tfplm.core.config import Config


class PositionScheme:
    """A position scheme of the attention layers of a stack; subclasses override the methods they need.

        of_layers(config)           in the constructor of the stack: the schemes of its kinds of layers
        weights_of_layer(config)    in the constructor of each attention: a Keras layer with weights, or None; it is the
                                    attribute `position` of the attention
        turn(positions)             once per call of the stack: a function that rotates queries and keys, or None
        bias(queries, keys)         once per call of the stack: a bias of the scaled scores of all layers, or None
        score(attention, q, k)      in each layer: an additional term of the scaled scores, or None

    Rotary positions use `turn`, T5's buckets `bias`, and the relative positions of Transformer-XL and DeBERTa `score`
    and weights in each layer. A scheme with weights is also a Keras layer, which is an attribute of the stack by its
    name.
    """

    @classmethod
    def of_layers(cls, config: Config) -> "list[PositionScheme]":
        """A scheme for each entry of `config.layer_kinds`; kinds that do not differ share one."""
        raise NotImplementedError(f"{cls.__name__} has no of_layers")

    @classmethod
    def weights_of_layer(cls, config: Config):
        return None

    @property
    def scores_pairs(self) -> bool:
        """Returns True if the scheme overrides `score`."""
        return type(self).score is not PositionScheme.score

    def turn(self, positions) -> Callable | None:
        """A function that rotates `[B,N,T,D]`, applied before keys are cached; positions: int32 `[T]` or `[B,T]`."""
        return None

    def bias(self, queries, keys):
        """The bias `[1,N,T,S]`; queries, keys: indices in the row, int32 `[T]`, `[S]`."""
        return None

    def score(self, attention, q, k):
        """The term `[B,N,T,S]` for rotated queries `[B,N,T,D]` and keys `[B,N,S,D]`; attention: the layer, for its
        weights. Local layers of such a scheme are not split into blocks."""
        return None


@dataclasses.dataclass(frozen=True)
class Positions:
    """The positions in one call of a stack: values common to all layers are computed once."""

    scheme: PositionScheme
    turn: Callable | None = None
    bias: Any = None

    def turned(self, x):
        """Rotated queries or keys `[B,N,T,D]`."""
        return x if self.turn is None else self.turn(x)

    def scores(self, attention, q, k):
        """The sum of the terms that are added to the scaled scores, or None."""
        terms = [term for term in (self.bias, self.scheme.score(attention, q, k)) if term is not None]
        return sum(terms[1:], terms[0]) if terms else None
