"""The folder of a training: options, prepared data, checkpoints, and at the end the model."""

import dataclasses
import os
import time
from pathlib import Path

from tfplm.core.config import read_json, write_json
from tfplm.options.base import TrainingOptions

RUN, RESULTS = "run.json", "results.json"
# what may change from one start to the next of the same training
_FREE = ("quiet", "output", "log_dir", "minutes", "save_every", "summary_every", "sample_every", "evaluation_batches",
         "strategy")


@dataclasses.dataclass(frozen=True)
class Folder:
    """`output`, with `checkpoints` and what data preparation keeps in `data`; and `log_dir`, outside of it."""

    output: Path
    log_dir: Path

    @property
    def checkpoints(self) -> Path:
        return self.output / "checkpoints"

    @property
    def data(self) -> Path:
        return self.output / "data"


def open_folder(options: TrainingOptions, verb: str) -> Folder:
    """Makes the folder, or finds it where this training was started before, and writes the options into it, as
    `VERB.json`.

    Raises ValueError where it holds a training with other options.
    """
    log_dir = Path(options.log_dir or Path("logs", verb, time.strftime("%Y%m%d-%H%M%S")))
    output = Path(options.output or log_dir / "model")
    if (output / f"{verb}.json").exists():
        _check_same(options, output, verb)
    if (output / RUN).exists() and options.log_dir is None:
        log_dir = Path(read_json(output / RUN)["log_dir"])
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / f"{verb}.json", _plain(options))
    write_json(output / RUN, {"log_dir": str(log_dir)})
    return Folder(output, log_dir)


def _check_same(options: TrainingOptions, output: Path, verb: str) -> None:
    if not any((output / "checkpoints").glob("ckpt-*.index")):
        return
    before, now = read_json(output / f"{verb}.json"), _plain(options)
    changes = [f"{name} {before.get(name)!r}, now {value!r}" for name, value in now.items()
               if name not in _FREE and before.get(name) != value]
    if changes:
        raise ValueError(f"{output} holds a training with other options ({'; '.join(changes)}): choose another "
                         "--output, or delete that folder to start again")


def _plain(options: TrainingOptions) -> dict:
    """The options as JSON values; a path or an open source by its name."""
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return {name: str(value) if isinstance(value, os.PathLike) else value for name, value in values.items()}
