"""Resolution of model sources: a path, or a name on the Hugging Face hub, to the directory of the model."""

import contextlib
import fnmatch
import logging
import os
import re
import socket
import threading
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Literal

from tfplm.core.suggest import did_you_mean

# the first one that exists is read
HF_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
# other names of a file of weights, if it is the only one in a directory
_OTHER_WEIGHTS = re.compile(r"[^.].*\.(safetensors|bin|pt|pth|ckpt)")
_NO_WEIGHTS = re.compile(r"(training_args|trainer_state|optimizer|scheduler|rng_state|scaler|random_states|adapter).*")
EXPECTED = ("config.json with model.safetensors (or its shards and index, or pytorch_model.bin); or the *_config.json "
            "or hparams.json of a TF1 release with NAME.ckpt.index and NAME.ckpt.data-*; or one *.keras file")
# as huggingface_hub checks it: OWNER/NAME or NAME, at most 96 characters, no -- or .., not .git at the end
HUB_NAME = re.compile(r"(?=.{1,96}$)(?!.*(--|\.\.))(?!.*\.git$)\w([\w.-]*\w)?(/\w([\w.-]*\w)?)?", re.ASCII)
# names of files, never of a repository
_FILES = (".keras", ".ckpt", ".index", ".safetensors", ".bin", ".pt", ".pth", ".h5", ".json", ".txt", ".onnx", ".zip",
          ".model", ".vocab", ".npz", ".csv", ".tsv", ".tar.gz")
# `*` also matches folders: the modules of a sentence encoder are in 1_Pooling, 2_Dense, ...
SMALL_FILES = ["*.json", "*.txt", "*.model", "[0-9]_*/*"]
WEIGHT_FILES = ("model*.safetensors", "pytorch_model*.bin", "*.ckpt*")  # the first one in the repository is downloaded
OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
_SECONDS = 4  # to reach the hub


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
    if not isinstance(source, str) or not HUB_NAME.fullmatch(source) or source.lower().endswith(_FILES):
        raise FileNotFoundError(_no_such_path(path))
    snapshot = _cached(source)
    if snapshot and _layout(snapshot):
        return snapshot
    if "/" in source and path.parent.exists():  # so it is a path
        raise FileNotFoundError(_no_such_path(path))
    downloaded, reason = _download(source)
    if found := downloaded or snapshot:  # a snapshot without weights is enough for a tokenizer
        return found
    raise FileNotFoundError(
        f"'{source}' was not found as a path ({_no_such_path(path)}), in the Hugging Face cache {cache_folder()} (it "
        f"has no {_cache_name(source)}), or on the hub ({reason}). Put config.json, model.safetensors and the "
        "tokenizer's files (tokenizer.json, vocab.txt or spiece.model) into a directory and pass its path")


def weights_file(directory: Path) -> Path | None:
    """The file of Hugging Face weights in a directory: with a usual name, or the only one of a PyTorch program."""
    for name in HF_WEIGHTS:
        if (directory / name).is_file():
            return directory / name
    if not directory.is_dir() or any(directory.glob("*.index")) or any(directory.glob("*.keras")):
        return None
    others = [path for path in directory.iterdir() if _OTHER_WEIGHTS.fullmatch(path.name) and path.is_file()
              and not _NO_WEIGHTS.fullmatch(path.name)]
    return others[0] if len(others) == 1 else None


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
    if weights_file(directory):
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
    """(the downloaded directory of a repository, "") or (None, the reason)."""
    for variable in OFFLINE:
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            return None, f"not tried, {variable} is set"
    try:
        import huggingface_hub
    except ImportError:
        return None, "not tried, huggingface_hub is not installed: pip install huggingface_hub"
    if reason := _unreachable():
        return None, f"{reason}; with {OFFLINE[0]}=1 it is not tried"
    try:
        with _silent("huggingface_hub", "httpx", "urllib3"):
            files = huggingface_hub.HfApi().list_repo_files(name)
            weights = next((p for p in WEIGHT_FILES if fnmatch.filter(files, p)), None)
            if weights is None:
                return None, f"the repository has no {', '.join(WEIGHT_FILES)}"
            return Path(huggingface_hub.snapshot_download(
                name, cache_dir=str(cache_folder()), allow_patterns=[*SMALL_FILES, weights])), ""
    except Exception as error:  # no network, no such name, no permission: all are reported alike
        return None, f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else 'failed'}"


def _unreachable() -> str:
    """Why the hub cannot be reached, or "". huggingface_hub itself would try six times, in about 25 s."""
    try:
        from huggingface_hub.constants import ENDPOINT
    except ImportError:
        return ""
    url, proxies = urllib.parse.urlsplit(ENDPOINT), urllib.request.getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy and not urllib.request.proxy_bypass(url.hostname or ""):
        url = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}", "http")
    failures: list[str] = [f"no answer in {_SECONDS} s"]

    def connect():
        try:
            socket.create_connection((url.hostname, url.port or (443 if url.scheme == "https" else 80)), _SECONDS).close()
            failures.clear()
        except (OSError, ValueError) as error:
            failures[:] = [str(error)]

    attempt = threading.Thread(target=connect, daemon=True)  # the look-up of a name has no time limit of its own
    attempt.start()
    attempt.join(_SECONDS)
    return f"{url.hostname} cannot be reached: {failures[0]}" if failures[:1] else ""


@contextlib.contextmanager
def _silent(*names: str) -> Iterator[None]:
    """Keeps the messages of other libraries about each retry from being printed."""
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
