"""Measured numbers that are kept between processes, one small JSON file for each key, in a folder of the user's cache.

The variable TFPLM_CACHE names another folder than ~/.cache/tfplm, or "off" for none. A folder that cannot be read or
written, and a damaged file, are no errors: the numbers are then measured again.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path

_NONE = ("", "off")


def cache_folder() -> Path | None:
    """The folder of the package's caches; None if there is none."""
    named = os.environ.get("TFPLM_CACHE")
    if named is not None:
        return None if named.strip().lower() in _NONE else Path(named).expanduser()
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfplm"
    except RuntimeError:  # a user without a home
        return None


def file_of(key: dict) -> Path | None:
    """The file with the numbers of a key, whether it exists or not; None without a folder."""
    folder = cache_folder()
    digest = hashlib.blake2b(json.dumps(key, sort_keys=True).encode(), digest_size=8).hexdigest()
    return None if folder is None else folder / "machine" / f"{digest}.json"


def recall(key: dict) -> dict[str, float] | None:
    """The numbers that were measured for a key; None if there are none, or only damaged ones."""
    file = file_of(key)
    if file is None:
        return None
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    numbers = found.get("numbers") if isinstance(found, dict) and found.get("key") == key else None
    if not isinstance(numbers, dict) or not all(_is_number(value) for value in numbers.values()):
        return None
    return numbers


def remember(key: dict, numbers: dict[str, float]) -> Path | None:
    """Writes the numbers of a key; returns the file, or None if that is not possible.

    The file is complete at any moment, whatever other processes write at the same time.
    """
    file = file_of(key)
    if file is None:
        return None
    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, suffix=".part", delete=False) as writer:
            temporary = writer.name
            json.dump({"key": key, "numbers": numbers}, writer, indent=1)
        os.replace(temporary, file)
        return file
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return None


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
