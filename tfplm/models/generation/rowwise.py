"""Transposed bfloat16 weights, with one row for each output, for fast matrix-vector products of XLA on a CPU."""

import contextlib

import keras
import tensorflow as tf

from tfplm.core.keras_internals import flat_layers, optimization_barrier


def _parts(model) -> list:
    """The layers used by a step."""
    return [model.decoding_stack, model.head]


def _kernels(model) -> list:
    """The kernels of all dense layers, each once."""
    layers = {id(layer): layer for part in _parts(model) for layer in flat_layers(part)
              if isinstance(layer, keras.layers.Dense)}
    return [layer.kernel for layer in layers.values()]


def copies(model) -> list[tf.Tensor]:
    """The transposed kernels `[out, in]` of the model, in the order of `using`.

    They need as much memory as the kernels, and at 10 GB/s the time of a few steps.
    """
    return _transposed([tf.convert_to_tensor(kernel) for kernel in _kernels(model)])


@tf.function
def _transposed(kernels: list[tf.Tensor]) -> list[tf.Tensor]:
    return [tf.transpose(kernel) for kernel in kernels]


def using(model, transposed: list[tf.Tensor], step):
    """A context in which the model's layers use the `transposed` kernels of `copies`; if empty, their own ones."""
    if not transposed:
        return contextlib.nullcontext()
    table = model.embeddings.word.embeddings
    # XLA moves computations that do not change out of the loop: it would create a float32 copy of each weight, and read
    # twice as much memory in each step. After the barrier, the weights appear to depend on the step.
    *transposed, embeddings, _ = optimization_barrier([*transposed, tf.convert_to_tensor(table), step])
    mapping = [(kernel, tf.transpose(rows)) for kernel, rows in zip(_kernels(model), transposed)]
    return keras.StatelessScope(state_mapping=[*mapping, (table, embeddings)])
