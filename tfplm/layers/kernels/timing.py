"""Seconds of small pieces of work on this processor: matrix products, and a layer of BERT-base in two precisions.

Contenders take turns, and the fastest of few rounds counts, as other programs may run at the same time.
"""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

_ROUNDS = 3
_HIDDEN, _INNER, _HEADS = 768, 3072, 12
_SHAPE, _FEW = (2, 64), (1, 8)  # texts, tokens
_EMULATED = 0.05  # seconds of a product of 0.2 GFLOP, from which on only few tokens are timed


def products() -> dict[str, float]:
    """A float32 product of 512 x 768 x 1536 through oneDNN, and as an XLA program."""
    a, b = tf.ones((512, 768)), tf.ones((768, 1536))
    onednn = tf.function(tf.matmul, autograph=False)
    xla = tf.function(tf.matmul, jit_compile=True, autograph=False)
    return _fastest({"onednn": lambda: onednn(a, b), "xla": lambda: xla(a, b)}, 2)


def forward() -> dict[str, float]:
    """A layer without training in "float32" and "bfloat16", whose weights are bfloat16 as well."""
    return _layers(_forward)


def step() -> dict[str, float]:
    """A layer and its gradients in "float32" and, with weights in float32, in "bfloat16"."""
    return _layers(_step)


def _layers(make: Callable[[str, tuple], Callable]) -> dict[str, float]:
    """Where a processor emulates bfloat16, the times are those of few tokens, as more could take minutes."""
    a, b = tf.ones((48, _HIDDEN), "bfloat16"), tf.ones((_HIDDEN, _INNER), "bfloat16")
    emulated = min(_seconds(lambda: tf.matmul(a, b)) for _ in range(3)) > _EMULATED
    runs = {dtype: make(dtype, _FEW if emulated else _SHAPE) for dtype in ("float32", "bfloat16")}
    return _fastest(runs, 1, 1 if emulated else _ROUNDS)


def _forward(dtype: str, shape: tuple[int, int]) -> Callable:
    x, weights = _numbers(dtype, dtype, shape)
    return tf.function(lambda: _layer(x, weights, False), autograph=False)


def _step(dtype: str, shape: tuple[int, int]) -> Callable:
    x, weights = _numbers(dtype, "float32", shape)
    variables = {name: tf.Variable(value) for name, value in weights.items()}

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(_layer(x, variables, True), tf.float32))
        return tf.add_n([tf.reduce_sum(grad) for grad in tape.gradient(loss, list(variables.values()))])

    return tf.function(gradients, autograph=False)


def _numbers(dtype: str, kind: str, shape: tuple[int, int]) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """(inputs `[*shape,HIDDEN]` of this dtype, weights of this kind)."""
    random = np.random.default_rng(0)
    shapes = {"fused": (_HIDDEN, 3 * _HIDDEN), "output": (_HIDDEN, _HIDDEN), "inner": (_HIDDEN, _INNER),
              "outer": (_INNER, _HIDDEN)}
    weights = {name: random.normal(0, 0.02, shape).astype("float32") for name, shape in shapes.items()}
    weights |= {f"{name}_bias": np.zeros(shape[1], "float32") for name, shape in shapes.items()}
    weights |= {"gamma": np.ones(_HIDDEN, "float32"), "beta": np.zeros(_HIDDEN, "float32")}
    x = random.normal(size=(*shape, _HIDDEN)).astype("float32")
    return tf.cast(x, dtype), {name: tf.cast(value, kind) for name, value in weights.items()}


def _layer(x, weights, training: bool):
    """Self-attention and feed-forward layer, as `layers.block` computes them."""
    from tfplm.layers.kernels import fused  # which uses the products' times

    def dense(x, name, activation=None):
        return fused.dense(x, weights[name], weights[f"{name}_bias"], activation, training)

    length = x.shape[1]

    def heads(x):
        return tf.transpose(tf.reshape(x, (-1, length, _HEADS, _HIDDEN // _HEADS)), (0, 2, 1, 3))

    query, key, value = map(heads, tf.split(dense(x, "fused"), 3, axis=-1))
    attention = tf.matmul(fused.attention_weights(query, key, (_HIDDEN // _HEADS) ** -0.5), value)
    merged = tf.reshape(tf.transpose(attention, (0, 2, 1, 3)), (-1, length, _HIDDEN))
    x = fused.add_layer_norm(x, dense(merged, "output"), weights["gamma"], weights["beta"], 1e-12)
    return fused.add_layer_norm(x, dense(dense(x, "inner", "gelu"), "outer"), weights["gamma"], weights["beta"], 1e-12)


def _fastest(runs: dict[str, Callable], warm_up: int, rounds: int = _ROUNDS) -> dict[str, float]:
    """The seconds of the fastest round of each run, after `warm_up` that are not counted."""
    times = [{name: _seconds(run) for name, run in runs.items()} for _ in range(warm_up + rounds)][warm_up:]
    return {name: min(round_[name] for round_ in times) for name in runs}


def _seconds(run: Callable) -> float:
    start = time.perf_counter()
    run().numpy()
    return time.perf_counter() - start
