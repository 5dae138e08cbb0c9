"""The rules of a plan applied to the next token: processing of its scores, and detection of the end of a text."""

import tensorflow as tf
from keras import ops

from tfplm.models.generation import processors
from tfplm.models.generation.plan import Plan


def gumbel(shape, seed, step):
    """float32 Gumbel noise, which depends on `seed` and `step` only.

    The argmax of scores + noise is a sample from softmax(scores), the top k are k samples without replacement (Kool et
    al. 2019).
    """
    tiny = 1e-20
    uniform = tf.random.stateless_uniform(shape, tf.stack([seed, step]), minval=tiny, maxval=1.0)
    return -tf.math.log(-tf.math.log(uniform))


def process(plan: Plan, numbers: dict, scores, history, padding, step):
    """Applies all rules to the scores `[R,V]`, in the order of the reference.

    history: int32 `[R,P+N]`, the prompts and the generated tokens; step: number of generated tokens.
    padding: int32 `[R]`, number of columns before the prompts.
    """
    column = history.shape[1] - plan.new + step
    columns = ops.arange(history.shape[1], dtype="int32")[None]
    real = ops.logical_and(columns >= padding[:, None], columns < column)
    if "repetition_penalty" in plan.rules:
        scores = processors.repetition_penalty(scores, history, real, numbers["repetition_penalty"])
    if plan.no_repeat_ngram_size:
        scores = processors.no_repeat_ngram(scores, history, real, column, plan.no_repeat_ngram_size)
    if "min_new_tokens" in plan.rules:
        scores = processors.forbid(scores, numbers["eos"], step < numbers["min_new_tokens"])
    if "forced_bos" in plan.rules:
        scores = processors.force(scores, numbers["forced_bos"], ops.equal(step, 0))
    if "forced_eos" in plan.rules:
        scores = processors.force(scores, numbers["forced_eos"], ops.equal(step, numbers["limit"] - 1))
    return filtered(plan, numbers, scores) if plan.do_sample else scores


def filtered(plan: Plan, numbers: dict, scores):
    """The scores of the tokens to sample from, -inf for the others."""
    if "temperature" in plan.rules:
        scores = scores / numbers["temperature"]
    if plan.top_k is not None:
        scores = processors.top_k(scores, plan.top_k, plan.keep)
    if "top_p" in plan.rules:
        scores = processors.top_p(scores, numbers["top_p"], plan.keep, plan.top_k)
    if "min_p" in plan.rules:
        scores = processors.min_p(scores, numbers["min_p"], plan.keep)
    if "typical_p" in plan.rules:
        scores = processors.typical_p(scores, numbers["typical_p"], plan.keep)
    return scores


def ends(plan: Plan, numbers: dict, tokens, history, step):
    """bool of the shape of `tokens` `[...]`: True for end tokens, and for the last token of a stop sequence.

    history: `[...,P+N]`, with `tokens` in their column.
    """
    ended = ops.zeros_like(tokens, dtype="bool")
    if "eos" in plan.rules:
        ended = ops.any(ops.equal(tokens[..., None], numbers["eos"]), axis=-1)
    if "stop_sequences" in plan.rules:
        stops = numbers["stop_sequences"]  # [M,W], -1 before the shorter ones
        width = stops.shape[1]
        first = history.shape[-1] - plan.new + step - width + 1
        last = ops.take(history, ops.maximum(first + ops.arange(width, dtype="int32"), 0), axis=-1)  # [...,W]
        lengths = ops.sum(ops.cast(stops >= 0, "int32"), axis=-1)
        same = ops.all(ops.logical_or(ops.equal(last[..., None, :], stops), stops < 0), axis=-1)  # [...,M]
        ended = ops.logical_or(ended, ops.any(ops.logical_and(same, lengths <= step + 1), axis=-1))
    return ended


def put(history, tokens, column):
    """`history` `[...,L]` with `tokens` `[...]` in the given column."""
    selected = ops.equal(ops.arange(history.shape[-1], dtype="int32"), column)
    return ops.where(selected, tokens[..., None], history)
