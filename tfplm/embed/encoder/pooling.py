"""From the hidden states of tokens to one vector: the strategies of bert-as-service, and of sentence-transformers."""

import dataclasses
import enum
from collections.abc import Sequence

from keras import ops

from tfplm.core.suggest import did_you_mean


class Pooling(enum.IntEnum):
    """How token vectors become one; names and numbers are bert-as-service's, above 100 those that it does not have.

    Masked means: over the real tokens, [CLS] and [SEP] among them. `REDUCE_MEAN` is the usual choice without further
    training, `FIRST_TOKEN` that of models trained with it (SimCSE, BGE), `LAST_TOKEN` that of decoders.
    """

    NONE = 0  # all token vectors, [B,T,H], zero at padding
    REDUCE_MAX = 1  # masked maximum
    REDUCE_MEAN = 2  # masked mean
    REDUCE_MEAN_MAX = 3  # mean and maximum side by side, [B,2H]
    FIRST_TOKEN = 4
    CLS_TOKEN = 4
    LAST_TOKEN = 5
    SEP_TOKEN = 5
    CLS_POOLED = 6  # the pooler: dense + tanh over the first token of the last layer
    CLASSIFICATION = 7  # probabilities of the classes, [B,num_labels]
    REGRESSION = 8  # sigmoid of the one output, [B,1]
    MEAN_SQRT_LENGTH = 101  # masked sum / sqrt(number of tokens)
    WEIGHTED_MEAN = 102  # masked mean, token i weighted by i (SGPT, Muennighoff 2022)

    @classmethod
    def of(cls, value: "Pooling | str | int") -> "Pooling":
        """A strategy from its name in any case, its number, or what sentence-transformers calls it.

        ValueError that lists the names.
        """
        if isinstance(value, str):
            name = value.strip().upper().replace("-", "_")
            name = _OTHER_NAMES.get(name, name)
            if name in cls.__members__:
                return cls[name]
            raise ValueError(f"there is no pooling '{value}'{did_you_mean(name, cls.__members__)}; expected one of "
                             f"{', '.join(cls.__members__)}")
        try:
            return cls(value)
        except ValueError:
            raise ValueError(f"there is no pooling with number {value}; expected one of "
                             f"{', '.join(f'{p.value} ({p.name})' for p in cls)}") from None


_OTHER_NAMES = {"MEAN": "REDUCE_MEAN", "MAX": "REDUCE_MAX", "CLS": "FIRST_TOKEN", "FIRST": "FIRST_TOKEN",
                "LAST": "LAST_TOKEN", "LASTTOKEN": "LAST_TOKEN", "SEP": "LAST_TOKEN", "MEAN_MAX": "REDUCE_MEAN_MAX",
                "POOLER": "CLS_POOLED", "WEIGHTEDMEAN": "WEIGHTED_MEAN", "MEAN_SQRT_LEN_TOKENS": "MEAN_SQRT_LENGTH"}
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

    def resolve(self, depth: int) -> tuple[int, ...]:
        """The layers as 1 ... depth, places in `hidden_states`. ValueError for a layer that the model does not have."""
        if self.of_model:
            return (depth,)
        if wrong := [layer for layer in self.layers if not -depth <= layer < depth]:
            raise ValueError(f"there is no layer {wrong[0]}: the model has {depth} layers, {-depth} (or 0) the first, "
                             f"-1 (or {depth - 1}) the last")
        return tuple(layer % depth + 1 for layer in self.layers)


def combine_layers(hidden_states: Sequence, plan: PoolingPlan):
    """The wanted ones of `hidden_states` (embeddings first), `[B,T,H]` each, side by side or averaged."""
    chosen = [hidden_states[place] for place in plan.resolve(len(hidden_states) - 1)]
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
    place = ops.maximum(ops.cast(ops.sum(mask, axis=1), "int32") - 1, 0)  # [B,1]
    return ops.take_along_axis(hidden, place[:, :, None], axis=1)[:, 0]


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


def normalize_rows(vectors):
    """Rows of length 1, `[..., H]`; a zero vector stays zero."""
    norm = ops.sqrt(ops.sum(ops.square(vectors), axis=-1, keepdims=True))
    return vectors / ops.maximum(norm, 1e-12)
