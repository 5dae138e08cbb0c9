"""The lines of a corpus from which a vocabulary is learned."""

import collections
from collections.abc import Callable, Iterable, Iterator

_LONGEST_LINE = 1000  # characters; SentencePiece skips lines of more than 4,192 bytes


class Spool:
    """Lines saved in a file, which can be read repeatedly."""

    def __init__(self, file):
        self.file = file

    def __iter__(self) -> Iterator[str]:
        self.file.seek(0)
        return iter(self.file)


def spooled(lines: Iterable[str], file) -> Spool:
    file.writelines(line.rstrip("\n") + "\n" for line in lines)
    return Spool(file)


class Corpus:
    """The normalized lines, cut to a manageable length, with spaces instead of unknown characters."""

    def __init__(self, lines: Iterable[str], clean: Callable[[str], str], known: set[str], blanks: bool = True):
        self.lines, self.clean, self.known, self.blanks = lines, clean, known, blanks

    def __iter__(self) -> Iterator[str]:
        table = collections.defaultdict(lambda: " ", {ord(c): c for c in self.known})
        for line in self.lines:
            line = self.clean(line.rstrip("\n"))
            if self.blanks:
                line = line.translate(table)
            start = 0
            while len(line) - start > _LONGEST_LINE:
                cut = line.rfind(" ", start + 1, start + _LONGEST_LINE)
                cut = start + _LONGEST_LINE if cut < 0 else cut
                yield line[start:cut]
                start = cut
            yield line[start:]
