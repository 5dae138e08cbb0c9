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
_HELD_OUT = 0.1  # fraction of the training examples, if there is no development set


@dataclasses.dataclass
class Examples:
    """Training, development and test examples; `test` may be empty, and may have no labels."""

    train: list
    dev: list
    test: list = dataclasses.field(default_factory=list)


def files_of(data: str | None, named: dict[str, str | None] | None = None) -> dict[str, str]:
    """split -> file (or tfds:NAME); files in `named` take precedence over those in the folder `data`."""
    found = {}
    if data and data.startswith("tfds:"):
        found = dict.fromkeys(SPLITS, data)
    elif data:
        found = find_splits(data)
    return found | {split: name for split, name in (named or {}).items() if name}


def load_examples(options: FinetuneOptions, kind: str, report=print) -> Examples:
    """Training, development and test examples; without development data, a tenth of the training examples is held out.

    Raises ValueError if there are no training examples.
    """
    files = files_of(options.data, {split: getattr(options, f"{split}_file") for split in SPLITS})
    if "train" not in files:
        raise ValueError(f"no training data (found {', '.join(sorted(files.values())) or 'no files'}); expected a "
                         "train file: add --train-file FILE, or --data FOLDER with such a file")
    parts = {split: read_split(files[split], kind, options, split, report) for split in SPLITS if split in files}
    rng = np.random.default_rng(options.seed)
    if not parts.get("dev"):
        order, held = rng.permutation(len(parts["train"])), max(1, round(_HELD_OUT * len(parts["train"])))
        parts["dev"] = [parts["train"][index] for index in sorted(order[:held])]
        parts["train"] = [parts["train"][index] for index in sorted(order[held:])]
        report(f"no development data: {held} of the training examples are held out for evaluation")
    if options.most_examples:
        parts["train"] = sample(parts["train"], options.most_examples, rng)
    if not parts["train"]:
        raise ValueError(f"{files['train']}: there are 0 training examples left; expected 1 or more: add rows")
    return Examples(parts["train"], parts["dev"], parts.get("test", []))


def sample(examples: Sequence, count: int, rng: np.random.Generator) -> list:
    """At most `count` random examples, in their original order."""
    chosen = rng.permutation(len(examples))[:count]
    return [examples[index] for index in sorted(chosen)]


def read_split(source, kind: str, reading: Reading, split: str, report=print) -> list:
    """Examples of one file; reports the number of skipped rows."""
    found = Report()
    try:
        examples = read_examples(source, kind, reading, split, found)
    except ValueError:
        if split == "train" or not str(source).startswith("tfds:"):
            raise
        return []  # many datasets publish no test labels, and some have no development set
    if found.skipped:
        report(f"{source}: {found.skipped:,} of {found.rows + found.skipped:,} rows were skipped; the first: "
               f"{found.reasons[0]}")
    return examples
