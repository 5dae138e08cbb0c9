"""The five source documents, read where they lie: programs and strings are taken out of them, and none is copied here."""

import re
from pathlib import Path

# the beginning of each file's name
NAMES = {"intro": "000", "history": "001", "overview": "002", "transformer": "003", "survey": "004"}


class Document:
    """One document; lines are numbered from 1, as the tests cite them."""

    def __init__(self, path: Path):
        self.name, self.folder = path.name, path.parent
        self._lines = path.read_text(encoding="utf-8").splitlines()

    def lines(self, first: int, last: int) -> list[str]:
        """The lines `first` to `last`, both included."""
        return self._lines[first - 1:last]

    def text(self, first: int, last: int) -> str:
        return "\n".join(self.lines(first, last))

    def code(self, first: int, last: int) -> str:
        """What the fenced blocks between two lines hold, joined in their order."""
        blocks = re.findall(r"^\s*```[^\n`]*\n(.*?)^\s*```", self.text(first, last) + "\n", re.M | re.S)
        if not blocks:
            raise ValueError(f"{self.name} has no fenced block in the lines {first} to {last}")
        return "\n".join(blocks)


def read(folder: Path, name: str) -> Document:
    """The document of that short name (a key of `NAMES`) in a folder."""
    (path,) = folder.glob(f"{NAMES[name]}_*.txt")
    return Document(path)
