"""Linear-chain conditional random field on top of a tagger's logits."""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

FORBIDDEN = -1e4  # finite, so that a sentence tagged against the constraints has a finite loss and gradient


@dataclasses.dataclass(frozen=True)
class Constraints:
    """The allowed transitions between tags: bool `transitions [L,L]` (row: first tag), `start [L]` and `end [L]`."""

    transitions: Sequence[Sequence[bool]]
    start: Sequence[bool]
    end: Sequence[bool]


@keras.saving.register_keras_serializable("tfplm")
class CRF(keras.layers.Layer):
    """A linear-chain CRF (Lafferty et al. 2001), on top of a tagger as in Lample et al. 2016, section 2.

    The score of tags y at the steps 0 ... n is `start[y_0] + sum logits[t, y_t] + sum transitions[y_(t-1), y_t] +
    end[y_n]`; their probability is the softmax of it over all sequences of tags. The scores are initialized with zeros,
    so the tags are independent, as without a CRF. The computation is in float32 for logits of any dtype.

    A mask skips steps at any position (a CLS at the start, sub-tokens in the middle, padding at the end): the chain
    continues from the last step before them. Gradients are the marginals of the forward-backward algorithm, so that no
    states of the recursion are kept, and XLA can compile it.

    Args:
        num_labels: L, the number of tags.
        constraints: the allowed transitions, such as `tfplm.data.tasks.spans.bio_constraints(labels)`.
    """

    def __init__(self, num_labels: int, constraints: Constraints | dict | None = None, **keywords):
        super().__init__(**keywords)
        self.num_labels = num_labels
        self.constraints = Constraints(**constraints) if isinstance(constraints, dict) else constraints
        shapes = {"transitions": (num_labels, num_labels), "start": (num_labels,), "end": (num_labels,)}
        for part, shape in shapes.items():
            setattr(self, part, self.add_weight(name=part, shape=shape, initializer="zeros", dtype="float32",
                                                autocast=False))
            if self.constraints is not None and np.shape(getattr(self.constraints, part)) != shape:
                raise ValueError(f"the constraints' {part} have the shape {np.shape(getattr(self.constraints, part))}, "
                                 f"expected {shape} for {num_labels} labels: pass the constraints of these labels")
        self.built = True

    def call(self, logits, keep=None):
        """`decode(logits, keep)`."""
        return self.decode(logits, keep)

    def log_likelihood(self, logits, labels, mask=None):
        """The log-probability of the labels, float32 `[B]`; 0 for a row without any step.

        Args:
            logits: `[B,T,L]`.
            labels: int `[B,T]`; any value where the mask is 0.
            mask: `[B,T]`, 0 for steps to skip (default: steps with a negative label).
        """
        mask = labels >= 0 if mask is None else mask
        steps = _Steps(logits, mask)
        labels = steps.collect(ops.cast(labels, "int32"))
        labels = ops.where(steps.real, labels, 0)
        transitions, start, end = self._scores()
        emitted = ops.take_along_axis(steps.logits, labels[:, :, None], axis=2)[:, :, 0]
        pairs = labels[:, :-1] * self.num_labels + labels[:, 1:]
        moved = ops.take(ops.reshape(transitions, (-1,)), pairs)  # [B,T-1]
        last = ops.take_along_axis(labels, ops.maximum(steps.lengths - 1, 0)[:, None], axis=1)[:, 0]
        score = ops.sum(ops.where(steps.real, emitted, 0.0), axis=1) + ops.take(start, labels[:, 0]) \
            + ops.sum(ops.where(steps.real[:, 1:], moved, 0.0), axis=1) + ops.take(end, last)
        likelihood = score - _log_partition(steps, transitions, start, end)
        return ops.where(steps.lengths > 0, likelihood, 0.0)

    def log_partition(self, logits, mask=None):
        """The logarithm of the partition function, the sum over all sequences of tags, float32 `[B]`."""
        steps = _Steps(logits, mask)
        return ops.where(steps.lengths > 0, _log_partition(steps, *self._scores()), 0.0)

    def marginals(self, logits, mask=None):
        """The probability of each tag at each step, float32 `[B,T,L]`; 0 where the mask is 0."""
        steps = _Steps(logits, mask)
        transitions, start, end = self._scores()
        alphas, total = _forward(steps, transitions, start, end)
        betas, _ = _backward(steps, transitions, end)
        return steps.spread(_probabilities(steps, alphas, betas, total))

    def decode(self, logits, mask=None):
        """The best tags, int32 `[B,T]` (0 where the mask is 0), and their scores, float32 `[B]` (Viterbi 1967)."""
        steps = _Steps(logits, mask)
        transitions, start, end = self._scores()

        def forward(carry, index):
            best, (emission, real, first) = carry[0], steps.at(index)
            paths = best[:, :, None] + transitions
            arriving = ops.where(first, start, ops.max(paths, axis=1)) + emission
            origin = ops.cast(ops.argmax(paths, axis=1), "int32")
            stay = ops.arange(self.num_labels, dtype="int32")[None]
            carry = ops.where(real, arriving, best), ops.where(real, origin, stay)
            return carry, carry

        start_of = ops.zeros_like(steps.logits[:, 0])
        (best, _), (_, origins) = ops.scan(forward, (start_of, ops.cast(start_of, "int32")), steps.indices)
        last = ops.cast(ops.argmax(best + end, axis=1), "int32")

        def back(tag, origin):  # the tag of this step -> the tag of the previous step
            previous = ops.take_along_axis(origin, tag[:, None], axis=1)[:, 0]
            return previous, tag

        # after the end the tag is the last one, as each tag there originates from itself
        _, tags = ops.scan(back, last, origins, reverse=True)
        tags = steps.spread(ops.transpose(tags)[:, :, None])[:, :, 0]
        return tags, ops.where(steps.lengths > 0, ops.max(best + end, axis=1), 0.0)

    def _scores(self):
        """The transitions, start and end as float32 tensors, with the constraints."""
        scores = []
        for part in ("transitions", "start", "end"):
            value = ops.copy(getattr(self, part))  # a tensor, as functions with custom gradients accept no variables
            if self.constraints is not None:
                value = ops.where(np.array(getattr(self.constraints, part), bool), value, FORBIDDEN)
            scores.append(value)
        return scores

    def get_config(self):
        constraints = None
        if self.constraints is not None:
            constraints = {part: np.array(value, bool).tolist() for part, value in vars(self.constraints).items()}
        return {**super().get_config(), "num_labels": self.num_labels, "constraints": constraints}


class _Steps:
    """The steps that a mask keeps, moved to the left without gaps.

    `logits` float32 `[B,T,L]`, `real` bool `[B,T]`, `lengths` int32 `[B]`.
    """

    def __init__(self, logits, mask):
        self.logits = ops.cast(logits, "float32")
        self.mask = ops.ones(ops.shape(logits)[:2], "bool") if mask is None else ops.not_equal(mask, 0)
        kept = ops.cast(self.mask, "int32")
        length = ops.shape(logits)[1]
        self.indices = ops.arange(length, dtype="int32")  # [T]
        self.lengths = ops.sum(kept, axis=1)
        self.order = ops.argsort(self.indices + (1 - kept) * length, axis=1)  # all keys are different
        self.targets = ops.maximum(ops.cumsum(kept, axis=1) - 1, 0)  # the new index of each step
        self.real = self.indices < self.lengths[:, None]
        self.logits = self.collect(self.logits)
        # after the last step there is one more that is not real, for accesses to the next step
        self.in_time = ops.pad(ops.transpose(self.logits, (1, 0, 2)), ((0, 1), (0, 0), (0, 0)))  # [T+1,B,L]
        self.real_in_time = ops.pad(ops.transpose(self.real), ((0, 1), (0, 0)))[:, :, None]  # [T+1,B,1]

    def collect(self, x):
        """Moves the kept steps of `[B,T]` or `[B,T,L]` to the left."""
        order = self.order if len(x.shape) == 2 else self.order[:, :, None]
        return ops.take_along_axis(x, order, axis=1)

    def spread(self, x):
        """Moves the kept steps `[B,T,L]` back to their original indices; other steps are 0."""
        x = ops.take_along_axis(x, self.targets[:, :, None], axis=1)
        return ops.where(self.mask[:, :, None], x, ops.zeros_like(x))

    def at(self, index):
        """(logits `[B,L]`, True if real `[B,1]`, True if first) of a step."""
        return self.in_time[index], self.real_in_time[index], index == 0


def _forward(steps, transitions, start, end):
    """alpha `[T,B,L]`, the log-sums over the tags before each step, and the log-sum over all sequences `[B]`."""

    def step(alpha, index):
        emission, real, first = steps.at(index)
        arriving = ops.where(first, start, ops.logsumexp(alpha[:, :, None] + transitions, axis=1)) + emission
        alpha = ops.where(real, arriving, alpha)
        return alpha, alpha

    last, alphas = ops.scan(step, ops.zeros_like(steps.logits[:, 0]), steps.indices)
    return alphas, ops.logsumexp(last + end, axis=1)


def _backward(steps, transitions, end, weights=None):
    """beta `[T,B,L]`, the log-sums over the tags after each step, and the expected counts of transitions `[L,L]`.

    weights: (alpha `[T,B,L]`, the log-sum over all sequences `[B]`, a factor per row `[B]`), for the expected counts.
    """

    def step(carry, index):
        beta, expected = carry
        emission, continues, _ = steps.at(index + 1)
        paths = transitions + (emission + beta)[:, None, :]  # [B,L,L]
        if weights is not None:
            alphas, total, factor = weights
            probability = ops.exp(paths + alphas[index][:, :, None] - total[:, None, None])
            probability = ops.where(continues[:, :, None], probability, 0.0)
            expected = expected + ops.sum(probability * factor[:, None, None], axis=0)
        carry = ops.where(continues, ops.logsumexp(paths, axis=2), end), expected
        return carry, carry

    init = ops.zeros_like(steps.logits[:, 0]), ops.zeros_like(transitions)
    (_, expected), (betas, _) = ops.scan(step, init, steps.indices, reverse=True)
    return betas, expected


def _probabilities(steps, alphas, betas, total):
    """Marginals of the kept steps, `[B,T,L]`."""
    probabilities = ops.exp(ops.transpose(alphas + betas, (1, 0, 2)) - total[:, None, None])
    return ops.where(steps.real[:, :, None], probabilities, 0.0)


def _log_partition(steps, transitions, start, end):
    """The log-sum over all sequences, float32 `[B]`, with gradients for the logits and the scores."""

    @ops.custom_gradient
    def compute(logits, transitions, start, end):
        alphas, total = _forward(steps, transitions, start, end)

        def gradient(upstream):
            upstream = ops.where(steps.lengths > 0, upstream, 0.0)
            betas, expected = _backward(steps, transitions, end, (alphas, total, upstream))
            marginals = _probabilities(steps, alphas, betas, total) * upstream[:, None, None]
            last = ops.maximum(steps.lengths - 1, 0)[:, None, None]
            ends = ops.take_along_axis(marginals, last, axis=1)[:, 0]
            return marginals, expected, ops.sum(marginals[:, 0], axis=0), ops.sum(ends, axis=0)

        return total, gradient

    return compute(steps.logits, transitions, start, end)
