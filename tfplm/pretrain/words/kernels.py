"""The inner loops of word2vec, compiled by numba: dozens of tiny products for each word cannot be TensorFlow operations.

Threads call them without the GIL on shared tables ("Hogwild", Recht et al. 2011). As in word2vec's program, sigmoids are
read from a table, and arguments beyond its ends count as 0 and 1. All arrays are C-contiguous.
"""

import numpy as np
from numba import njit

LONGEST = 10_000  # words; longer sentences are cut
_LIMIT = 6.0  # arguments of the table of sigmoids
_STEPS = 1000
SIGMOID = (1 / (1 + np.exp(-((np.arange(_STEPS) + 0.5) / _STEPS * 2 - 1) * _LIMIT))).astype(np.float32)
_compiled = njit(nogil=True, fastmath=True, cache=True)


@_compiled
def _random(state):
    """The next 31 random bits: the high ones of a linear congruential generator (Knuth's constants)."""
    state[0] = state[0] * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
    return np.int64(state[0] >> np.uint64(33))


@_compiled
def _uniform(state):
    return np.float32(_random(state)) * np.float32(1.0 / 2147483648.0)


@_compiled
def _sigmoid(x):
    if x >= _LIMIT:
        return np.float32(1)
    if x <= -_LIMIT:
        return np.float32(0)
    return SIGMOID[int((x + _LIMIT) * (_STEPS / _LIMIT / 2))]


@_compiled
def _update(hidden, row, label, alpha, work):
    """One logistic regression: its gradient for `hidden` is added to `work`, `row` is updated. Returns the error."""
    total = np.float32(0)
    for d in range(hidden.shape[0]):
        total += hidden[d] * row[d]
    error = label - _sigmoid(total)
    step = error * alpha
    for d in range(hidden.shape[0]):
        work[d] += step * row[d]
        row[d] += step * hidden[d]
    return error


@_compiled
def _loss(error):
    return -np.log(max(1 - abs(error), 1e-6))


@_compiled
def _predict(hidden, word, outputs, tree, noise, negative, alpha, scratch):
    """Predicts a word from `hidden`, by hierarchical softmax if there is a tree, else by negative sampling. The loss."""
    (points, codes), (accept, other), (work, state) = tree, noise, scratch
    work[:] = 0
    loss = 0.0
    if points.shape[0]:
        for level in range(points.shape[1]):
            node = points[word, level]
            if node < 0:
                break
            loss += _loss(_update(hidden, outputs[node], np.float32(1 - codes[word, level]), alpha, work))
        return loss
    loss += _loss(_update(hidden, outputs[word], np.float32(1), alpha, work))
    for _ in range(negative):
        target = _random(state) % accept.shape[0]
        if _uniform(state) >= accept[target]:
            target = np.int64(other[target])
        if target != word:
            loss += _loss(_update(hidden, outputs[target], np.float32(0), alpha, work))
    return loss


@_compiled
def _skipgram(sentence, length, tables, tree, noise, settings, alpha, scratch):
    (inputs, outputs), (_, window, negative), (work, state) = tables, settings, scratch
    loss, count = 0.0, 0
    for at in range(length):
        shrink = _random(state) % window
        for near in range(max(0, at - window + shrink), min(length, at + window + 1 - shrink)):
            if near == at:
                continue
            hidden = inputs[sentence[near]]
            loss += _predict(hidden, sentence[at], outputs, tree, noise, negative, alpha, scratch)
            hidden += work
            count += 1
    return loss, count


@_compiled
def _cbow(sentence, length, tables, tree, noise, settings, alpha, scratch):
    (inputs, outputs), (_, window, negative), (work, state) = tables, settings, scratch
    loss, count = 0.0, 0
    hidden = np.empty(inputs.shape[1], np.float32)
    for at in range(length):
        shrink = _random(state) % window
        start, stop = max(0, at - window + shrink), min(length, at + window + 1 - shrink)
        if stop - start < 2:
            continue
        hidden[:] = 0
        for near in range(start, stop):
            if near != at:
                hidden += inputs[sentence[near]]
        hidden *= np.float32(1) / np.float32(stop - start - 1)
        loss += _predict(hidden, sentence[at], outputs, tree, noise, negative, alpha, scratch)
        for near in range(start, stop):
            if near != at:
                row = inputs[sentence[near]]
                row += work
        count += 1
    return loss, count


@_compiled
def train(ids, keep, tables, tree, noise, settings, alpha, state):
    """Trains on the sentences of `ids`; returns the sum of the losses, and the number of predictions.

    Args:
        ids: int32 `[N]`, -1 after each sentence.
        keep: float32 `[V]`, probabilities of being kept.
        tables: (inputs, outputs), float32 `[V,D]` and `[V,D]`, or `[V-1,D]` for the nodes of a tree; both are changed.
        tree: (points, codes) of the Huffman tree `[V,L]`; `[0,0]` for negative sampling.
        noise: (accept, other), tables for negative words `[V]`.
        settings: (skipgram, window, negative): whether each neighbour predicts the word, or the mean of all of them does
            (CBOW); the largest distance of neighbours, of which the actual one is drawn for each word; negative words.
        alpha: learning rate, float32.
        state: uint64 `[1]` of the random numbers; it is changed.
    """
    sentence, scratch = np.empty(LONGEST, np.int32), (np.empty(tables[0].shape[1], np.float32), state)
    loss, count, length = 0.0, 0, 0
    for index in range(ids.shape[0] + 1):
        word = ids[index] if index < ids.shape[0] else -1
        if word >= 0 and (keep[word] >= 1 or _uniform(state) < keep[word]):
            sentence[length] = word
            length += 1
        if (word < 0 or length == LONGEST) and length:
            if settings[0]:
                more, pairs = _skipgram(sentence, length, tables, tree, noise, settings, alpha, scratch)
            else:
                more, pairs = _cbow(sentence, length, tables, tree, noise, settings, alpha, scratch)
            loss, count, length = loss + more, count + pairs, 0
    return loss, count
