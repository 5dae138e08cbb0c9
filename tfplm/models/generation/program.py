"""The compiled functions of a plan: one reads the prompts, one generates up to a given number of tokens."""

import tensorflow as tf

from tfplm.layers.cache import reorder
from tfplm.models.generation import beams, decoding, rowwise, search
from tfplm.models.generation.plan import Plan

LARGE = 16_000_000  # parameters; smaller models are not worth XLA's compilation time

class Program:
    """`begin(inputs, numbers)` -> the state after one token; `proceed(state, cache, rows, numbers, until, weights)`
    -> a later one.

    The whole loop is one graph: no step returns to Python, and a step writes into the cache in its place.
    """

    def __init__(self, model, plan: Plan):
        self.model, self.plan = model, plan
        self.method = beams if plan.num_beams > 1 else search
        self.begin = tf.function(self._begin, autograph=False, jit_compile=plan.jit_compile and not plan.rowwise)
        self.proceed = tf.function(self._proceed, autograph=False, jit_compile=plan.jit_compile)

    def weights(self) -> list:
        """What `proceed` takes as `weights`: copies of this moment, made for each call, since training changes them."""
        return rowwise.copies(self.model) if self.plan.rowwise else []

    def _choose(self, numbers, scores, state, cache, rows):
        state, parents = self.method.choose(self.plan, numbers, scores, state, rows["padding"])
        return state, cache if parents is None else reorder(cache, parents)

    def _begin(self, inputs, numbers):
        scores, cache, rows = decoding.prefill(self.model, inputs, self.plan.copies, self.plan.new)
        state, cache = self._choose(numbers, scores, self.method.start(self.plan, inputs), cache, rows)
        return state, cache, rows

    def _proceed(self, state, cache, rows, numbers, until, weights):
        def goes_on(state, cache):
            return tf.logical_and(state["step"] < until, self.method.goes_on(self.plan, numbers, state))

        def body(state, cache):
            tokens, place = self.method.last_tokens(self.plan, state)
            with rowwise.instead_of(self.model, weights, state["step"]):
                scores, cache = decoding.advance(self.model, tokens, cache, place, rows)
            return self._choose(numbers, scores, state, cache, rows)

        return tf.while_loop(goes_on, body, (state, cache))


def program(model, plan: Plan) -> Program:
    """The model's program for a plan, made once."""
    programs = model.__dict__.setdefault("_generating_programs", {})
    if plan not in programs:
        programs[plan] = Program(model, plan)
    return programs[plan]


def choose_compiler(model, rows: int, jit_compile: bool | None) -> tuple[bool, bool]:
    """`jit_compile` and `rowwise` of the plan: what is fastest for this model and this number of rows.

    A step reads all weights for a few rows, so that the products are bound by memory. On a CPU, float32 goes through
    XLA. bfloat16 goes through oneDNN, except for a single row: there XLA is 2.5 times as fast, but only for weights
    `[out, in]`.
    """
    large = model.count_params() > LARGE
    if jit_compile is not None or not large:
        return bool(jit_compile), False
    if tf.config.list_logical_devices("GPU"):
        return True, False
    low = model.compute_dtype == model.variable_dtype == "bfloat16"
    quantized = any(getattr(layer, "quantization_mode", None) for layer in model._flatten_layers())
    rowwise = low and rows == 1 and not quantized
    return rowwise or not low, rowwise
