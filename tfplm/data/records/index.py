"""The index of a records folder: its settings and its complete shards, also while the records are being written."""

import json
import os
import reprlib
from pathlib import Path

from tfplm.core.config import read_json
from tfplm.core.files import naming_the_file, write_text

FORMAT = "tfplm-records-1"
INDEX, JOURNAL = "index.json", "shards.jsonl"


def load_index(folder: str | os.PathLike) -> dict:
    """Reads the finished index. Raises FileNotFoundError, with the command to run, if there is none."""
    path = Path(folder, INDEX)
    if not path.is_file():
        started = Path(folder, JOURNAL).is_file()
        raise FileNotFoundError(f"{folder} has no {INDEX}: " + (
            "the records are unfinished; run the same `tfplm records` command again" if started else
            "it is not a records folder; make one with `tfplm records`"))
    index = read_json(path)
    if index.get("format") != FORMAT:
        raise ValueError(f"{path}: format {reprlib.repr(index.get('format'))}, expected {FORMAT!r}; run `tfplm records` "
                         "again")
    with naming_the_file(path):
        _check(index)
    return index


def _check(index: dict) -> None:
    """Raises ValueError for other types than those of an index, and for files outside of its folder."""
    kinds = {"settings": dict, "layout": str, "vocabulary": dict, "totals": dict, "shards": list}
    if wrong := [name for name, kind in kinds.items() if not isinstance(index.get(name), kind)]:
        raise ValueError(f"{wrong[0]} is {reprlib.repr(index.get(wrong[0]))}, expected a {kinds[wrong[0]].__name__}")
    for split, totals in index["totals"].items():
        if not all(type(totals[key]) is int and totals[key] >= 0 for key in ("records", "tokens")):
            raise ValueError(f"the totals of {split!r} are {reprlib.repr(totals)}, expected numbers")
    for line in index["shards"]:
        _check_shard(line)


def _check_shard(line: dict) -> None:
    for file in line["files"]:
        if not isinstance(file["name"], str) or Path(file["name"]).name != file["name"]:
            raise ValueError(f"a shard has the file {reprlib.repr(file['name'])}, expected a name in the same folder")


class Journal:
    """The log of complete shards, one JSON line each, written after the shard was renamed to its final name.

    The first line holds the settings. A restart keeps the shards whose text has not changed.
    """

    def __init__(self, folder: Path, settings: dict, overwrite: bool = False):
        self.folder, self.settings, self.shards = folder, settings, {}
        folder.mkdir(parents=True, exist_ok=True)
        found, lines = self._read()
        if found is not None and found != json.loads(json.dumps(settings)):
            if not overwrite:
                raise ValueError(_difference(folder, found, settings))
            self._remove(lines)
            lines = []
        for line in lines:
            if all((folder / file["name"]).is_file() for file in line["files"]):
                self.shards[line["number"]] = line
        self._start()

    def _read(self) -> tuple[dict | None, list[dict]]:
        if (path := self.folder / JOURNAL).is_file():
            lines = []
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    lines.append(json.loads(line))
                except json.JSONDecodeError:  # the line that was being written when the process was killed
                    break
            with naming_the_file(path):
                for line in lines[1:]:
                    _check_shard(line)
            return (lines[0]["settings"], lines[1:]) if lines else (None, [])
        if (self.folder / INDEX).is_file():
            index = load_index(self.folder)
            return index["settings"], index["shards"]
        return None, []

    def _start(self) -> None:
        for part in self.folder.glob("*.part"):  # left by a process that was killed
            part.unlink()
        lines = [{"settings": self.settings}, *self.shards.values()]
        write_text(self.folder / JOURNAL, "".join(json.dumps(line) + "\n" for line in lines))
        (self.folder / INDEX).unlink(missing_ok=True)

    def has(self, number: int, digest: str) -> bool:
        """Returns True if the shard exists and was made from exactly this text."""
        return number in self.shards and self.shards[number]["digest"] == digest

    def add(self, shard: dict) -> None:
        """Records a finished shard."""
        self.shards[shard["number"]] = shard
        with open(self.folder / JOURNAL, "a", encoding="utf-8") as file:
            file.write(json.dumps(shard) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def finish(self, count: int, **facts) -> dict:
        """Writes the index of the first `count` shards and removes later ones (of an earlier, longer text)."""
        self._remove([shard for number, shard in self.shards.items() if number >= count])
        shards = [self.shards[number] for number in range(count)]
        totals: dict[str, dict[str, int]] = {}
        for file in (file for shard in shards for file in shard["files"]):
            split = totals.setdefault(file["split"], {"files": 0})
            split["files"] += 1
            for key in ("records", "tokens", "sentences", "bytes"):
                split[key] = split.get(key, 0) + file[key]
        index = {"format": FORMAT, "settings": self.settings, **facts, "totals": totals, "shards": shards}
        text = json.dumps(index, indent=1)
        write_text(self.folder / INDEX, text + "\n")
        (self.folder / JOURNAL).unlink()
        return json.loads(text)

    def _remove(self, shards: list[dict]) -> None:
        for file in (file for shard in shards for file in shard["files"]):
            (self.folder / file["name"]).unlink(missing_ok=True)


def _difference(folder: Path, found: dict, wanted: dict) -> str:
    changes = [f"{key} {found.get(key)!r}, now {wanted.get(key)!r}" for key in sorted({*found, *wanted})
               if found.get(key) != wanted.get(key)]
    return (f"{folder} holds records made with other options ({'; '.join(changes)}); choose another folder, or "
            "--overwrite them")
