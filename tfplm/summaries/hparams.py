"""Hyperparameters of a run, for TensorBoard's HPARAMS page."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from tensorboard.plugins.hparams import api


def _plain(value):
    """Converts a value to a type that the page supports: bool, int, float or str."""
    return value if isinstance(value, bool | int | float | str | np.number) else str(value)


def write_hparams(values, metrics: Mapping[str, str] | None = None, trial: str | None = None) -> None:
    """Writes the hyperparameters of a run, and the list of metrics to show with them, to the current writer.

    Args:
        values: a dict, or a dataclass such as a verb's options; None and other objects are written as text.
        metrics: tag of a scalar -> folder of its writer relative to that of the current one, such as
            `{"accuracy": "validation"}`; `""` for the current writer.
        trial: the name of the run; default: derived from the values, so that equal runs form a group.
    """
    if dataclasses.is_dataclass(values):
        values = dataclasses.asdict(values)
    values = {name: _plain(value) for name, value in values.items()}
    if metrics:
        api.hparams_config(hparams=[api.HParam(name) for name in values],
                           metrics=[api.Metric(tag, group=group or None) for tag, group in metrics.items()])
    api.hparams(values, trial_id=trial)
