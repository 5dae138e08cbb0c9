"""Which engine a folder is made for, by its small files; no weights are read, and no TensorFlow is imported."""

import dataclasses
import importlib
from pathlib import Path

from tfplm.core.config import read_json
from tfplm.families.registry import resolve
from tfplm.options.serve import ENGINES, ServeOptions
from tfplm.serve.engines.engine import Engine


@dataclasses.dataclass(frozen=True)
class Folder:
    """What the files beside the weights state.

    task: the one that `tfplm finetune` trained the model for; None in other folders. pairs: whether its texts come in
    pairs. architecture: the model's class in `transformers`, "" where the files do not name it. num_labels: outputs of a
    classifying head; 2, as in `transformers`, where they do not name any.
    """

    task: str | None = None
    pairs: bool = False
    architecture: str = ""
    num_labels: int = 2

    @property
    def classifies(self) -> bool:
        """Whether the model is a classifier of texts that other programs made."""
        return self.task is None and self.architecture.endswith("ForSequenceClassification")


def read_folder(path: Path) -> Folder:
    """What is known of a folder, a checkpoint prefix or a `.keras` file."""
    config, task = _read(path / "config.json"), _read(path / "task.json")
    return Folder(task.get("task"), bool(task.get("settings", {}).get("pairs")), (config.get("architectures") or [""])[0],
                  len(config.get("id2label") or ()) or config.get("num_labels") or 2)


def _read(file: Path) -> dict:
    return read_json(file) if file.is_file() else {}


def choose(options: ServeOptions) -> ServeOptions:
    """The options with the name of an engine in place of "auto"."""
    if options.engine != "auto":
        return options
    name, others = "vectors", [name for name in ENGINES if name != "vectors"]
    if not options.asks_for_vectors:
        folder = read_folder(resolve(options.source))
        name = next((name for name in others if importlib.import_module(ENGINES[name]).suits(folder)), name)
    return dataclasses.replace(options, engine=name)


def make_engine(options: ServeOptions, number: int = 0) -> Engine:
    """Loads the engine of worker `number`."""
    options = choose(options)
    return importlib.import_module(ENGINES[options.engine]).make_engine(options, number)
