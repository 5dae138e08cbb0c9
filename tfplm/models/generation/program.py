"""The compiled functions of a plan: one processes the prompts, the other generates a given number of tokens."""

import tensorflow as tf

from tfplm.core.keras_internals import flat_layers, kept
from tfplm.layers.cache import reorder
from tfplm.models.generation import beams, decoding, rowwise, search
from tfplm.models.generation.plan import Plan

LARGE = 16_000_000  # parameters; for smaller models compiling with XLA costs more than it saves

class Program:
    """The compiled generation of a model for one plan.

    `start(inputs, numbers)` returns the state after the first token, `proceed(state, cache, rows, numbers, until,
    weights)` the state after `until` tokens. The whole loop is one graph: no step returns to Python, and the cache is
    updated in place.
    """

    def __init__(self, model, plan: Plan):
        self.model, self.plan = model, plan
        self.method = beams if plan.num_beams > 1 else search
        self.start = tf.function(self._start, autograph=False, jit_compile=plan.jit_compile and not plan.rowwise)
        self.proceed = tf.function(self._proceed, autograph=False, jit_compile=plan.jit_compile)

    def weights(self) -> list:
        """The argument `weights` of `proceed`: copies of the weights, made for each call, as training changes them."""
        return rowwise.copies(self.model) if self.plan.rowwise else []

    def _choose(self, numbers, scores, state, cache, rows):
        state, parents = self.method.choose(self.plan, numbers, scores, state, rows["padding"])
        return state, cache if parents is None else reorder(cache, parents)

    def _start(self, inputs, numbers):
        scores, cache, rows = decoding.prefill(self.model, inputs, self.plan.copies, self.plan.new)
        state, cache = self._choose(numbers, scores, self.method.start(self.plan, inputs), cache, rows)
        return state, cache, rows

    def _proceed(self, state, cache, rows, numbers, until, weights):
        def continues(state, cache):
            return tf.logical_and(state["step"] < until, self.method.continues(self.plan, numbers, state))

        def body(state, cache):
            tokens, column = self.method.last_tokens(self.plan, state)
            with rowwise.using(self.model, weights, state["step"]):
                scores, cache = decoding.advance(self.model, tokens, cache, column, rows)
            return self._choose(numbers, scores, state, cache, rows)

        return tf.while_loop(continues, body, (state, cache))


def program(model, plan: Plan) -> Program:
    """The model's program for a plan, created once."""
    programs = kept(model, "_generating_programs", dict)
    if plan not in programs:
        programs[plan] = Program(model, plan)
    return programs[plan]


def choose_compiler(model, rows: int, jit_compile: bool | None) -> tuple[bool, bool]:
    """The fastest `jit_compile` and `rowwise` of the plan for this model and this number of rows.

    A step reads all weights for a few rows, so its matrix products are limited by memory bandwidth. On a CPU, float32
    uses XLA. bfloat16 uses oneDNN, except for a single row, for which XLA is 2.5 times as fast, but only with weights
    `[out, in]`.
    """
    large = model.count_params() > LARGE
    if jit_compile is not None or not large:
        return bool(jit_compile), False
    if tf.config.list_logical_devices("GPU"):
        return True, False
    low = model.compute_dtype == model.variable_dtype == "bfloat16"
    quantized = any(getattr(layer, "quantization_mode", None) for layer in flat_layers(model))
    rowwise = low and rows == 1 and not quantized
    return rowwise or not low, rowwise
