"""The output folder of a training: options, prepared data, checkpoints, and finally the model."""

import dataclasses
import os
import time
from pathlib import Path

from tfplm.core.config import read_json, write_json
from tfplm.options.base import TrainingOptions

RUN, RESULTS = "run.json", "results.json"
# options that can change when a training is resumed
_FREE = ("quiet", "output", "log_dir", "minutes", "save_every", "summary_every", "sample_every", "evaluation_batches",
         "strategy")


@dataclasses.dataclass(frozen=True)
class Folder:
    """The folders of a training: `output`, with `checkpoints` and prepared `data`, and `log_dir`."""

    output: Path
    log_dir: Path

    @property
    def checkpoints(self) -> Path:
        return self.output / "checkpoints"

    @property
    def data(self) -> Path:
        return self.output / "data"


def open_folder(options: TrainingOptions, verb: str) -> Folder:
    """Creates the folder, or opens that of an earlier start of this training, and writes the options as `VERB.json`.

    Raises ValueError if it contains a training with other options.
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
        raise ValueError(f"{output} contains a training with other options ({'; '.join(changes)}): use another "
                         "--output, or delete the folder to start again")


def _plain(options: TrainingOptions) -> dict:
    """The options as JSON values; a path or an open source by its name."""
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return {name: str(value) if isinstance(value, os.PathLike) else value for name, value in values.items()}
