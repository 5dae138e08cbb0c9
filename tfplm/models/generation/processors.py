"""Processors of the scores of the next token: pure functions, scores `[R,V]` -> scores `[R,V]`.

`history` int32 `[R,L]` are the tokens so far, and `real` bool `[R,L]` is True for those that count, and False for
padding and columns that are not filled yet. Scores are float32 logits, or log-probabilities in beam search.
"""

from keras import ops

NEVER = float("-inf")


def occurrences(tokens, counted, vocab_size: int):
    """Counts of each token of the vocabulary, int32 `[R,V]`, among the tokens `[R,L]` for which `counted` is True."""
    rows = ops.broadcast_to(ops.arange(ops.shape(tokens)[0], dtype="int32")[:, None], ops.shape(tokens))
    indices = ops.reshape(ops.stack([rows, tokens], axis=-1), (-1, 2))
    return ops.scatter(indices, ops.reshape(ops.cast(counted, "int32"), (-1,)), (ops.shape(tokens)[0], vocab_size))


def repetition_penalty(scores, history, real, penalty):
    """Divides positive scores of tokens that occurred by `penalty`, and multiplies negative ones with it.

    Keskar et al. 2019, section 4.1.
    """
    occurred = occurrences(history, real, scores.shape[-1]) > 0
    return ops.where(occurred, ops.where(scores < 0, scores * penalty, scores / penalty), scores)


def no_repeat_ngram(scores, history, real, column, size: int):
    """Forbids tokens that would repeat a sequence of `size` tokens; `column` is that of the next token."""
    matches, length = real, history.shape[1]
    for back in range(1, size):  # `matches[r,c]`: the size - 1 tokens before column c are the last ones of the row
        previous = ops.maximum(column - back, 0)
        last, counted = (ops.take(x, previous, axis=1)[:, None] for x in (history, real))
        same = ops.logical_and(ops.equal(history, last), ops.logical_and(real, counted))
        shifted = ops.pad(same[:, :length - back], [[0, 0], [back, 0]], constant_values=False)
        matches = ops.logical_and(matches, shifted)
    return ops.where(occurrences(history, matches, scores.shape[-1]) > 0, NEVER, scores)


def forbid(scores, ids, when):
    """Forbids the tokens `ids` `[E]` if the scalar `when` is True, such as end tokens before `min_new_tokens`."""
    return ops.where(ops.logical_and(when, _among(scores, ids)), NEVER, scores)


def force(scores, ids, when):
    """Allows only the tokens `ids` `[E]`, each with score 0, if the scalar `when` is True."""
    forced = ops.where(_among(scores, ids), 0.0, NEVER)
    return ops.where(when, ops.broadcast_to(forced, ops.shape(scores)), scores)


def _among(scores, ids):
    """bool `[1,V]`: True for the tokens `ids` `[E]`."""
    return ops.any(ops.equal(ops.arange(scores.shape[-1], dtype="int32")[None], ids[:, None]), axis=0, keepdims=True)


# ---- filters of sampling, which keep at least `keep` tokens


def top_k(scores, k: int, keep: int = 1):
    """Keeps the `k` most likely tokens (Fan et al. 2018, section 5.4)."""
    k = min(max(k, keep), scores.shape[-1])
    return ops.where(scores < ops.top_k(scores, k)[0][:, -1:], NEVER, scores)


def top_p(scores, p, keep: int = 1, maximum: int | None = None):
    """Keeps the nucleus: the fewest most likely tokens with a total probability of at least `p` (Holtzman et al. 2020).

    maximum: number of tokens kept by an earlier filter, if there is one; it avoids sorting the whole vocabulary.
    """
    ordered = ops.top_k(scores, min(max(maximum or scores.shape[-1], keep), scores.shape[-1]))[0]
    probabilities = ops.softmax(ordered, axis=-1)
    preceding = ops.cumsum(probabilities, axis=-1) - probabilities
    kept = ops.logical_or(preceding < p, ops.arange(ordered.shape[-1], dtype="int32")[None] < keep)
    return ops.where(scores < ops.min(ops.where(kept, ordered, float("inf")), axis=-1, keepdims=True), NEVER, scores)


def min_p(scores, p, keep: int = 1):
    """Keeps the tokens with at least `p` times the probability of the most likely one (Nguyen et al. 2024)."""
    minimum = ops.max(scores, axis=-1, keepdims=True) + ops.log(p)
    if keep > 1:
        minimum = ops.minimum(minimum, ops.top_k(scores, keep)[0][:, -1:])
    return ops.where(scores < minimum, NEVER, scores)


def typical_p(scores, p, keep: int = 1):
    """Keeps the tokens whose information is nearest to the entropy, up to probability `p` (Meister et al. 2023)."""
    logs = ops.log_softmax(scores, axis=-1)
    probabilities = ops.exp(logs)
    entropy = -ops.sum(ops.where(probabilities > 0, logs * probabilities, 0.0), axis=-1, keepdims=True)
    distance = ops.where(scores > NEVER, ops.abs(-logs - entropy), float("inf"))
    nearest, order = ops.top_k(-distance, scores.shape[-1])
    total = ops.cumsum(ops.take_along_axis(probabilities, order, axis=-1), axis=-1)
    last = ops.clip(ops.sum(ops.cast(total < p, "int32"), axis=-1, keepdims=True), keep - 1, scores.shape[-1] - 1)
    return ops.where(-distance < ops.take_along_axis(nearest, last, axis=-1), NEVER, scores)
