"""The two compiled functions of a plan: one reads the prompts, one generates up to a given number of tokens."""

import tensorflow as tf

from tfplm.layers.cache import reorder
from tfplm.models.generation import beams, decoding, search
from tfplm.models.generation.plan import Plan


class Program:
    """`begin(inputs, numbers)` -> the state after one token; `proceed(state, numbers, until)` -> a later state.

    The whole loop is one graph: no step returns to Python, and a step writes into the cache in its place. Weights are
    read as they are; nothing is cast or copied in a step.
    """

    def __init__(self, model, plan: Plan):
        self.model, self.plan = model, plan
        self.method = beams if plan.num_beams > 1 else search
        self.begin = tf.function(self._begin, jit_compile=plan.jit_compile)
        self.proceed = tf.function(self._proceed, jit_compile=plan.jit_compile)

    def _choose(self, numbers, scores, state, cache, rows):
        state, parents = self.method.choose(self.plan, numbers, scores, state, rows["padding"])
        return state, cache if parents is None else reorder(cache, parents)

    def _begin(self, inputs, numbers):
        scores, cache, rows = decoding.prefill(self.model, inputs, self.plan.copies, self.plan.new)
        state, cache = self._choose(numbers, scores, self.method.start(self.plan, inputs), cache, rows)
        return state, cache, rows

    def _proceed(self, state, cache, rows, numbers, until):
        def goes_on(state, cache):
            return tf.logical_and(state["step"] < until, self.method.goes_on(self.plan, numbers, state))

        def body(state, cache):
            tokens, place = self.method.last_tokens(self.plan, state)
            scores, cache = decoding.advance(self.model, tokens, cache, place, rows)
            return self._choose(numbers, scores, state, cache, rows)

        return tf.while_loop(goes_on, body, (state, cache))


def program(model, plan: Plan) -> Program:
    """The model's program for a plan, made once."""
    programs = model.__dict__.setdefault("_generating_programs", {})
    if plan not in programs:
        programs[plan] = Program(model, plan)
    return programs[plan]
