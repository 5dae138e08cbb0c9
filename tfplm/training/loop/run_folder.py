"""The output folder of a training: options, prepared data, checkpoints, and finally the model."""

import contextlib
import dataclasses
import os
import time
from collections.abc import Mapping
from pathlib import Path

from tfplm.core.config import read_json, write_json
from tfplm.core.outputs import date, date_of, known_files, locked, remove_parts
from tfplm.options.base import TrainingOptions
from tfplm.training.loop.distribute import is_chief
from tfplm.training.loop.run_checkpoint import newest_values

RUN, RESULTS = "run.json", "results.json"
# options that can change when a training is resumed
_FREE = ("quiet", "output", "log_dir", "minutes", "save_every", "summary_every", "sample_every", "evaluation_batches",
         "strategy", "overwrite", "gpu", "memory_fraction", "memory_limit", "allow_growth")
_LONGER = ("steps", "epochs")  # options that can grow, if the schedule of the learning rate has no end
# what --overwrite deletes: the state of a training, and the files of models and tokenizers
_STATE = ("checkpoints", "data", "fold-*", RUN, RESULTS, "best.json", "predictions.jsonl", "test_predictions.jsonl")
_MODEL = ("config.json", "model*.safetensors*", "model.keras", "task.json", "tokenizer*.json", "special_tokens_map.json",
          "added_tokens.json", "vocab.*", "merges.txt", "*.model", "modules.json", "[0-9]_*", "*sentence*.json")


@dataclasses.dataclass(frozen=True)
class Folder:
    """The folders of a training: `output`, with `checkpoints` and prepared `data`, and `log_dir`. As a context, it is
    locked for other processes.

    extend: the training has got more steps or epochs than before. done: it is complete.
    """

    output: Path
    log_dir: Path
    extend: bool = False
    done: bool = False
    lock: contextlib.ExitStack = dataclasses.field(default_factory=contextlib.ExitStack, compare=False)

    @property
    def checkpoints(self) -> Path:
        return self.output / "checkpoints"

    @property
    def data(self) -> Path:
        return self.output / "data"

    def __enter__(self) -> "Folder":
        return self

    def __exit__(self, *error) -> None:
        self.lock.close()


def open_folder(options: TrainingOptions, verb: str, data: Mapping[str, str] | None = None, also: tuple[str, ...] = ()
                ) -> Folder:
    """Creates the folder, or opens that of an earlier start of this training, and writes the options as `VERB.json`.

    It says whether the training is resumed, or complete; `options.overwrite` deletes a complete or another training,
    and one that was not started with it.

    Args:
        data: name -> digest of everything that is read, whose contents must not change.
        also: patterns of further files by which a folder is known as the output of the verb.

    Raises ValueError if it contains a training with other options or on other data, FileExistsError if it has other
    files, and BlockingIOError if another process trains in it.
    """
    output = Path(options.output or f"tfplm-{verb}").expanduser()
    known_files(output, (f"{verb}.json", *also))
    with contextlib.ExitStack() as stack:
        if is_chief():
            stack.enter_context(locked(output))
        before = _Before.of(output, verb)
        if before is not None:
            _check_same(before, options, data or {})
        fresh = before is None or _starts_again(before, options, data or {})
        extend = not fresh and bool(before.changes(options))
        log_dir = Path(options.log_dir or (before.run["log_dir"] if not fresh else
                                           Path("logs", verb, time.strftime("%Y%m%d-%H%M%S"))))
        if is_chief():
            if fresh and before is not None:
                remove_parts(output, (*_STATE, *_MODEL) if before.started else _STATE)
            if extend:
                (output / RESULTS).unlink(missing_ok=True)
            write_json(output / f"{verb}.json", plain(options))
            write_json(output / RUN, {"log_dir": str(log_dir), "data": dict(data or {})})
        folder = Folder(output, log_dir, extend, not fresh and (output / RESULTS).is_file(), stack.pop_all())
    if not options.quiet and is_chief():
        _say(folder, options, None if fresh else before)
    return folder


@dataclasses.dataclass(frozen=True)
class _Before:
    """An earlier start: its output, options, `run.json`, and whether it has saved anything."""

    output: Path
    options: dict
    run: dict
    started: bool

    @classmethod
    def of(cls, output: Path, verb: str) -> "_Before | None":
        if not (output / f"{verb}.json").is_file() or not (output / RUN).is_file():
            return None
        started = (output / RESULTS).is_file() or any(
            path for pattern in ("checkpoints", "fold-*/checkpoints") for path in output.glob(f"{pattern}/ckpt-*.index"))
        return cls(output, read_json(output / f"{verb}.json"), read_json(output / RUN), started)

    def changes(self, options: TrainingOptions) -> dict[str, tuple]:
        """name -> (value before, value now)."""
        return {name: (self.options[name], value) for name, value in plain(options).items()
                if name not in _FREE and name in self.options and self.options[name] != value}

    def changed_data(self, data: Mapping[str, str]) -> list[str]:
        return sorted(name for name, digest in self.run.get("data", {}).items() if data.get(name, digest) != digest)

    def grows(self, options: TrainingOptions) -> bool:
        """Returns True if there are only more steps or epochs than before."""
        changes = self.changes(options)
        return bool(changes) and all(name in _LONGER and now > before for name, (before, now) in changes.items())

    def can_grow(self, options: TrainingOptions) -> bool:
        """Returns True if the learning rate up to now is the same as if the training had been longer from the start."""
        schedule, values = getattr(options, "schedule", None), newest_values(self.output / "checkpoints")
        if not self.grows(options) or values is None or getattr(options, "curriculum", False):
            return False
        if options.warmup_steps is not None:
            return schedule in ("constant", "inverse_sqrt")
        longer = max(now / before for before, now in self.changes(options).values())
        return schedule == "constant" and values.get("total", 0) >= options.warmup_ratio * values.get("whole", 0) * longer


def _check_same(before: _Before, options: TrainingOptions, data: Mapping[str, str]) -> None:
    if options.overwrite or not before.started:
        return
    if names := before.changed_data(data):
        raise ValueError(f"{before.output} contains a training on other data: the contents of {', '.join(names)} have "
                         "changed since: use another --output, or add --overwrite to train again on what is there now")
    changes = before.changes(options)
    if changes and not before.can_grow(options):
        told = "; ".join(f"{name} {old!r}, now {new!r}" for name, (old, new) in changes.items())
        other = ("use another --output, or add --overwrite to train again" if not before.grows(options) else
                 f"use another --output and --init {before.output} to train on from its weights, or add --overwrite to "
                 "train again from the start; only a constant schedule can get longer, as others have reached their end")
        raise ValueError(f"{before.output} contains a training with other options ({told}): {other}")


def _starts_again(before: _Before, options: TrainingOptions, data: Mapping[str, str]) -> bool:
    """Returns True if nothing of the earlier start is used."""
    same = not before.changes(options) and not before.changed_data(data)
    if not before.started:
        return not same  # what was prepared may not fit
    # the same command resumes, also one with --overwrite
    interrupted = same and before.options.get("overwrite") and not (before.output / RESULTS).is_file()
    return options.overwrite and not interrupted


def _say(folder: Folder, options: TrainingOptions, before: _Before | None) -> None:
    """The first line of a command that trains: what becomes of the folder."""
    values = newest_values(folder.checkpoints) if before is not None else None
    if folder.done:
        print(f"already done (results of {date_of(folder.output / RESULTS)}); --overwrite trains again")
    elif values is not None and "time" in values:
        longer = max([now / old for old, now in before.changes(options).values()] or [1])
        print(f"resuming at step {values['total']:,} of {round(values['whole'] * longer):,} (saved "
              f"{date(values['time'])})", flush=True)
    elif options.output is None:
        print(f"output: {folder.output} (--output names another folder)", flush=True)


def plain(options: TrainingOptions) -> dict:
    """The options as JSON values; a path or an open source by its name."""
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    return {name: str(value) if isinstance(value, os.PathLike) else value for name, value in values.items()}
