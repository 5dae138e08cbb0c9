"""The labelled examples of a fine-tuning."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Report
from tfplm.data.tasks.splits import find_splits
from tfplm.options.finetune import FinetuneOptions
from tfplm.options.reading import Reading

SPLITS = ("train", "dev", "test")
_HELD_BACK = 0.1  # of the training examples, where there is no development set


@dataclasses.dataclass
class Examples:
    """`test` may be empty, and may lack labels."""

    train: list
    dev: list
    test: list = dataclasses.field(default_factory=list)


def files_of(data: str | None, named: dict[str, str | None] | None = None) -> dict[str, str]:
    """split -> file (or tfds:NAME); those named singly win over what the folder holds."""
    found = {}
    if data and data.startswith("tfds:"):
        found = dict.fromkeys(SPLITS, data)
    elif data:
        found = find_splits(data)
    return found | {split: name for split, name in (named or {}).items() if name}


def load_examples(options: FinetuneOptions, kind: str, report=print) -> Examples:
    """Training, development and test examples; a tenth of the training examples where there is no development set.

    Raises ValueError where there is nothing to train on.
    """
    files = files_of(options.data, {split: getattr(options, f"{split}_file") for split in SPLITS})
    if "train" not in files:
        raise ValueError(f"no training data: give --train-file FILE, or --data FOLDER with a train file; found "
                         f"{', '.join(sorted(files.values())) or 'none'}")
    parts = {split: read_split(files[split], kind, options, split, report) for split in SPLITS if split in files}
    rng = np.random.default_rng(options.seed)
    if not parts.get("dev"):
        order, held = rng.permutation(len(parts["train"])), max(1, round(_HELD_BACK * len(parts["train"])))
        parts["dev"] = [parts["train"][place] for place in sorted(order[:held])]
        parts["train"] = [parts["train"][place] for place in sorted(order[held:])]
        report(f"no development data: {held} of the training examples are held back")
    if options.most_examples:
        parts["train"] = sample(parts["train"], options.most_examples, rng)
    if not parts["train"]:
        raise ValueError(f"{files['train']}: no example is left to train on")
    return Examples(parts["train"], parts["dev"], parts.get("test", []))


def sample(examples: Sequence, count: int, rng: np.random.Generator) -> list:
    """At most `count` of the examples, in their order."""
    chosen = rng.permutation(len(examples))[:count]
    return [examples[place] for place in sorted(chosen)]


def read_split(source, kind: str, reading: Reading, split: str, report=print) -> list:
    """Examples of one file, with a line about what was left out."""
    found = Report()
    try:
        examples = read_examples(source, kind, reading, split, found)
    except ValueError:
        if split == "train" or not str(source).startswith("tfds:"):
            raise
        return []  # many data sets publish no test labels, some have no development set
    if found.skipped:
        report(f"{source}: {found.skipped:,} of {found.rows + found.skipped:,} rows were left out; the first: "
               f"{found.reasons[0]}")
    return examples
