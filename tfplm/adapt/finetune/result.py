"""The result of a fine-tuning, and the saved task."""

import dataclasses
import os
from pathlib import Path

from tfplm.adapt.tasks.catalogue import TASKS
from tfplm.adapt.tasks.task import Task, TaskSettings
from tfplm.core.config import read_json, reject_unknown, write_json
from tfplm.core.outputs import command
from tfplm.data.tasks.labels import LabelMap
from tfplm.families.registry import resolve
from tfplm.models.model import PretrainedModel
from tfplm.tokenizers import Tokenizer


@dataclasses.dataclass(frozen=True)
class FinetuneResult:
    """The result of a finished fine-tuning.

    Attributes:
        output: the folder of the model, its tokenizer, `task.json`, `finetune.json` (the options), `results.json`.
        model, task: the model and the task that were saved there; the task has `tokenizer` and `labels`.
        log_dir: the folder of the TensorBoard event files.
        dev, test: scores of the best weights; `test` is empty without a test set, or if it has no labels.
        history: the history of Keras' `fit`: for each name a list with a value per epoch.
        seconds: training time of each epoch, without evaluation.
        feature_seconds: with --train features, the time to compute the features.
        forgetting: with --replay, `before`, `after` and `forgotten` of the earlier task's score.
        folds: with --folds, the scores of each fold; `dev` is then their mean.
    """

    output: Path
    model: PretrainedModel | None
    task: Task
    log_dir: Path
    dev: dict[str, float]
    test: dict[str, float] = dataclasses.field(default_factory=dict)
    history: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    seconds: list[float] = dataclasses.field(default_factory=list)
    feature_seconds: float = 0.0
    forgetting: dict[str, float] = dataclasses.field(default_factory=dict)
    folds: list[dict[str, float]] = dataclasses.field(default_factory=list)

    def numbers(self) -> dict:
        """The contents of `results.json`."""
        names = ("dev", "test", "history", "seconds", "feature_seconds", "forgetting", "folds")
        return {name: value for name in names if (value := getattr(self, name))}


def scores_line(scores: dict[str, float], task: Task) -> str:
    """One line with the main scores."""
    return "  ".join(f"{name} {scores[name]:.4f}" for name in task.shown if name in scores)


def report(result: FinetuneResult) -> str:
    """A report of a few lines."""
    lines = [f"{name:5s} {scores_line(scores, result.task)}" for name, scores in (("dev", result.dev), ("test", result.test))
             if scores]
    if result.forgetting:
        lines.append("earlier task: before {before:.4f}, after {after:.4f}, forgotten {forgotten:.4f}".format(
            **result.forgetting))
    return "\n".join([*lines, f"model: {result.output}   summaries: "
                      f"{command('tensorboard', '--logdir', result.log_dir)}"])


FILE = "task.json"


def save_task(task: Task, folder: str | os.PathLike) -> None:
    """Writes name, settings and labels of a task to the folder."""
    write_json(Path(folder) / FILE, {"task": task.name, "settings": dataclasses.asdict(task.settings),
                                     "labels": None if task.labels is None else list(task.labels.names)})


def has_task(source: str | os.PathLike) -> bool:
    """Returns True if the source is a folder that a fine-tuning wrote."""
    return (Path(source).expanduser() / FILE).is_file()


def open_task(source: str | os.PathLike, tokenizer: Tokenizer | None = None, **settings) -> Task:
    """The task of a saved model; `settings` replace its own. Raises FileNotFoundError if the folder has no task."""
    path = resolve(source)
    if not has_task(path):
        raise FileNotFoundError(f"{path} has no {FILE}; expected a folder that tfplm finetune wrote: fine-tune the "
                                f"model first, with tfplm finetune --init {source} --task ... --data ... --output DIR")
    values = read_json(path / FILE)
    if values.get("task") not in TASKS:
        raise ValueError(f"{path / FILE}: task is {values.get('task')!r}; expected one of {', '.join(TASKS)}: is the "
                         "file from a newer version?")
    reject_unknown(values["settings"], {field.name for field in dataclasses.fields(TaskSettings)}, "task setting")
    labels = None if values["labels"] is None else LabelMap(values["labels"])
    return TASKS[values["task"]](tokenizer or Tokenizer.from_pretrained(path), TaskSettings(**values["settings"] | settings),
                                 labels)
