"""Replay of examples of an earlier task, and measurement of forgetting (Robins 1995; incremental learning)."""

import numpy as np

from tfplm.adapt.finetune.data import files_of, read_split, sample
from tfplm.options.finetune import FinetuneOptions


class Replay:
    """The data of an earlier task.

    `examples`: those that are trained on again, `replay_share` times as many as new ones; `held_out`: the development
    (or test) set, which is scored before and after training.
    """

    def __init__(self, options: FinetuneOptions, kind: str, new: int, report=print):
        files = files_of(options.replay)
        held_out = next((split for split in ("dev", "test") if split in files), None)
        if "train" not in files or held_out is None:
            raise ValueError(f"{options.replay} has {', '.join(files.values()) or 'no files'}; expected a train and a "
                             "dev (or test) file for --replay: add the missing one")
        old = read_split(files["train"], kind, options, "train", report)
        self.held_out = read_split(files[held_out], kind, options, held_out, report)
        self.examples = sample(old, round(options.replay_share * new), np.random.default_rng((options.seed, 3)))
        if not self.examples:
            report(f"--replay-share {options.replay_share:g}: none of {len(old):,} examples is replayed: increase it")


def forgetting(before: dict[str, float], after: dict[str, float], monitor: str) -> dict[str, float]:
    """`before`, `after` and their difference, `forgotten`, of the score `monitor`."""
    return {"before": before[monitor], "after": after[monitor], "forgotten": before[monitor] - after[monitor]}
