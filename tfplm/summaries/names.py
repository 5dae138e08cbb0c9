"""Unique names of a model's layers and variables: their paths in the tree of layers."""

import keras

from tfplm.core.keras_internals import own_weights, sublayers


def layer_paths(model: keras.Layer) -> dict[str, keras.Layer]:
    """Maps paths such as `encoder/block_0/attention/query` to all layers below `model`, outer layers first.

    Keras' `layer.path` is missing before the first call, and the same for layers with equal names that were built in
    constructors. Here, siblings with equal names get `_1`, `_2`, and a shared layer is named by its first occurrence.
    """
    paths, seen = {}, {id(model)}

    def walk(layer, prefix):
        taken = set()
        for child in sublayers(layer):
            if id(child) in seen or isinstance(child, keras.layers.InputLayer):
                continue
            seen.add(id(child))
            name, suffix = child.name, 0
            while name in taken:
                suffix += 1
                name = f"{child.name}_{suffix}"
            taken.add(name)
            paths[prefix + name] = child
            walk(child, f"{prefix}{name}/")

    walk(model, "")
    return paths


def variable_paths(model: keras.Layer, trainable: bool = True) -> dict[str, keras.Variable]:
    """Maps paths such as `encoder/block_0/attention/query/kernel` to all (trainable) weights."""
    weights = model.trainable_weights if trainable else model.weights
    wanted = {id(weight) for weight in weights}
    paths, seen = {}, set()
    for path, layer in [("", model), *layer_paths(model).items()]:
        trainable_ones, others = own_weights(layer)
        for variable in [*trainable_ones, *others]:
            if id(variable) not in wanted or id(variable) in seen:
                continue
            seen.add(id(variable))
            name = base = f"{path}/{variable.name}".lstrip("/")
            suffix = 0
            while name in paths:
                suffix += 1
                name = f"{base}_{suffix}"
            paths[name] = variable
    # variables that the walk does not reach keep Keras' path
    for weight in weights:
        if id(weight) not in seen:
            paths[weight.path] = weight
    return paths
