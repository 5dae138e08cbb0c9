"""Greedy search and sampling."""

from keras import ops

from tfplm.models.generation import rules
from tfplm.models.generation.plan import Plan
from tfplm.models.generation.rules import gumbel


def start(plan: Plan, inputs: dict) -> dict:
    """The state before the first token: `history` int32 `[R,P+N]`, `finished` bool `[R]`, `step` int32."""
    history = ops.pad(inputs["ids"], [[0, 0], [0, plan.new]], constant_values=plan.fill)
    history = ops.repeat(history, plan.copies, axis=0)
    return {"step": ops.convert_to_tensor(0, "int32"), "history": history,
            "finished": ops.zeros_like(history[:, 0], dtype="bool")}


def choose(plan: Plan, numbers: dict, scores, state: dict, padding) -> tuple[dict, None]:
    """The state with one more token: the most likely by `scores` `[R,V]`, or a sample from their softmax."""
    step, history, finished = state["step"], state["history"], state["finished"]
    scores = rules.process(plan, numbers, scores, history, padding, step)
    if plan.do_sample:
        scores = scores + gumbel(ops.shape(scores), numbers["seed"], step)
    tokens = ops.cast(ops.argmax(scores, axis=-1), "int32")
    tokens = ops.where(finished, plan.fill, tokens)
    history = rules.put(history, tokens, history.shape[1] - plan.new + step)
    finished = ops.logical_or(finished, rules.ends(plan, numbers, tokens, history, step))
    return {"step": step + 1, "history": history, "finished": finished}, None


def continues(plan: Plan, numbers: dict, state: dict):
    """bool: True while a row has not ended, and another token is allowed."""
    return ops.logical_and(state["step"] < numbers["limit"], ops.logical_not(ops.all(state["finished"])))


def last_tokens(plan: Plan, state: dict):
    """The last token of each row, int32 `[R]`, and its column."""
    column = state["history"].shape[1] - plan.new + state["step"] - 1
    return ops.take(state["history"], column, axis=1), column


def result(plan: Plan, state: dict, count: int) -> dict:
    """`new` int32 `[R,N]`, the tokens after the prompts, and `length`, the number of columns in use."""
    return {"new": state["history"][:, -plan.new:], "length": state["step"]}
