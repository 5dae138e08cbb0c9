"""Weight names: one table per family, read in both directions, and the audit that is always on.

A row is `(ours, hugging face, google tf1)` or `(ours, hugging face, google tf1, operation)`. Templates hold `{n}` for
the number of a block; `{g}` and `{i}` are its group and its place in the group (ALBERT). A row names a layer, and the
leaf rule below names its tensors, or it names one variable in full. `None` for ours means "known and ignored"; `None`
for theirs means "not there".
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

# our variable name -> the last part of theirs; several: the first is written, all are read
LEAVES: dict[str, Mapping[str, tuple[str, ...]]] = {
    "hf": {"kernel": ("weight",), "bias": ("bias",), "gamma": ("weight", "gamma"), "beta": ("bias", "beta"),
           "embeddings": ("weight",)},
    "tf1": {"kernel": ("kernel",), "bias": ("bias",), "gamma": ("gamma",), "beta": ("beta",), "embeddings": ("",)},
}
Row = tuple
# heads that are no family's own; the names are those of the library pytorch-crf
COMMON_HEADS = (
    ("crf/transitions", "crf.transitions", None),
    ("crf/start", "crf.start_transitions", None),
    ("crf/end", "crf.end_transitions", None),
)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where one of our variables lies in a checkpoint: candidate names and what to do with the tensor."""

    names: tuple[str, ...]
    transpose: bool = False  # theirs is the transpose of ours
    part: tuple[int, int] | None = None  # ours is part i of k of theirs along the outputs, the last axis of ours
    squeeze: bool = False  # theirs has a first axis of length 1 that ours has not

    def shape(self, ours: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of their tensor for a variable of ours."""
        shape = (*ours[:-1], ours[-1] * self.part[1]) if self.part else tuple(ours)
        shape = shape[::-1] if self.transpose else shape
        return (1, *shape) if self.squeeze else shape

    def read(self, theirs: np.ndarray) -> np.ndarray:
        """The value of our variable from their tensor."""
        array = theirs[0] if self.squeeze else theirs
        array = array.T if self.transpose else array
        return np.split(array, self.part[1], axis=-1)[self.part[0]] if self.part else array

    def write(self, ours: Sequence[np.ndarray]) -> np.ndarray:
        """Their tensor from the values of our variables in it, in order: all parts of it, or the one there is."""
        array = np.concatenate(ours, axis=-1) if self.part else ours[0]
        array = array.T if self.transpose else array
        return array[None] if self.squeeze else array


@dataclasses.dataclass(frozen=True)
class Names:
    """A family's table.

    Args:
        base: rows of the headless model, without prefix.
        heads: rows of the heads, in full.
        hf_prefix: stands before the base rows in Hugging Face files that hold a head as well.
        tf1_prefix: stands before the base rows in TF1 checkpoints.
        hf_transposed: whether Hugging Face kernels are `[out, in]` (all but OpenAI's families).
        tf1_leaves: the leaf rule of the TF1 release, where it is not TensorFlow's usual one.
        ignored: beginnings of tensor names that belong to another model in the same file.
    """

    base: tuple[Row, ...]
    heads: tuple[Row, ...] = ()
    hf_prefix: str = ""
    tf1_prefix: str = ""
    hf_transposed: bool = True
    tf1_leaves: Mapping[str, tuple[str, ...]] | None = None
    ignored: tuple[str, ...] = ()

    def with_(self, **changes) -> "Names":
        return dataclasses.replace(self, **changes)

    def leaves(self, layout: str) -> Mapping[str, tuple[str, ...]]:
        return self.tf1_leaves or LEAVES["tf1"] if layout == "tf1" else LEAVES["hf"]

    def prefixed(self, layout: str, prefix: str) -> list[tuple[str | None, str, str]]:
        """`(ours, theirs, operation)` of every row that this layout has."""
        column = 2 if layout == "tf1" else 1
        rows = [(row, prefix) for row in self.base] + [(row, "") for row in self.heads + COMMON_HEADS]
        return [(row[0], before + row[column], row[3] if len(row) > 3 else "")
                for row, before in rows if row[column] is not None]

    def places(self, path: str, layout: str, prefix: str, inner: int = 1) -> list[Place]:
        """Where the variable `path` of ours lies; several places where files hold it twice, none where the layout
        has no name for it."""
        layer, _, leaf = path.rpartition("/")
        found = []
        for ours, theirs, operation in self.prefixed(layout, prefix):
            if ours is None:
                continue
            whole, match = True, _pattern(ours).fullmatch(path)
            if not match and leaf in LEAVES["hf"]:
                whole, match = False, _pattern(ours).fullmatch(layer)
            if match:
                found.append(self._place(theirs, operation, layout, _numbers(match, inner), None if whole else leaf))
        return found

    def _place(self, theirs: str, operation: str, layout: str, numbers: dict, leaf: str | None) -> Place:
        name = theirs.format(**numbers)
        transpose = leaf == "kernel" and layout == "hf" and self.hf_transposed
        names: tuple[str, ...] = (name,)
        if leaf is not None:
            separator = "." if layout == "hf" else "/"
            names = tuple(name + (separator + last if last else "") for last in self.leaves(layout)[leaf])
        part = None
        for word in filter(None, operation.split(", ")):
            if word == "transpose":
                transpose = not transpose
            elif found := re.fullmatch(r"part (\d+) of (\d+)", word):
                part = int(found[1]), int(found[2])
            elif word != "reshape":
                raise ValueError(f"unknown operation '{word}' in the row of '{theirs}'")
        # OpenAI's kernels are those of convolutions of width 1
        squeeze = "reshape" in operation or (layout == "tf1" and self.tf1_leaves is not None and leaf == "kernel")
        return Place(names, transpose, part, squeeze)

    def known(self, layout: str, prefix: str) -> list[tuple[str | None, re.Pattern]]:
        """`(ours, pattern of theirs)` for every row: tells which row a tensor of a checkpoint belongs to."""
        leaves = sorted({re.escape(name) for names in self.leaves(layout).values() for name in names})
        separator = r"\." if layout == "hf" else "/"
        ending = rf"(?:{separator}(?:{'|'.join(leaves)}))?"
        return [(ours, re.compile(_pattern(theirs).pattern + ending))
                for ours, theirs, _ in self.prefixed(layout, prefix)]


@functools.cache
def _pattern(template: str) -> re.Pattern:
    parts = re.split(r"\{([ngi])\}", template)
    seen, text = set(), ""
    for index, part in enumerate(parts):
        if index % 2:
            text += rf"(?P={part})" if part in seen else rf"(?P<{part}>\d+)"
            seen.add(part)
        else:
            text += re.escape(part)
    return re.compile(text)


def _numbers(match: re.Match, inner: int) -> dict[str, int]:
    numbers = {key: int(value) for key, value in match.groupdict().items()}
    if "n" in numbers:
        numbers["g"], numbers["i"] = divmod(numbers["n"], inner)
    return numbers


def detect_prefix(names: Names, layout: str, tensors: Iterable[str]) -> str:
    """The family's prefix if the checkpoint's base tensors carry it."""
    prefix = names.hf_prefix if layout == "hf" else names.tf1_prefix
    return prefix if prefix and any(tensor.startswith(prefix) for tensor in tensors) else ""
