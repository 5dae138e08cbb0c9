"""The task of a saved model: `task.json` beside the weights."""

import dataclasses
import os
from pathlib import Path

from tfplm.adapt.tasks.catalogue import TASKS
from tfplm.adapt.tasks.task import Task, TaskSettings
from tfplm.core.config import read_json, refuse_unknown, write_json
from tfplm.core.sources import resolve
from tfplm.data.tasks.labels import LabelMap
from tfplm.tokenizers import Tokenizer

FILE = "task.json"


def save_task(task: Task, folder: str | os.PathLike) -> None:
    """Writes name, settings and labels."""
    write_json(Path(folder) / FILE, {"task": task.name, "settings": dataclasses.asdict(task.settings),
                                     "labels": None if task.labels is None else list(task.labels.names)})


def has_task(source: str | os.PathLike) -> bool:
    """Whether the source is a folder that a fine-tuning wrote."""
    return (Path(source).expanduser() / FILE).is_file()


def open_task(source: str | os.PathLike, tokenizer: Tokenizer | None = None) -> Task:
    """The task of a saved model; FileNotFoundError where the folder has none."""
    path = resolve(source)
    if not has_task(path):
        raise FileNotFoundError(f"{path} has no {FILE}: it was not written by tfplm finetune. Fine-tune it first: "
                                f"tfplm finetune --init {source} --task ... --data ... --output DIR")
    values = read_json(path / FILE)
    if values.get("task") not in TASKS:
        raise ValueError(f"{path / FILE}: task is {values.get('task')!r}; expected one of {', '.join(TASKS)}")
    refuse_unknown(values["settings"], {field.name for field in dataclasses.fields(TaskSettings)}, "task setting")
    labels = None if values["labels"] is None else LabelMap(values["labels"])
    return TASKS[values["task"]](tokenizer or Tokenizer.from_pretrained(path), TaskSettings(**values["settings"]),
                                 labels)
