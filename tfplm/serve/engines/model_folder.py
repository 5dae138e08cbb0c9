"""Where the model of a server lies, after the options of bert-serving-start that name single files of it."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tfplm.core.sources import config_file, resolve
from tfplm.families import bert, registry
from tfplm.options.serve import ServeOptions

_SMALL = (".json", ".txt", ".model", ".bpe")  # configurations and vocabularies


@contextlib.contextmanager
def model_folder(options: ServeOptions) -> Iterator[Path]:
    """The folder, or checkpoint prefix, to load from.

    With `tuned_model_dir` its weights and the source's configuration and vocabulary, as far as it has none, are put
    side by side in a folder that lasts as long as the context. FileNotFoundError for a named file that is not there.
    """
    source = resolve(options.source)
    if not source.is_dir():
        yield source
    elif options.tuned_model_dir is not None:
        with tempfile.TemporaryDirectory(prefix="tfplm-serve-") as folder:
            yield _combined(source, options, Path(folder))
    elif options.config_name not in (bert.TF1.config, "config.json"):
        with tempfile.TemporaryDirectory(prefix="tfplm-serve-") as folder:
            yield _combined(source, options, Path(folder), source)
    else:
        yield _prefix(source, options.ckpt_name)


def _prefix(folder: Path, name: str) -> Path:
    """The one of several checkpoints that is named; the folder itself where the name is only the default."""
    if (folder / f"{name}.index").is_file():
        return folder / name
    if name != bert.TF1.checkpoint:
        found = sorted(path.stem for path in folder.glob("*.index"))
        raise FileNotFoundError(f"there is no {name}.index in {folder}; checkpoints there: {', '.join(found) or 'none'}")
    return folder


def _combined(source: Path, options: ServeOptions, folder: Path, tuned: Path | None = None) -> Path:
    tuned = tuned or Path(options.tuned_model_dir or "").expanduser()
    if not tuned.is_dir():
        raise FileNotFoundError(f"tuned_model_dir is {tuned}, which is no folder")
    named = _prefix(tuned, options.ckpt_name)
    wanted = [path for path in tuned.iterdir() if path.is_file() and path.suffix not in _SMALL]
    if named != tuned:
        wanted = [path for path in wanted if path.name.startswith(f"{named.name}.")]
    for path in wanted:
        _link(path, folder / path.name)
    for path in [*(source.iterdir() if source != tuned else ()), *tuned.iterdir()]:  # the latter wins
        if path.is_file() and path.suffix in _SMALL:
            shutil.copyfile(path, folder / path.name)
    if (source / options.config_name).is_file():
        shutil.copyfile(source / options.config_name, folder / bert.TF1.config)
    config_file(folder, registry.tf1_configs())  # says what is missing
    return folder if named == tuned else folder / named.name


def _link(path: Path, target: Path) -> None:
    try:
        os.symlink(path.absolute(), target)
    except OSError:  # not allowed, as on Windows
        shutil.copyfile(path, target)
