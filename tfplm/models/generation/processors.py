"""What is done to the scores of the next token before it is chosen: pure functions, scores `[R,V]` -> scores `[R,V]`.

`history` int32 `[R,L]` are the tokens so far and `real` bool `[R,L]` tells which of them count: neither padding nor
places that are still to be filled. Scores are float32 logits, or log-probabilities in beam search.
"""

from keras import ops

NEVER = float("-inf")


def occurrences(tokens, counted, vocab_size: int):
    """How often each token of the vocabulary is among the `counted` ones of `tokens` `[R,L]`: int32 `[R,V]`."""
    rows = ops.broadcast_to(ops.arange(ops.shape(tokens)[0], dtype="int32")[:, None], ops.shape(tokens))
    places = ops.reshape(ops.stack([rows, tokens], axis=-1), (-1, 2))
    return ops.scatter(places, ops.reshape(ops.cast(counted, "int32"), (-1,)), (ops.shape(tokens)[0], vocab_size))


def repetition_penalty(scores, history, real, penalty):
    """Positive scores of tokens that occurred are divided by `penalty`, negative ones multiplied (Keskar et al. 2019,
    section 4.1)."""
    seen = occurrences(history, real, scores.shape[-1]) > 0
    return ops.where(seen, ops.where(scores < 0, scores * penalty, scores / penalty), scores)


def no_repeat_ngram(scores, history, real, place, size: int):
    """Forbids tokens that would make a sequence of `size` tokens occur twice; `place` is the next token's column."""
    matches, length = real, history.shape[1]
    for back in range(1, size):  # `matches[r,c]`: the size - 1 tokens before column c are the last ones of the row
        column = ops.maximum(place - back, 0)
        last, counted = (ops.take(x, column, axis=1)[:, None] for x in (history, real))
        same = ops.logical_and(ops.equal(history, last), ops.logical_and(real, counted))
        shifted = ops.pad(same[:, :length - back], [[0, 0], [back, 0]], constant_values=False)
        matches = ops.logical_and(matches, shifted)
    return ops.where(occurrences(history, matches, scores.shape[-1]) > 0, NEVER, scores)


def forbid(scores, ids, when):
    """Forbids the tokens `ids` `[E]` where the scalar `when` holds: an end token before `min_new_tokens`."""
    return ops.where(ops.logical_and(when, _among(scores, ids)), NEVER, scores)


def force(scores, ids, when):
    """Allows the tokens `ids` `[E]` only, each with score 0, where the scalar `when` holds."""
    forced = ops.where(_among(scores, ids), 0.0, NEVER)
    return ops.where(when, ops.broadcast_to(forced, ops.shape(scores)), scores)


def _among(scores, ids):
    """bool `[1,V]`: the tokens `ids` `[E]`."""
    return ops.any(ops.equal(ops.arange(scores.shape[-1], dtype="int32")[None], ids[:, None]), axis=0, keepdims=True)


# ---- filters of sampling; `keep` tokens at least are left


def top_k(scores, k: int, keep: int = 1):
    """The `k` likeliest tokens (Fan et al. 2018, section 5.4)."""
    k = min(max(k, keep), scores.shape[-1])
    return ops.where(scores < ops.top_k(scores, k)[0][:, -1:], NEVER, scores)


def top_p(scores, p, keep: int = 1, most: int | None = None):
    """The fewest likeliest tokens that have the probability `p` together: the nucleus (Holtzman et al. 2020).

    most: how many tokens can be left, where a filter before has made sure of it; saves sorting the vocabulary.
    """
    ordered = ops.top_k(scores, min(max(most or scores.shape[-1], keep), scores.shape[-1]))[0]
    probabilities = ops.softmax(ordered, axis=-1)
    before = ops.cumsum(probabilities, axis=-1) - probabilities
    kept = ops.logical_or(before < p, ops.arange(ordered.shape[-1], dtype="int32")[None] < keep)
    return ops.where(scores < ops.min(ops.where(kept, ordered, float("inf")), axis=-1, keepdims=True), NEVER, scores)


def min_p(scores, p, keep: int = 1):
    """The tokens with at least `p` times the probability of the likeliest one (Nguyen et al. 2024)."""
    least = ops.max(scores, axis=-1, keepdims=True) + ops.log(p)
    if keep > 1:
        least = ops.minimum(least, ops.top_k(scores, keep)[0][:, -1:])
    return ops.where(scores < least, NEVER, scores)


def typical_p(scores, p, keep: int = 1):
    """The tokens whose information is nearest to the expected one, up to the probability `p` (Meister et al. 2023)."""
    logs = ops.log_softmax(scores, axis=-1)
    probabilities = ops.exp(logs)
    entropy = -ops.sum(ops.where(probabilities > 0, logs * probabilities, 0.0), axis=-1, keepdims=True)
    strangeness = ops.where(scores > NEVER, ops.abs(-logs - entropy), float("inf"))
    nearest, order = ops.top_k(-strangeness, scores.shape[-1])
    before = ops.cumsum(ops.take_along_axis(probabilities, order, axis=-1), axis=-1)
    last = ops.clip(ops.sum(ops.cast(before < p, "int32"), axis=-1, keepdims=True), keep - 1, scores.shape[-1] - 1)
    return ops.where(-strangeness < ops.take_along_axis(nearest, last, axis=-1), NEVER, scores)
