"""Hyperparameters of a run, for TensorBoard's HPARAMS page."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from tensorboard.plugins.hparams import api


def _plain(value):
    """The page knows bool, int, float and str."""
    return value if isinstance(value, bool | int | float | str | np.number) else str(value)


def write_hparams(values, metrics: Mapping[str, str] | None = None, trial: str | None = None) -> None:
    """Writes the hyperparameters of a run to the current writer, and which metrics the page shows beside them.

    Args:
        values: a dict, or a dataclass such as a verb's options; None and other objects are written as text.
        metrics: tag of a scalar -> folder of its writer relative to this one's, such as `{"accuracy": "validation"}`;
            `""` for this writer itself.
        trial: a name of the run; default: made from the values, so that equal runs are one group.
    """
    if dataclasses.is_dataclass(values):
        values = dataclasses.asdict(values)
    values = {name: _plain(value) for name, value in values.items()}
    if metrics:
        api.hparams_config(hparams=[api.HParam(name) for name in values],
                           metrics=[api.Metric(tag, group=group or None) for tag, group in metrics.items()])
    api.hparams(values, trial_id=trial)
