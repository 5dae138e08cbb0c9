"""What makes a score wrong or a training useless, though nothing fails: each is said in one line, or refused."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from tfplm.adapt.tasks.task import Task
from tfplm.data.tasks.spans import make_spans, spans_of

log = logging.getLogger(__name__)
_SHOWN = 5  # labels in a line


def held_out(task: Task, examples: Sequence, split: str) -> list:
    """The labelled examples of a split, ready to be scored by a task that has learned its labels; warnings are logged.

    A label that is the same number as one of the task's gets its form: `1` is `1.0`.

    Raises ValueError if the labels cannot be scored.
    """
    labels = list(_labels_of(task, examples))
    if not labels:
        return list(examples)
    if task.labels is None:
        _numbers_or_answers(task, examples, split)
        return list(examples)
    examples = _same_numbers(task, examples, labels, split)
    labels = list(_labels_of(task, examples))
    known, counts = set(task.labels.names), Counter(labels)
    if unseen := sorted(counts.keys() - known):
        total = sum(counts[label] for label in unseen)
        log.warning("%d of %d labels of the %s data are never in the training data, so they count as errors: %s%s", total,
                    len(labels), split, _listed(unseen), _near(unseen, known))
    elif len(counts) == 1 and len(labels) > 1 and task.kind == "text" and len(known) > 1:
        log.warning("all %d labels of the %s data are %r; if that is a placeholder, the scores mean nothing", len(labels),
                    split, labels[0])
    if task.kind == "tagging":
        _spans(task, examples, split)
    return list(examples)


def training(task: Task, examples: Sequence, features: Sequence[dict]) -> None:
    """Logs warnings about training examples and their features. Raises ValueError if there is nothing to learn."""
    if all(not _text(example) for example in examples):
        raise ValueError(f"all {len(examples):,} training examples have an empty text; expected texts: check "
                         "--text-column")
    if task.labels is not None and (alike := _alike(task.labels.names)):
        log.warning("some labels differ only in case, blanks or the form of a number, but are different classes: %s",
                    "; ".join(" and ".join(map(repr, group)) for group in alike))
    if task.kind == "question":
        _answers(examples, features, task.settings.max_answer_length)
        return
    for key, most, name in (("input_ids", task.settings.max_length, "max-length"),
                            ("decoder_input_ids", task.settings.max_target_length, "max-target-length")):
        long = sum(np.shape(feature[key])[-1] >= most for feature in features if key in feature)
        if long and not (task.per_token and key == "input_ids"):  # tags are in several rows
            log.warning("%d of %d training %s have %d tokens or more and are cut there: see --%s", long, len(features),
                        "texts" if key == "input_ids" else "targets", most, name)


def _labels_of(task: Task, examples: Iterable) -> Iterable:
    """All labels of all examples."""
    for example in examples:
        for name in ("label", "tags", "answers"):
            if (value := getattr(example, name, None)) is not None:
                yield from value if isinstance(value, tuple) else (value,)


def _same_numbers(task: Task, examples: Sequence, labels: Sequence, split: str) -> Sequence:
    """The examples, with labels that equal one of the task's as numbers in the task's form."""
    forms: dict[float, list[str]] = {}
    for name in task.labels.names:
        if (number := _number(name)) is not None:
            forms.setdefault(number, []).append(name)
    names = {label: forms[number][0] for label in set(labels) - set(task.labels.names)
             if (number := _number(label)) is not None and len(forms.get(number, ())) == 1}
    if not names or task.kind != "text":
        return examples
    log.warning("labels of the %s data that are never in the training data are read as the same numbers: %s", split,
                ", ".join(f"{label} as {name}" for label, name in sorted(names.items())))

    def renamed(label):
        return tuple(names.get(one, one) for one in label) if isinstance(label, tuple) else names.get(label, label)

    return [dataclasses.replace(example, label=renamed(example.label)) for example in examples]


def _number(label) -> float | None:
    try:
        return float(label)
    except (TypeError, ValueError):
        return None


def _plain(label: str) -> object:
    """What labels have in common that a person would call the same."""
    number = _number(label)
    return "".join(label.casefold().split()) if number is None else number


def _alike(names: Sequence[str]) -> list[list[str]]:
    groups: dict[object, list[str]] = {}
    for name in names:
        groups.setdefault(_plain(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _near(unseen: Iterable[str], known: Iterable[str]) -> str:
    plain = {_plain(name): name for name in known}
    pairs = [f"{label!r} is not {plain[_plain(label)]!r}" for label in unseen if _plain(label) in plain]
    return f" (case and blanks count: {', '.join(pairs[:_SHOWN])})" if pairs else ""


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(map(repr, labels[:_SHOWN])) + (f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else "")


def _numbers_or_answers(task: Task, examples: Sequence, split: str) -> None:
    if task.name == "regression":
        numbers = {example.label for example in examples}
        if len(numbers) < 2 or len(examples) < 3:
            found = f"all have the number {min(numbers):g}" if len(numbers) < 2 else f"there are only {len(examples)}"
            log.warning("correlations with the %s examples mean nothing: %s", split, found)
    if task.kind == "question" and not task.settings.null_answers and any(example.impossible for example in examples):
        count = sum(example.impossible for example in examples)
        raise ValueError(f"{count} of {len(examples)} questions of the {split} data have no answer, but all of the training "
                         "data have one, so the model always answers: add such questions to the training data, or "
                         "remove them")


def _spans(task: Task, examples: Sequence, split: str) -> None:
    """Raises ValueError for tags in another form than those of the training data."""
    if task.of_spans:
        make_spans({tag for example in examples for tag in example.tags or ()} | set(task.labels.names))
        if not any(spans_of(example.tags) for example in examples if example.tags):
            log.warning("no sentence of the %s data has a span: F1 is 0 whatever is predicted", split)


def _answers(examples: Sequence, features: Sequence[dict], longest: int) -> None:
    there, found, long = set(), set(), set()
    for feature in features:
        index = int(feature["example"])
        there.add(index)
        if examples[index].impossible or feature["start"] != feature["null"]:
            found.add(index)
            if not examples[index].impossible and feature["end"] - feature["start"] >= longest:
                long.add(index)
    lost = len(examples) - len(found)
    if not found:
        raise ValueError(f"none of the {len(examples):,} answers lies in its context or in one row of it; expected answers "
                         "with their start: check the data, or increase --max-length")
    if lost:
        log.warning("%d of %d questions are not learned: %d answers have no known start in the context, %d are longer than "
                    "the rows", lost, len(examples), len(examples) - len(there), len(there) - len(found))
    if long:
        log.warning("%d answers have more than %d tokens, which are never predicted: see --max-answer-length", len(long),
                    longest)


def _text(example) -> str:
    parts = (getattr(example, name, None) for name in ("text", "pair", "words", "question", "context"))
    return "".join("".join(part) for part in parts if part).strip()
