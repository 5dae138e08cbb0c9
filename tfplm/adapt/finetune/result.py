"""What a fine-tuning gives back."""

import dataclasses
import os
from pathlib import Path

from tfplm.adapt.tasks.catalogue import TASKS
from tfplm.adapt.tasks.task import Task, TaskSettings
from tfplm.core.config import read_json, reject_unknown, write_json
from tfplm.core.sources import resolve
from tfplm.data.tasks.labels import LabelMap
from tfplm.models.model import PretrainedModel
from tfplm.tokenizers import Tokenizer


@dataclasses.dataclass(frozen=True)
class FinetuneResult:
    """A finished fine-tuning.

    Attributes:
        output: folder of the model, its tokenizer, `task.json`, `finetune.json` (the options), `results.json`.
        model, task: what was saved there; `task.tokenizer`, `task.labels`.
        log_dir: of the TensorBoard event files.
        dev, test: scores of the best weights; `test` is empty where there is no test set, or one without labels.
        history: of Keras' `fit`, a list per name with a value per epoch.
        seconds: of each epoch's training, without evaluation.
        feature_seconds: with --train features, of computing them.
        forgetting: with --replay: `before`, `after`, `forgotten` of the earlier task's score.
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
        """What `results.json` holds."""
        names = ("dev", "test", "history", "seconds", "feature_seconds", "forgetting", "folds")
        return {name: value for name in names if (value := getattr(self, name))}


def scores_line(scores: dict[str, float], task: Task) -> str:
    """The scores that are worth a line."""
    return "  ".join(f"{name} {scores[name]:.4f}" for name in task.shown if name in scores)


def report(result: FinetuneResult) -> str:
    """A few lines for people."""
    lines = [f"{name:5s} {scores_line(scores, result.task)}" for name, scores in (("dev", result.dev), ("test", result.test))
             if scores]
    if result.forgetting:
        lines.append("earlier task: before {before:.4f}, after {after:.4f}, forgotten {forgotten:.4f}".format(
            **result.forgetting))
    return "\n".join([*lines, f"model: {result.output}   summaries: tensorboard --logdir {result.log_dir}"])


FILE = "task.json"


def save_task(task: Task, folder: str | os.PathLike) -> None:
    """Writes name, settings and labels."""
    write_json(Path(folder) / FILE, {"task": task.name, "settings": dataclasses.asdict(task.settings),
                                     "labels": None if task.labels is None else list(task.labels.names)})


def has_task(source: str | os.PathLike) -> bool:
    """Whether the source is a folder that a fine-tuning wrote."""
    return (Path(source).expanduser() / FILE).is_file()


def open_task(source: str | os.PathLike, tokenizer: Tokenizer | None = None, **settings) -> Task:
    """The task of a saved model, with these `settings` in place of its own; FileNotFoundError where the folder has none.
    """
    path = resolve(source)
    if not has_task(path):
        raise FileNotFoundError(f"{path} has no {FILE}: it was not written by tfplm finetune. Fine-tune it first: "
                                f"tfplm finetune --init {source} --task ... --data ... --output DIR")
    values = read_json(path / FILE)
    if values.get("task") not in TASKS:
        raise ValueError(f"{path / FILE}: task is {values.get('task')!r}; expected one of {', '.join(TASKS)}")
    reject_unknown(values["settings"], {field.name for field in dataclasses.fields(TaskSettings)}, "task setting")
    labels = None if values["labels"] is None else LabelMap(values["labels"])
    return TASKS[values["task"]](tokenizer or Tokenizer.from_pretrained(path), TaskSettings(**values["settings"] | settings),
                                 labels)
