"""What a position scheme is to the layers of a stack, and what one call of the stack makes of it."""

import dataclasses
from collections.abc import Callable
from typing import Any

from tfplm.core.config import Config


class PositionScheme:
    """How the layers of a stack tell positions apart; a scheme overrides the hooks that it needs.

        of_layers(config)           in the stack's constructor: the objects of its kinds of layers
        weights_of_layer(config)    in the constructor of each attention: a Keras layer with weights of its own, or
                                    None; the attention holds it as `position`
        turn(positions)             once per call of the stack: a function that turns queries and keys, or None
        bias(queries, keys)         once per call of the stack: added to the scaled scores of all layers, or None
        score(attention, q, k)      in each layer: another term of its scaled scores, or None

    Rotary positions need `turn`, T5's buckets `bias`, Transformer-XL's and DeBERTa's relative positions `score` and
    weights in each layer. A scheme with weights of its own is a Keras layer as well, under whose name the stack has it.
    """

    @classmethod
    def of_layers(cls, config: Config) -> "list[PositionScheme]":
        """One for each entry of `config.layer_kinds`; kinds that differ in nothing share one."""
        raise NotImplementedError(f"{cls.__name__} has no of_layers")

    @classmethod
    def weights_of_layer(cls, config: Config):
        return None

    @property
    def scores_pairs(self) -> bool:
        """Whether the scheme has a `score` of its own."""
        return type(self).score is not PositionScheme.score

    def turn(self, positions) -> Callable | None:
        """int32 `[T]` or `[B,T]`, the tokens' positions -> a function of `[B,N,T,D]`, before keys are cached."""
        return None

    def bias(self, queries, keys):
        """int32 `[T]`, `[S]`, indices in the row -> `[1,N,T,S]`."""
        return None

    def score(self, attention, q, k):
        """`[B,N,T,D]`, `[B,N,S,D]`, both turned -> `[B,N,T,S]`; attention: the layer, for its weights. Local layers of
        such a scheme are not cut into blocks."""
        return None


@dataclasses.dataclass(frozen=True)
class Positions:
    """A scheme in one call of a stack: what all of its layers share is computed once."""

    scheme: PositionScheme
    turn: Callable | None = None
    bias: Any = None

    def turned(self, x):
        """Queries or keys `[B,N,T,D]`."""
        return x if self.turn is None else self.turn(x)

    def scores(self, attention, q, k):
        """What is added to the scaled scores, or None."""
        terms = [term for term in (self.bias, self.scheme.score(attention, q, k)) if term is not None]
        return sum(terms[1:], terms[0]) if terms else None
