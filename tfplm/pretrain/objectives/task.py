"""A task: the objectives of one kind of batch, with the noise that makes the batch and the predictions for it."""

import keras
import numpy as np

from tfplm.data.batches.batch_source import Column
from tfplm.pretrain.losses import mean_weights
from tfplm.pretrain.objectives.catalogue import OBJECTIVES, TaskPlan
from tfplm.pretrain.objectives.objective import Forward, Objective, Part, Setting

_FOR_NOISE_ONLY = ("word_starts", "sentence_ids")


class Task:
    """Objectives that share the batches that `noise` makes. Those that corrupt the tokens come first in the model but
    last in the noise, because the others label the uncorrupted text.

    keys: the keys of its own batches, if batches have the keys of other tasks as well; else None.
    """

    def __init__(self, plan: TaskPlan, objectives: list[Objective]):
        self.plan = plan
        self.keys: frozenset[str] | None = None
        self.objectives = sorted(objectives, key=lambda objective: not objective.corrupts)

    @property
    def parts(self) -> list[Part]:
        return [part for objective in self.objectives for part in objective.parts()]

    @property
    def columns(self) -> dict[str, Column]:
        return {key: make for objective in self.objectives for key, make in objective.columns().items()}

    def raw_length(self, length: int) -> int:
        return self.objectives[0].raw_length(length)

    def noise(self, batch: dict, rng: np.random.Generator) -> dict:
        """A packed batch -> inputs and labels of the model, int32, and weights, float32 (see `mean_weights`)."""
        for objective in reversed(self.objectives):
            batch = objective.noise(batch, rng)
        return finished(batch)

    def predict(self, model: keras.Model, batch: dict, training: bool) -> dict[str, tuple]:
        """Name of a part -> (logits, labels, weights)."""
        own = {key: value for key, value in batch.items() if self.keys is None or key in self.keys}
        forward, predictions = Forward(model, own, training), {}
        for objective in self.objectives:
            predictions |= objective.predict(forward)
        return predictions


def finished(batch: dict) -> dict:
    """The batch without the keys that only noise needs, and with `mean_weights`."""
    return {name: mean_weights(value) if name.endswith("_weights") else value
            for name, value in batch.items() if name not in _FOR_NOISE_ONLY}


def make_tasks(plans: list[TaskPlan], setting: Setting) -> list[Task]:
    """The tasks; two of them that have an objective with the same weight share it.

    Raises ValueError if an objective does not work with the architecture or the vocabulary.
    """
    config, made = setting.config, {}
    for plan in plans:
        for term, kind in zip(plan.terms, plan.kinds):
            kind.check_architecture(config)
            if term not in made:
                made[term] = OBJECTIVES[term[0]](setting, term[1])
    return [Task(plan, [made[term] for term in plan.terms]) for plan in plans]
