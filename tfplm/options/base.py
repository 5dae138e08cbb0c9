"""The base of every verb's options, and the decorator that turns an options class into a function's arguments."""

import dataclasses
import functools
from typing import Any, Literal, TypeVar

T = TypeVar("T")


def flag(default: Any = dataclasses.MISSING, help: str = "", *, positional: bool = False, short: str | None = None,
         factory: Any = dataclasses.MISSING) -> Any:
    """A dataclass field that is also a command-line flag; without a default it must be given."""
    metadata = {"help": help, "positional": positional, "short": short}
    return dataclasses.field(default=default, default_factory=factory, metadata=metadata)


@dataclasses.dataclass(kw_only=True)
class Options:
    """Flags that every verb has. Subclasses set `RUN = "module:function"` and add fields made by `flag`."""

    RUN = ""

    quiet: bool = flag(False, "print results only, no progress")
    seed: int = flag(0, "seed of every random choice")


@dataclasses.dataclass(kw_only=True)
class TrainingOptions(Options):
    """Flags of the verbs that train a model."""

    output: str | None = flag(None, "folder of the checkpoints and the finished model")
    log_dir: str | None = flag(None, "folder of the TensorBoard event files (default: logs/VERB/DATE-TIME)")
    dtype: Literal["float32", "bfloat16", "mixed_bfloat16", "mixed_float16"] = flag("float32", "Keras dtype policy")
    strategy: Literal["auto", "one", "mirrored", "multi_worker"] = flag("auto", "tf.distribute strategy")


def verb(options_class: type[T]):
    """Decorates `run(options)` so that `run(steps=10)` works as well as `run(OptionsClass(steps=10))`.

    An unknown keyword raises the TypeError of the dataclass, which names it.
    """

    def decorate(function):
        @functools.wraps(function)
        def run(options: T | None = None, /, **keywords):
            if options is None:
                options = options_class(**keywords)
            elif keywords:
                options = dataclasses.replace(options, **keywords)
            return function(options)

        run.options = options_class
        return run

    return decorate
