"""From the hidden states of tokens to one vector: the strategies of bert-as-service, and of sentence-transformers."""

import dataclasses
from collections.abc import Sequence

from keras import ops

from tfplm.options.pooling import Pooling

# what is computed from the whole model, not from a layer
OF_MODEL = (Pooling.CLS_POOLED, Pooling.CLASSIFICATION, Pooling.REGRESSION)
_LOW = 1e30


@dataclasses.dataclass(frozen=True)
class PoolingPlan:
    """What a vector is made of.

    strategies: side by side in the vector; `NONE` and the strategies of the whole model stand alone.
    layers: indices into the outputs of the layers, as in a list: 0 the first layer's, -1 the last one's (the embeddings
        have none). Several are put side by side, token by token, before pooling; with average_layers their mean is
        taken ("first-last" of the whitening and SimCSE papers is `(0, -1)` averaged).
    mask_cls_sep: as bert-as-service's flag does it: the mask of the first and the last token is zeroed *before* the
        model, so that no token attends to them; they do not count in means and maxima, and `LAST_TOKEN` becomes the
        token at (number of unmasked tokens) - 1, the second but last of the text.
    """

    strategies: tuple[Pooling, ...] = (Pooling.REDUCE_MEAN,)
    layers: tuple[int, ...] = (-1,)
    average_layers: bool = False
    mask_cls_sep: bool = False

    def __post_init__(self):
        if not self.strategies or not self.layers:
            raise ValueError("pooling needs at least one strategy and one layer, found none")
        alone = [s.name for s in self.strategies if s in (Pooling.NONE, *OF_MODEL)]
        if alone and len(self.strategies) > 1:
            raise ValueError(f"{alone[0]} cannot be combined with other poolings, found "
                             f"{', '.join(s.name for s in self.strategies)}")

    @classmethod
    def of(cls, pooling: "Pooling | str | int | Sequence", layers: int | Sequence[int] = (-1,), **keywords
           ) -> "PoolingPlan":
        """A plan from what a user writes: one strategy or several, one layer or several."""
        several = pooling if isinstance(pooling, list | tuple) else [pooling]
        layers = (layers,) if isinstance(layers, int) else tuple(layers)
        return cls(tuple(Pooling.of(one) for one in several), layers, **keywords)

    @property
    def of_model(self) -> bool:
        """Whether the vector is an output of the whole model: `CLS_POOLED`, `CLASSIFICATION`, `REGRESSION`."""
        return self.strategies[0] in OF_MODEL

    @property
    def of_tokens(self) -> bool:
        """Whether every token keeps its vector."""
        return self.strategies[0] is Pooling.NONE

    def width(self, hidden_size: int) -> int:
        """Numbers of a vector that is made of hidden states `[B,T,hidden_size]`; for `NONE` of a token's vector.

        Not for `CLASSIFICATION` and `REGRESSION`, whose vectors are as wide as the model's head.
        """
        layers = 1 if self.average_layers or self.of_model else len(self.layers)
        return hidden_size * layers * sum(1 + (strategy is Pooling.REDUCE_MEAN_MAX) for strategy in self.strategies)

    def resolve(self, depth: int) -> tuple[int, ...]:
        """The layers as 1 ... depth, positions in `hidden_states`. ValueError for a layer that the model does not have."""
        if self.of_model:
            return (depth,)
        if wrong := [layer for layer in self.layers if not -depth <= layer < depth]:
            raise ValueError(f"there is no layer {wrong[0]}: the model has {depth} layers, {-depth} (or 0) the first, "
                             f"-1 (or {depth - 1}) the last")
        return tuple(layer % depth + 1 for layer in self.layers)


def combine_layers(hidden_states: Sequence, plan: PoolingPlan):
    """The wanted ones of `hidden_states` (embeddings first), `[B,T,H]` each, side by side or averaged."""
    chosen = [hidden_states[index] for index in plan.resolve(len(hidden_states) - 1)]
    if len(chosen) == 1:
        return chosen[0]
    if plan.average_layers:
        return sum(chosen[1:], chosen[0]) / len(chosen)
    return ops.concatenate(chosen, axis=-1)


def pool(hidden, mask, strategies: Sequence[Pooling]):
    """Token vectors to vectors, in float32.

    Args:
        hidden: `[B,T,H]`. mask: `[B,T]`, 1 = real; rows are padded on the right.
        strategies: not those of the whole model.

    Returns:
        `[B, H x strategies]` (`REDUCE_MEAN_MAX` counts twice); for `NONE` `[B,T,H]`, zero where the mask is.
    """
    hidden, mask = ops.cast(hidden, "float32"), ops.cast(mask, "float32")[:, :, None]  # [B,T,1]
    parts = [_STRATEGIES[strategy](hidden, mask) for strategy in strategies]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def _mean(hidden, mask):
    return ops.sum(hidden * mask, axis=1) / (ops.sum(mask, axis=1) + 1e-10)


def _max(hidden, mask):
    return ops.max(hidden - (1 - mask) * _LOW, axis=1)


def _last(hidden, mask):
    position = ops.maximum(ops.cast(ops.sum(mask, axis=1), "int32") - 1, 0)  # [B,1]
    return ops.take_along_axis(hidden, position[:, :, None], axis=1)[:, 0]


def _weighted_mean(hidden, mask):
    weights = mask * ops.cast(ops.arange(1, ops.shape(mask)[1] + 1), "float32")[None, :, None]
    return _mean(hidden, weights)


_STRATEGIES = {
    Pooling.NONE: lambda hidden, mask: hidden * mask,
    Pooling.REDUCE_MEAN: _mean,
    Pooling.REDUCE_MAX: _max,
    Pooling.REDUCE_MEAN_MAX: lambda hidden, mask: ops.concatenate([_mean(hidden, mask), _max(hidden, mask)], axis=-1),
    Pooling.FIRST_TOKEN: lambda hidden, mask: hidden[:, 0],
    Pooling.LAST_TOKEN: _last,
    Pooling.MEAN_SQRT_LENGTH: lambda hidden, mask: ops.sum(hidden * mask, axis=1) / ops.sqrt(
        ops.sum(mask, axis=1) + 1e-10),
    Pooling.WEIGHTED_MEAN: _weighted_mean,
}
