"""Unique names of a model's layers and variables: paths through the tree of layers."""

import keras

from tfplm.core.keras_internals import own_weights, sublayers


def layer_paths(model: keras.Layer) -> dict[str, keras.Layer]:
    """path -> layer for every layer below `model`, such as `encoder/block_0/attention/query`, outer ones first.

    Keras' own `layer.path` is not used: it is missing before the first call and the same for equally named layers that
    were built in their constructors. Here, brothers of one name get `_1`, `_2`; a shared layer is named where it is met
    first.
    """
    paths, seen = {}, {id(model)}

    def walk(layer, prefix):
        taken = set()
        for child in sublayers(layer):
            if id(child) in seen or isinstance(child, keras.layers.InputLayer):
                continue
            seen.add(id(child))
            name, number = child.name, 0
            while name in taken:
                number += 1
                name = f"{child.name}_{number}"
            taken.add(name)
            paths[prefix + name] = child
            walk(child, f"{prefix}{name}/")

    walk(model, "")
    return paths


def variable_paths(model: keras.Layer, trainable: bool = True) -> dict[str, keras.Variable]:
    """path -> variable, such as `encoder/block_0/attention/query/kernel`; every (trainable) weight has one."""
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
            number = 0
            while name in paths:
                number += 1
                name = f"{base}_{number}"
            paths[name] = variable
    # variables that a layer holds in a way the walk does not see keep Keras' path
    for weight in weights:
        if id(weight) not in seen:
            paths[weight.path] = weight
    return paths
