"""The labelled examples of a fine-tuning."""

import dataclasses
import hashlib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tfplm.core.outputs import fingerprint
from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Report
from tfplm.data.tasks.splits import find_splits
from tfplm.options.finetune import FinetuneOptions
from tfplm.options.reading import Reading

SPLITS = ("train", "dev", "test")
_HELD_OUT = 0.1  # fraction of the training examples, if there is no development set
_NOT_CONTENT = ("id", "origin")  # fields of examples


@dataclasses.dataclass
class Examples:
    """Training, development and test examples; `test` may be empty, and may have no labels."""

    train: list
    dev: list
    test: list = dataclasses.field(default_factory=list)


def files_of(data: str | None, named: dict[str, str | None] | None = None) -> dict[str, str]:
    """split -> file (or tfds:NAME); files in `named` take precedence over those in the folder `data`.

    If `data` is a file, it is the training file.
    """
    found = {}
    if data and data.startswith("tfds:"):
        found = dict.fromkeys(SPLITS, data)
    elif data and Path(data).expanduser().is_file():
        found = {"train": data}
    elif data:
        found = find_splits(data)
    return found | {split: name for split, name in (named or {}).items() if name}


def load_examples(options: FinetuneOptions, kind: str, report=print) -> Examples:
    """Training, development and test examples; without development data, a tenth of the training examples is held out.

    With `options.dev_share`, all labelled examples are joined and split again; then there is no test set, unless it has
    no labels.

    Raises ValueError if there are no training examples.
    """
    files = files_of(options.data, {split: getattr(options, f"{split}_file") for split in SPLITS})
    if "train" not in files:
        raise ValueError(f"no training data (found {', '.join(sorted(files.values())) or 'no files'}); expected a "
                         "train file: add --train-file FILE, or --data FOLDER with such a file")
    parts = {split: read_split(files[split], kind, options, split, report) for split in SPLITS if split in files}
    rng = np.random.default_rng(options.seed)
    if options.dev_share is not None:
        parts = _split_again(parts, options, report)
    if not parts.get("dev"):
        parts["train"], parts["dev"] = _hold_out(parts["train"], rng)
        report(f"no development data: {len(parts['dev']):,} of the training examples are held out for evaluation")
    if options.most_examples:
        parts["train"] = sample(parts["train"], options.most_examples, rng)
    if not parts["train"]:
        raise ValueError(f"{files['train']}: there are 0 training examples left; expected 1 or more: add rows")
    for split in ("dev", "test"):
        _report_duplicates(parts["train"], parts.get(split, []), split, report)
    return Examples(parts["train"], parts["dev"], parts.get("test", []))


def _split_again(parts: dict[str, list], options: FinetuneOptions, report) -> dict[str, list]:
    """The labelled examples of all parts, joined in the order train, dev, test, and split by `options.dev_share`."""
    labelled = ["train", *(split for split in SPLITS[1:] if has_labels(parts.get(split, [])))]
    joined = [example for split in labelled for example in parts[split]]
    train, dev = split_indices(len(joined), options.dev_share,
                               options.seed if options.split_seed is None else options.split_seed)
    report(f"{len(joined):,} examples ({', '.join(labelled)}): {len(train):,} for training, {len(dev):,} held out for "
           "evaluation")
    return {**{split: examples for split, examples in parts.items() if split not in labelled},
            "train": [joined[index] for index in train], "dev": [joined[index] for index in dev]}


def split_indices(count: int, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the training and of the held-out examples, in the order of scikit-learn's
    `train_test_split(..., test_size=share, random_state=seed)`.

    Raises ValueError if one of the two parts would be empty, and for a share or seed that is not allowed.
    """
    if not 0 < share < 1 or not 0 <= seed < 1 << 32:
        raise ValueError(f"the share is {share:g} and the seed {seed}; expected a share between 0 and 1, and a seed from 0 "
                         "to 4294967295: change --dev-share or --split-seed")
    held = math.ceil(share * count)
    if held >= count:
        raise ValueError(f"a share of {share:g} of {count} examples leaves none for training; expected at least one: add "
                         "examples, or change --dev-share")
    order = np.random.RandomState(seed).permutation(count)
    return order[held:], order[:held]


def has_labels(examples: list) -> bool:
    """Returns True if there are examples, and all have the labels that scores need."""
    for name in ("label", "tags", "target", "answers"):
        if examples and hasattr(examples[0], name):
            return all(getattr(example, name) is not None and (name != "answers" or example.answers
                                                               or example.impossible) for example in examples)
    return False


def _hold_out(examples: list, rng: np.random.Generator) -> tuple[list, list]:
    """(training, development) examples. Equal texts are in the same part, else their scores would be too good; unless all
    texts occur so often that a part would have too few of them.

    Raises ValueError for a single example.
    """
    if len(examples) < 2:
        raise ValueError(f"there is {len(examples)} training example and no development data, which are taken from it; "
                         "expected 2 or more examples: add rows, or --dev-file FILE")
    groups: dict[str, list[int]] = {}
    for index, example in enumerate(examples):
        groups.setdefault(content(example, labels=False), []).append(index)
    order, wanted, chosen = rng.permutation(len(examples)), max(1, round(_HELD_OUT * len(examples))), set()
    small = {group[0]: group for group in groups.values() if len(group) <= wanted}
    for index in order:
        if len(chosen) < wanted:
            chosen.update(small.get(index, ()))
    chosen = chosen or set(order[:wanted].tolist())
    return ([example for index, example in enumerate(examples) if index not in chosen],
            [examples[index] for index in sorted(chosen)])


def content(example, labels: bool = True) -> str:
    """The values of an example, without its id and origin, and without its labels if `labels` is False."""
    without = _NOT_CONTENT if labels else (*_NOT_CONTENT, "label", "tags", "answers", "impossible", "target")
    return repr([getattr(example, field.name) for field in dataclasses.fields(example) if field.name not in without])


def _report_duplicates(train: list, held: list, split: str, report) -> None:
    known = {content(example, labels=False) for example in train}
    if twice := sum(content(example, labels=False) in known for example in held):
        report(f"{twice:,} of {len(held):,} {split} examples are also training examples: the scores are too good")


def digests(options, train: Iterable, replayed: Iterable = ()) -> dict[str, str]:
    """What decides whether a training is the same: name -> digest of the contents of data and models.

    Args:
        options: `init` and `tokenizer`, if they have them, are files or folders.
        train: training and development examples. replayed: those of --replay.
    """
    digest = hashlib.blake2b(digest_size=16)
    for example in (*train, *replayed):
        digest.update(content(example).encode("utf-8", "surrogatepass"))
    models = {f"--{name}": fingerprint([value]) for name in ("init", "tokenizer") if (value := getattr(options, name, None))}
    return {"the training and development data": digest.hexdigest(), **models}


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
