"""What Keras and TensorFlow save of a model: which parts are frozen, the format `.h5`, which is refused, and the objects
in a `tf.train.Checkpoint`."""

import json
import os

import keras
import tensorflow as tf

from tfplm.core.keras_internals import is_written_as_h5, kept, own_weights, set_trainable
from tfplm.models.pretrained.objects import DESCRIPTION
from tfplm.summaries.names import layer_paths


def trainable_parts(model: keras.Model) -> dict[str, bool]:
    """The layers and variables whose `trainable` differs from that of the layer around them: path -> `trainable`.

    Paths are those of `layer_paths`; a variable is `LAYER:NAME`.
    """
    parts, flags = {}, {"": model.trainable}
    for path, layer in layer_paths(model).items():
        flags[path] = layer.trainable
        if flags[path] != flags[path.rpartition("/")[0]]:
            parts[path] = flags[path]
        for variable in own_weights(layer)[0]:
            if variable.trainable != flags[path]:
                parts[f"{path}:{variable.name}"] = variable.trainable
    return parts


def set_trainable_parts(model: keras.Model, trainable: bool, parts: dict[str, bool]) -> None:
    """Sets `trainable` of the model, and of all its layers and variables from the result of `trainable_parts`."""
    flags = {"": trainable}
    set_trainable(model, trainable)
    for path, layer in layer_paths(model).items():
        flags[path] = parts.get(path, flags[path.rpartition("/")[0]])
        set_trainable(layer, flags[path])
        for variable in own_weights(layer)[0]:
            variable.trainable = parts.get(f"{path}:{variable.name}", flags[path])


def check_format(path: str | os.PathLike) -> None:
    """Raises ValueError for a path that ends in `.h5` or `.hdf5`, before Keras writes it."""
    if str(path).endswith((".h5", ".hdf5")):
        raise ValueError(_message(str(path)))


def check_not_h5() -> None:
    """Raises ValueError if Keras is writing `.h5`, for example of a model that contains this one."""
    if is_written_as_h5():
        raise ValueError(_message(".h5"))


def _message(path: str) -> str:
    return (f"expected a path NAME.keras, found {path}: Keras cannot load this model from its legacy format HDF5. Use "
            "model.save('NAME.keras'), or model.save_weights('NAME.weights.h5') for the weights alone")


class Description(tf.train.experimental.PythonState):
    """Configuration, head and number of labels of a model, saved with it as JSON; restoring does not change them."""

    def __init__(self, model):
        self._model = model

    def serialize(self):
        config = {"config": self._model.config.to_dict(), "head": self._model.head_name}
        return json.dumps({**config, "num_labels": self._model.num_labels}, ensure_ascii=False)

    def deserialize(self, string_value):
        pass


def objects_to_save(model: keras.Model, weights: dict[str, keras.Variable]) -> dict:
    """The objects of a model in a `tf.train.Checkpoint`: its weights by path, the seeds of dropout, its description."""
    known = set(map(id, weights.values()))
    seeds = [variable for variable in model.variables if id(variable) not in known]
    return {DESCRIPTION: kept(model, "_description", lambda: Description(model)), **weights,
            **{f"seed_{index}": seed for index, seed in enumerate(seeds)}}
