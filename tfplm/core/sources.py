"""Resolution of model sources: a path, or a name on the Hugging Face hub, to the directory of the model."""

import fnmatch
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from tfplm.core.suggest import did_you_mean

# the first one that exists is read
HF_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
EXPECTED = ("config.json with model.safetensors (or its shards and index, or pytorch_model.bin); or the *_config.json "
            "or hparams.json of a TF1 release with NAME.ckpt.index and NAME.ckpt.data-*; or one *.keras file")
HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)
# `*` also matches folders: the modules of a sentence encoder are in 1_Pooling, 2_Dense, ...
SMALL_FILES = ["*.json", "*.txt", "*.model", "[0-9]_*/*"]
WEIGHT_FILES = ("model*.safetensors", "pytorch_model*.bin", "*.ckpt*")  # the first one in the repository is downloaded


def resolve(source: str | os.PathLike) -> Path:
    """The directory of a model; a `.keras` file or a TensorFlow checkpoint prefix is returned unchanged.

    source: an existing path (`~` is expanded), or a name such as `hfl/chinese-roberta-wwm-ext`, which is searched in
    the Hugging Face cache and then downloaded, if `huggingface_hub` is installed and HF_HUB_OFFLINE is not set.

    Raises FileNotFoundError if there is none, with the searched locations and what to do.
    """
    path = Path(source).expanduser()
    if path.is_dir() or (path.is_file() and path.suffix == ".keras") or Path(f"{path}.index").is_file():
        return path
    if path.is_file():
        raise ValueError(f"{path} is a file; expected the directory that contains it, with its config and vocabulary")
    if not isinstance(source, str) or not HUB_NAME.fullmatch(source) or source.endswith(".keras"):
        raise FileNotFoundError(_no_such_path(path))
    snapshot = _cached(source)
    if snapshot and _layout(snapshot):
        return snapshot
    downloaded, reason = _download(source)
    if found := downloaded or snapshot:  # a snapshot without weights is enough for a tokenizer
        return found
    raise FileNotFoundError(
        f"'{source}' was not found as a path ({_no_such_path(path)}), in the Hugging Face cache {cache_folder()} (it "
        f"has no {_cache_name(source)}), or on the hub ({reason}). Put config.json, model.safetensors and the "
        "tokenizer's files (tokenizer.json, vocab.txt or spiece.model) into a directory and pass its path")


def layout_of(source: str | os.PathLike) -> Literal["hf", "tf1", "keras"]:
    """The layout of a directory: a Hugging Face model, a Google TF1 release, or one `.keras` file.

    Raises FileNotFoundError if it is none of these, with the files found and expected.
    """
    path = Path(source)
    if path.is_file() and path.suffix == ".keras":
        return "keras"
    if not path.is_dir() and Path(f"{path}.index").is_file():
        return "tf1"
    if layout := _layout(path):
        return layout
    raise FileNotFoundError(f"no model in {path}; expected {EXPECTED}; found: {_listing(path)}")


def config_file(source: str | os.PathLike, tf1_configs: Collection[str]) -> Path:
    """The config file of a directory, or of a TensorFlow checkpoint prefix in one; weights are not required.

    tf1_configs: file names of the configs of TF1 releases (`tfplm.families.registry.tf1_configs()`). A longer name, such
    as `bert_config_large.json`, is accepted if it is the only one.

    Raises FileNotFoundError if there is none, with the files found.
    """
    path = Path(source)
    directory = path if path.is_dir() else path.parent
    if path.suffix == ".keras" or _layout(directory) == "keras":
        raise FileNotFoundError(f"{path}: a .keras file contains its config; load it with keras.saving.load_model")
    # next to Google's weights are Google's configs; a config.json in such a folder is a conversion
    google_first = _layout(directory) == "tf1"
    for name in (*tf1_configs, "config.json") if google_first else ("config.json", *tf1_configs):
        if (directory / name).is_file():
            return directory / name
    prefixes = tuple(name.partition("_")[0] for name in tf1_configs if "_" in name)
    others = [path for path in directory.glob("*config*.json") if path.name.startswith(prefixes)]
    if len(others) == 1:
        return others[0]
    raise FileNotFoundError(f"{'more than one' if others else 'no'} config in {directory}; expected config.json or one "
                            f"of {', '.join(tf1_configs)}; found: {_listing(directory)}")


def cache_folder() -> Path:
    """The download cache of the Hugging Face libraries: $HF_HUB_CACHE, $HF_HOME/hub, or in ~/.cache."""
    if cache := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(cache).expanduser()
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    return Path(home, "hub").expanduser()


def is_local(source: str | os.PathLike) -> bool:
    """Returns True if `resolve` finds a source on this machine, without a download."""
    path = Path(source).expanduser()
    if path.exists() or Path(f"{path}.index").is_file():
        return True
    snapshot = _cached(str(source)) if HUB_NAME.fullmatch(str(source)) else None
    return bool(snapshot and _layout(snapshot))


def _layout(directory: Path) -> Literal["hf", "tf1", "keras"] | None:
    if any((directory / name).is_file() for name in HF_WEIGHTS):
        return "hf"
    if any(directory.glob("*.index")):
        return "tf1"
    return "keras" if len(list(directory.glob("*.keras"))) == 1 else None


def _listing(directory: Path) -> str:
    if not directory.is_dir():
        return "no such directory"
    names = sorted(path.name for path in directory.iterdir())
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "nothing, it is empty"


def _no_such_path(path: Path) -> str:
    """A message for a `path` that does not exist: its existing part, and the nearest name in it."""
    missing, parent = path, path.parent
    while not parent.is_dir() and parent != parent.parent:
        missing, parent = parent, parent.parent
    names = [entry.name for entry in parent.iterdir()] if parent.is_dir() else []
    return f"there is no {path}: {parent.absolute()} contains no {missing.name}{did_you_mean(missing.name, names)}"


def _cache_name(name: str) -> str:
    return "models--" + name.replace("/", "--")


def _cached(name: str) -> Path | None:
    """The best snapshot of a name in the cache: one with weights, or else that of branch main, or else the newest."""
    folder = cache_folder() / _cache_name(name)
    main = folder / "refs" / "main"
    commit = main.read_text(encoding="utf-8").strip() if main.is_file() else None
    snapshots = [path for path in folder.glob("snapshots/*") if path.is_dir()]
    return max(snapshots, default=None,
               key=lambda path: (_layout(path) is not None, path.name == commit, path.stat().st_mtime))


def _download(name: str) -> tuple[Path | None, str]:
    """(downloaded directory, "") or (None, the reason)."""
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            return None, f"not tried, {variable} is set"
    try:
        import huggingface_hub
    except ImportError:
        return None, "not tried, huggingface_hub is not installed: pip install huggingface_hub"
    try:
        files = huggingface_hub.HfApi().list_repo_files(name)
        weights = next((p for p in WEIGHT_FILES if fnmatch.filter(files, p)), None)
        if weights is None:
            return None, f"the repository has no {', '.join(WEIGHT_FILES)}"
        return Path(huggingface_hub.snapshot_download(
            name, cache_dir=str(cache_folder()), allow_patterns=[*SMALL_FILES, weights])), ""
    except Exception as error:  # no network, no such name, no permission: all are reported alike
        return None, f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'failed'}"
