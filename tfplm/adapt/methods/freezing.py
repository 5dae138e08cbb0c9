"""Freezing of parts of a model: only the head, the last layers, or all of it is trained; or gradually more."""

import re

import keras

from tfplm.core.keras_internals import own_weights, sublayers
from tfplm.models.model import PretrainedModel
from tfplm.training.optimizers.layer_rates import BLOCK

AMOUNTS = "all, head, features, or last:N for the N top layers"


def parse_amount(amount: str) -> int | None:
    """The number of top blocks to train in addition to the head: 0 for "head" and "features", None for all of them."""
    if amount == "all":
        return None
    if amount in ("head", "features"):
        return 0
    if (found := re.fullmatch(r"last:(\d+)", amount)) is None:
        raise ValueError(f"train is {amount!r}; expected {AMOUNTS}: change --train")
    return int(found.group(1))


def set_trained(model: PretrainedModel, amount: str) -> None:
    """Freezes the layers that `amount` does not include. The pooler counts as part of the head.

    Call it before `compile`. Raises ValueError as in `check_amount`.
    """
    check_amount(model, amount)
    top = parse_amount(amount)
    paths = [variable.path for variable in model.variables]
    depth = 1 + max((int(found.group(1)) for path in paths if (found := re.search(BLOCK, path))), default=-1)
    for layer in _leaves(model):
        if layer.weights and all(weight.path.split("/")[1] in model.backbone_roots for weight in layer.weights):
            layer.trainable = top is None or _height(layer.weights[0].path, depth) < top


def check_amount(model: PretrainedModel, amount: str) -> None:
    """Raises ValueError for "last:N" if the layers of the model share their weights (`share="all"`, as in ALBERT)."""
    if parse_amount(amount) and model.config.share != "none":
        raise ValueError(f"train is {amount!r}, but the layers of this model share their weights "
                         f"(share={model.config.share!r}): use --train all or head")


def _leaves(layer: keras.layers.Layer):
    """The layers that own variables."""
    children = sublayers(layer)
    if not children or own_weights(layer)[0]:
        yield layer
    for child in children:
        yield from _leaves(child)


def _height(path: str, depth: int) -> int:
    """The distance from the top: 0 for the top block and the norm after it, ..., `depth` for the embeddings."""
    found = re.search(BLOCK, path)
    if found:
        return depth - 1 - int(found.group(1))
    return depth if "embeddings/" in path else 0


class GradualUnfreezing(keras.callbacks.Callback):
    """Trains only the head at first, then one more block, from the top, every `epochs` epochs (Howard & Ruder 2018,
    section 3.3).

    The optimizer must know all variables: compile with everything trainable. `model`: the model whose layers are
    frozen, if `fit` is called on a model that wraps it.
    """

    def __init__(self, epochs: int = 1, model: PretrainedModel | None = None):
        super().__init__()
        self.epochs, self.pretrained = epochs, model

    def on_train_begin(self, logs=None):
        self._inner, self._blocks = self.pretrained or self.model, None
        self.model.optimizer.build(self.model.trainable_variables)

    def on_epoch_begin(self, epoch, logs=None):
        if (blocks := epoch // self.epochs) != self._blocks:  # a resumed training may start at any epoch
            set_trained(self._inner, f"last:{blocks}" if blocks else "head")
            self.model.make_train_function(force=True)
            self._blocks = blocks

    def on_train_end(self, logs=None):
        set_trained(self._inner, "all")
