"""The base class of all options, and the decorator that lets a function take them as keyword arguments."""

import dataclasses
import functools
import importlib
from typing import Any, Literal, TypeVar

T = TypeVar("T")
Dtype = Literal["auto", "float32", "bfloat16"]  # of models that are not trained


def flag(default: Any = dataclasses.MISSING, help: str = "", *, positional: bool = False, short: str | None = None,
         factory: Any = dataclasses.MISSING) -> Any:
    """A dataclass field that is also a command-line flag, required if it has no default."""
    metadata = {"help": help, "positional": positional, "short": short}
    return dataclasses.field(default=default, default_factory=factory, metadata=metadata)


@dataclasses.dataclass(kw_only=True)
class Options:
    """Flags of every verb. Subclasses set `RUN = "module:function"` and add fields with `flag`.

    BEFORE: functions, also as "module:function", that are called with the options before that of the verb.

    What `tfplm VERB --help` shows, beside the docstring:
      HEADING    heading of the flags that this class defines
      USAGE      arguments of a typical command (default: the arguments that are required)
      EXAMPLES   commands
      EXPLAINED  flags that are explained; the others are only named, and explained by `--help-all` (default: those of
                 the class itself, and of classes with COMMON)
      COMMON     True for a base class whose flags are explained with every verb
      DETAILS    what `--help-all` adds to the docstring
      UNUSED     flags that the verb accepts, but that are not shown because they change nothing
      ALIASES    other names of flags: {"model_dir": "source"}
    """

    RUN = ""
    BEFORE = ()
    HEADING = "common flags"
    USAGE = ""
    EXAMPLES = ()
    EXPLAINED = ()
    COMMON = True
    DETAILS = ""
    UNUSED = ()
    ALIASES = {}

    quiet: bool = flag(False, "print only results, no progress")
    seed: int = flag(0, "seed of every random choice")


@dataclasses.dataclass(kw_only=True)
class ResultOptions(Options):
    """Flags of the verbs that print results; see `core.terminal.Results`."""

    HEADING = "output"
    COMMON = True

    json: bool = flag(False, "print JSON, one object per line, as through a pipe (default at a terminal: a table)")
    output: str | None = flag(None, "write the results to this file instead: .jsonl, .json (one list) or .tsv")
    overwrite: bool = flag(False, "write the file again, if it exists")


@dataclasses.dataclass(kw_only=True)
class DeviceOptions(Options):
    """Flags for the GPUs and their memory; they are set before the verb runs, see `tfplm.training.loop.devices`."""

    BEFORE = ("tfplm.training.loop.devices:set_devices_of",)
    HEADING = "GPUs"
    COMMON = False

    gpu: str | None = flag(None, "index of the GPU to use, or several such as 0,1; -1: none (default: all)")
    memory_fraction: float | None = flag(None, "maximum share of each GPU's memory, such as 0.33")
    memory_limit: int | None = flag(None, "maximum memory of each GPU in MiB, instead of a share")
    allow_growth: bool = flag(False, "allocate GPU memory as needed, instead of all at once")


@dataclasses.dataclass(kw_only=True)
class TrainingOptions(DeviceOptions):
    """Flags of the verbs that train a model."""

    HEADING = "output and devices"
    COMMON = False

    output: str | None = flag(None, "folder for checkpoints and the finished model (default: tfplm-VERB)")
    overwrite: bool = flag(False, "train again, if the output has a finished training, or one with other options or data")
    log_dir: str | None = flag(None, "folder for TensorBoard event files (default: logs/VERB/DATE-TIME)")
    dtype: Literal["auto", "float32", "bfloat16", "mixed_bfloat16", "mixed_float16"] = flag(
        "auto", "Keras dtype policy; auto: mixed_bfloat16 where that is faster than float32, see `tfplm info`")
    strategy: Literal["auto", "one", "mirrored", "multi_worker"] = flag("auto", "tf.distribute strategy")


def verb(options_class: type[T]):
    """Decorates `run(options)` so that both `run(steps=10)` and `run(OptionsClass(steps=10))` work.

    The functions that `OptionsClass.BEFORE` names are called first. An unknown keyword raises the dataclass's TypeError,
    which names it.
    """

    def decorate(function):
        @functools.wraps(function)
        def run(options: T | None = None, /, **keywords):
            if options is None:
                options = options_class(**keywords)
            elif keywords:
                options = dataclasses.replace(options, **keywords)
            for target in options.BEFORE:
                module, name = target.split(":")
                getattr(importlib.import_module(module), name)(options)
            return function(options)

        run.options = options_class
        return run

    return decorate
