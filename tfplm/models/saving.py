"""Keras' own files of a model: which parts are frozen, and the format `.h5`, which is refused."""

import os

import keras

from tfplm.core.keras_internals import is_written_as_h5, own_weights, set_trainable
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
