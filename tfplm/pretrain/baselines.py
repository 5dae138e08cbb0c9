"""Baselines without a model: the best constant prediction, given only the frequency of each label."""

import itertools
import math

import numpy as np

from tfplm.pretrain.batches import Batches
from tfplm.pretrain.model import TASK
from tfplm.pretrain.objectives.task import Task

COUNTED = 64  # training batches in which labels are counted
_SMOOTHING = 0.1  # added to each count, so that a label that did not occur has a probability above 0


def _labels(batch: dict, part) -> np.ndarray:
    labels = batch[part.labels].ravel()
    return labels if part.weights is None else labels[batch[part.weights].ravel() > 0]


def baselines(batches: Batches, held_out: list[dict]) -> dict[str, float]:
    """`PART_loss` and `PART_accuracy` on the held-out batches, predicted from the frequencies of the labels in the
    training text: the unigram model for tokens, the majority class for classes.

    Parts whose labels the model makes itself are not included, see `of_rate`.
    """
    result = {}
    for index, task in enumerate(batches.tasks):
        mine = [batch for batch in held_out if len(batches.tasks) == 1 or batch[TASK][0] == index]
        training = list(itertools.islice(batches.stages[-1][1][str(index)].epoch(0), COUNTED))
        for part in _labelled(task):
            counts = sum(np.bincount(_labels(batch, part), minlength=part.classes) for batch in training)
            truth = np.concatenate([_labels(batch, part) for batch in mine]) if mine else np.zeros(0, int)
            if len(truth):
                frequencies = (counts + _SMOOTHING) / (counts.sum() + _SMOOTHING * part.classes)
                loss = float(-np.log(frequencies[truth]).mean())
                result[f"{part.name}_loss"] = loss
                result[f"{part.name}_accuracy"] = float((truth == counts.argmax()).mean())
    return result


def _labelled(task: Task):
    return [part for part in task.parts if part.labels is not None]


def of_rate(name: str, rate: float) -> dict[str, float]:
    """The same for two classes, one of which has the frequency `rate`."""
    rate = min(max(rate, 1e-9), 1 - 1e-9)
    loss = -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)
    return {f"{name}_loss": loss, f"{name}_accuracy": max(rate, 1 - rate)}
