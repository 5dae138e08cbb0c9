"""What can be had without a model: the best answer that knows nothing but how often each label occurs."""

import itertools
import math

import numpy as np

from tfplm.pretrain.batches import Batches
from tfplm.pretrain.model import TASK
from tfplm.pretrain.objectives.task import Task

COUNTED = 64  # training batches in which labels are counted
_SMOOTHING = 0.1  # added to each count: a label that did not occur is not impossible


def _labels(batch: dict, part) -> np.ndarray:
    labels = batch[part.labels].ravel()
    return labels if part.weights is None else labels[batch[part.weights].ravel() > 0]


def baselines(batches: Batches, held_out: list[dict]) -> dict[str, float]:
    """`PART_loss`, `PART_accuracy` (and `PART_perplexity`) on the held-out batches, of the frequencies of the labels in
    the training text: the unigram model of tokens, the majority of classes.

    Parts whose labels come out of the model are not among them, see `of_rate`.
    """
    result = {}
    for number, task in enumerate(batches.tasks):
        mine = [batch for batch in held_out if len(batches.tasks) == 1 or batch[TASK][0] == number]
        training = list(itertools.islice(batches.stages[-1][1][str(number)].epoch(0), COUNTED))
        for part in _labelled(task):
            counts = sum(np.bincount(_labels(batch, part), minlength=part.classes) for batch in training)
            truth = np.concatenate([_labels(batch, part) for batch in mine]) if mine else np.zeros(0, int)
            if len(truth):
                shares = (counts + _SMOOTHING) / (counts.sum() + _SMOOTHING * part.classes)
                loss = float(-np.log(shares[truth]).mean())
                result[f"{part.name}_loss"] = loss
                result[f"{part.name}_accuracy"] = float((truth == counts.argmax()).mean())
    return result


def _labelled(task: Task):
    return [part for part in task.parts if part.labels is not None]


def of_rate(name: str, rate: float) -> dict[str, float]:
    """The same for two classes of which one has this share."""
    rate = min(max(rate, 1e-9), 1 - 1e-9)
    loss = -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)
    return {f"{name}_loss": loss, f"{name}_accuracy": max(rate, 1 - rate)}
