"""Beam search, with the stopping rules of Hugging Face transformers, the reference."""

from keras import ops

from tfplm.models.generation import rules
from tfplm.models.generation.plan import Plan
from tfplm.models.generation.rules import gumbel

LOW = -1e9  # "minus infinity" as in the reference, finite so that it can be added


def start(plan: Plan, inputs: dict) -> dict:
    """The state before the first token: k running texts of each prompt, of which only the first counts, none finished.

    `running`, `done` int32 `[B,k,P+N]`; `running_scores`, `done_scores` float32 `[B,k]`: log-probabilities, the latter
    divided by length ** length_penalty; `done_flags` bool, `done_lengths` int32 `[B,k]`; `open` bool `[B]`: True while
    a running text can become better than a finished one; `alive` bool: True while any prompt needs more tokens.
    """
    history = ops.pad(inputs["ids"], [[0, 0], [0, plan.new]], constant_values=plan.fill)
    history = ops.repeat(history[:, None], plan.num_beams, axis=1)
    zeros = ops.zeros_like(history[..., 0], dtype="float32")  # [B,k]
    first = ops.equal(ops.arange(plan.num_beams, dtype="int32"), 0)[None]
    return {"step": ops.convert_to_tensor(0, "int32"), "running": history, "done": history,
            "running_scores": ops.where(first, zeros, LOW), "done_scores": zeros + LOW,
            "done_flags": zeros > 0, "done_lengths": ops.cast(zeros, "int32"), "open": zeros[:, 0] >= 0,
            "alive": ops.convert_to_tensor(True)}


def _pick(tensors: tuple, indices) -> tuple:
    """Takes the `indices` `[B,k]` of each tensor `[B,K,...]` -> `[B,k,...]`."""
    return tuple(ops.take_along_axis(x, indices if len(x.shape) == 2 else indices[..., None], axis=1) for x in tensors)


def _candidates(plan: Plan, numbers: dict, scores, state: dict, padding) -> dict:
    """The K best continuations of each prompt's k running texts; K is so large that at least k do not end the text."""
    running, step, beams, vocab_size = state["running"], state["step"], plan.num_beams, scores.shape[-1]
    history = ops.reshape(running, (-1, running.shape[2]))
    scores = rules.process(plan, numbers, ops.log_softmax(scores, axis=-1), history, padding, step)
    total = ops.reshape(scores, (-1, beams, vocab_size)) + state["running_scores"][..., None]
    total = ops.reshape(total, (-1, beams * vocab_size))
    order = total + gumbel(ops.shape(total), numbers["seed"], step) if plan.do_sample else total
    count = max(2, 1 + (numbers["eos"].shape[0] if "eos" in plan.rules else 0)) * beams
    _, best = ops.top_k(order, min(count, beams * vocab_size))  # [B,K]
    best = ops.cast(best, "int32")
    parents, tokens = best // vocab_size, best % vocab_size
    (texts,) = _pick((running,), parents)
    texts = rules.put(texts, tokens, running.shape[2] - plan.new + step)  # [B,K,P+N]
    ended = ops.logical_or(rules.ends(plan, numbers, tokens, texts, step), step + 1 >= numbers["limit"])
    return {"texts": texts, "scores": ops.take_along_axis(total, best, axis=1), "parents": parents, "ended": ended}


def _finish(plan: Plan, numbers: dict, found: dict, state: dict) -> dict:
    """The k best finished texts, old and new. A new one counts only if it is among the k best continuations."""
    count = found["ended"].shape[1]
    counts = ops.logical_and(found["ended"], ops.arange(count, dtype="int32")[None] < plan.num_beams)
    length = state["step"] + 1
    scores = found["scores"] / ops.power(ops.cast(length, "float32"), numbers["length_penalty"])
    closed = ops.logical_not(state["open"])[:, None]
    if plan.early_stopping == "true":
        closed = ops.logical_or(closed, ops.all(state["done_flags"], axis=1, keepdims=True))
    scores = scores + ops.where(closed, LOW, 0.0) + ops.where(counts, 0.0, LOW)
    scores = ops.concatenate([state["done_scores"], scores], axis=1)
    scores, best = ops.top_k(scores, plan.num_beams)
    lengths = ops.broadcast_to(length, ops.shape(found["parents"]))
    merged = (ops.concatenate([state["done"], found["texts"]], axis=1),
              ops.concatenate([state["done_flags"], counts], axis=1),
              ops.concatenate([state["done_lengths"], lengths], axis=1))
    done, flags, lengths = _pick(merged, ops.cast(best, "int32"))
    return {"done": done, "done_scores": scores, "done_flags": flags, "done_lengths": lengths}


def _may_improve(plan: Plan, numbers: dict, state: dict):
    """bool `[B]`: True if the best running text can still become better than a finished one.

    This is exact for `early_stopping="never"`; otherwise the running text is scored as if it ended now.
    """
    length = ops.cast(state["step"], "float32")
    if plan.early_stopping == "never":
        length = ops.where(numbers["length_penalty"] > 0, ops.cast(numbers["limit"], "float32"), length)
    possible = state["running_scores"][:, :1] / ops.power(length, numbers["length_penalty"])
    worst = ops.where(state["done_flags"], ops.min(state["done_scores"], axis=1, keepdims=True), LOW)
    return ops.any(possible > worst, axis=1)


def choose(plan: Plan, numbers: dict, scores, state: dict, padding) -> tuple:
    """The state with one more token, and the rows that the new running texts continue, int32 `[B * k]`."""
    found = _candidates(plan, numbers, scores, state, padding)
    scores = found["scores"] + ops.where(found["ended"], LOW, 0.0)
    scores, best = ops.top_k(scores, plan.num_beams)
    running, parents = _pick((found["texts"], found["parents"]), ops.cast(best, "int32"))
    state = {**state, **_finish(plan, numbers, found, state), "running": running, "running_scores": scores,
             "step": state["step"] + 1}
    state["open"] = ops.logical_and(state["open"], _may_improve(plan, numbers, state))
    alive = ops.logical_and(ops.any(state["open"]), ops.logical_not(ops.all(found["ended"])))
    if plan.early_stopping == "true":
        alive = ops.logical_and(alive, ops.logical_not(ops.all(state["done_flags"])))
    state["alive"] = alive
    rows = ops.arange(ops.shape(parents)[0], dtype="int32")[:, None] * plan.num_beams + parents
    return state, ops.reshape(rows, (-1,))


def continues(plan: Plan, numbers: dict, state: dict):
    """bool: True while the result of a prompt can still change."""
    return ops.logical_and(state["step"] < numbers["limit"], state["alive"])


def last_tokens(plan: Plan, state: dict):
    """The last token of each running text, int32 `[B * k]`, and its column."""
    column = state["running"].shape[2] - plan.new + state["step"] - 1
    return ops.reshape(ops.take(state["running"], column, axis=2), (-1,)), column


def result(plan: Plan, state: dict, count: int) -> dict:
    """The `count` best texts of each prompt: `new` int32 `[B * count,N]`, `length`, and their `scores`."""
    return {"new": ops.reshape(state["done"][:, :count, -plan.new:], (-1, plan.new)),
            "length": ops.max(state["done_lengths"][:, :count]),
            "scores": ops.reshape(state["done_scores"][:, :count], (-1,))}
