"""Pooling of hidden states to one vector: the strategies of bert-as-service and of sentence-transformers."""

import dataclasses
from collections.abc import Sequence

from keras import ops

from tfplm.options.pooling import Pooling

# outputs of the whole model, not of a layer
OF_MODEL = (Pooling.CLS_POOLED, Pooling.CLASSIFICATION, Pooling.REGRESSION)
_LOW = 1e30


@dataclasses.dataclass(frozen=True)
class PoolingPlan:
    """The composition of a vector.

    strategies: concatenated in the vector; `NONE` and the strategies of the whole model cannot be combined.
    layers: indices of layer outputs: 0 for the first layer, -1 for the last (the embeddings have no index). Several are
        concatenated for each token, before pooling; with average_layers their mean is used ("first-last" in the
        whitening and SimCSE papers is `(0, -1)` averaged).
    mask_cls_sep: like bert-as-service's flag: the mask of the first and the last token is set to 0 *before* the model,
        so no token attends to them; means and maxima ignore them, and `LAST_TOKEN` becomes the token at (number of
        unmasked tokens) - 1, the third-last token of the text. Of a text without another token, means and maxima are 0.
    """

    strategies: tuple[Pooling, ...] = (Pooling.REDUCE_MEAN,)
    layers: tuple[int, ...] = (-1,)
    average_layers: bool = False
    mask_cls_sep: bool = False

    def __post_init__(self):
        if not self.strategies or not self.layers:
            raise ValueError(f"there are {len(self.strategies)} pooling strategies and {len(self.layers)} layers; "
                             "expected at least one strategy and one layer: add the missing one")
        alone = [s.name for s in self.strategies if s in (Pooling.NONE, *OF_MODEL)]
        if alone and len(self.strategies) > 1:
            raise ValueError(f"the poolings are {', '.join(s.name for s in self.strategies)}, but {alone[0]} cannot be "
                             "combined with others: use it alone, or omit it")

    @classmethod
    def of(cls, pooling: "Pooling | str | int | Sequence", layers: int | Sequence[int] = (-1,), **keywords
           ) -> "PoolingPlan":
        """A plan from one strategy or several, and one layer or several."""
        several = pooling if isinstance(pooling, list | tuple) else [pooling]
        layers = (layers,) if isinstance(layers, int) else tuple(layers)
        return cls(tuple(Pooling.of(one) for one in several), layers, **keywords)

    @property
    def of_model(self) -> bool:
        """True if the vector is an output of the whole model: `CLS_POOLED`, `CLASSIFICATION`, `REGRESSION`."""
        return self.strategies[0] in OF_MODEL

    @property
    def of_tokens(self) -> bool:
        """True if every token has its own vector (`NONE`)."""
        return self.strategies[0] is Pooling.NONE

    def width(self, hidden_size: int) -> int:
        """Number of components of a vector pooled from hidden states `[B,T,hidden_size]`; for `NONE` of a token vector.

        Not for `CLASSIFICATION` and `REGRESSION`, whose vectors have one component for each output of the model's head.
        """
        layers = 1 if self.average_layers or self.of_model else len(self.layers)
        return hidden_size * layers * sum(1 + (strategy is Pooling.REDUCE_MEAN_MAX) for strategy in self.strategies)

    def resolve(self, depth: int) -> tuple[int, ...]:
        """The layers as indices in `hidden_states`, 1 ... depth. Raises ValueError for a layer that does not exist."""
        if self.of_model:
            return (depth,)
        if wrong := [layer for layer in self.layers if not -depth <= layer < depth]:
            raise ValueError(f"there is no layer {wrong[0]}: the model has {depth} layers; expected {-depth} (or 0), "
                             f"the first, to -1 (or {depth - 1}), the last: change the layers")
        return tuple(layer % depth + 1 for layer in self.layers)


def combine_layers(hidden_states: Sequence, plan: PoolingPlan):
    """The plan's layers among `hidden_states` (embeddings first), `[B,T,H]` each, concatenated or averaged."""
    chosen = [hidden_states[index] for index in plan.resolve(len(hidden_states) - 1)]
    if len(chosen) == 1:
        return chosen[0]
    if plan.average_layers:
        return sum(chosen[1:], chosen[0]) / len(chosen)
    return ops.concatenate(chosen, axis=-1)


def pool(hidden, mask, strategies: Sequence[Pooling]):
    """Pools the vectors of tokens.

    Args:
        hidden: `[B,T,H]`.
        mask: `[B,T]`, 1 = real; rows are padded on the right. Without a real token, means and maxima are 0.
        strategies: any except those of the whole model.

    Returns:
        float32 `[B, H x strategies]` (`REDUCE_MEAN_MAX` counts twice); for `NONE` `[B,T,H]`, zero where the mask is 0.
    """
    # not by slices with new axes, which LiteRT does not have
    hidden, mask = ops.cast(hidden, "float32"), ops.expand_dims(ops.cast(mask, "float32"), 2)  # [B,T,1]
    parts = [_STRATEGIES[strategy](hidden, mask) for strategy in strategies]
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=-1)


def _mean(hidden, mask):
    return ops.sum(hidden * mask, axis=1) / (ops.sum(mask, axis=1) + 1e-10)


def _max(hidden, mask):
    real = ops.greater(mask, 0)
    return ops.where(ops.any(real, axis=1), ops.max(ops.where(real, hidden, -_LOW), axis=1), 0.0)


def _last(hidden, mask):
    position = ops.maximum(ops.cast(ops.sum(mask, axis=1), "int32") - 1, 0)  # [B,1]
    return ops.take_along_axis(hidden, ops.expand_dims(position, 2), axis=1)[:, 0]


def _weighted_mean(hidden, mask):
    weights = mask * ops.expand_dims(ops.cast(ops.arange(1, ops.shape(mask)[1] + 1), "float32"), (0, 2))
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
