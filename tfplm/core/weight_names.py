"""Tables of weight names, one for each family, used for loading and for saving.

A row is `(ours, hugging face, google tf1)` or `(ours, hugging face, google tf1, operation)`. In templates, `{n}` is the
index of a block, `{g}` its group, and `{i}` its index in the group (ALBERT). A row names a layer, whose tensors are
named by the leaf names below, or one variable with its full path. `None` for ours means "known and ignored"; `None` for
theirs means "not in this layout".
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

# our variable name -> the last part of theirs; of several names the first is written, and all are read
LEAVES: dict[str, Mapping[str, tuple[str, ...]]] = {
    "hf": {"kernel": ("weight",), "bias": ("bias",), "gamma": ("weight", "gamma"), "beta": ("bias", "beta"),
           "embeddings": ("weight",)},
    "tf1": {"kernel": ("kernel",), "bias": ("bias",), "gamma": ("gamma",), "beta": ("beta",), "embeddings": ("",)},
}
Row = tuple
# first parts of the paths of our variables in all models except those of heads and poolers
BACKBONE = {"embeddings", "decoder_embeddings", "encoder", "decoder"}
# heads of all families; the names are those of the library pytorch-crf
COMMON_HEADS = (
    ("crf/transitions", "crf.transitions", None),
    ("crf/start", "crf.start_transitions", None),
    ("crf/end", "crf.end_transitions", None),
)


@dataclasses.dataclass(frozen=True)
class Location:
    """The location of one of our variables in a checkpoint: possible names, and the conversion of the tensor."""

    names: tuple[str, ...]
    transpose: bool = False  # theirs is the transpose of ours
    part: tuple[int, int] | None = None  # ours is part i of k of theirs along the outputs, the last axis of ours
    squeeze: bool = False  # theirs has an additional first axis of length 1

    def shape(self, ours: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of their tensor for a variable of shape `ours`."""
        shape = (*ours[:-1], ours[-1] * self.part[1]) if self.part else tuple(ours)
        shape = shape[::-1] if self.transpose else shape
        return (1, *shape) if self.squeeze else shape

    def read(self, theirs: np.ndarray) -> np.ndarray:
        """Converts their tensor to the value of our variable."""
        array = theirs[0] if self.squeeze else theirs
        array = array.T if self.transpose else array
        return np.split(array, self.part[1], axis=-1)[self.part[0]] if self.part else array

    def write(self, ours: Sequence[np.ndarray]) -> np.ndarray:
        """Converts the values of our variables to their tensor: all its parts in order, or the only one."""
        array = np.concatenate(ours, axis=-1) if self.part else ours[0]
        array = array.T if self.transpose else array
        return array[None] if self.squeeze else array


@dataclasses.dataclass(frozen=True)
class Names:
    """The table of a family.

    Args:
        base: rows of the model without head, without prefix.
        heads: rows of the heads, with full names.
        hf_prefix: prefix of the base rows in Hugging Face files of models with a head.
        tf1_prefix: prefix of the base rows in TF1 checkpoints.
        hf_transposed: True if the kernels of Hugging Face are `[out, in]` (all families except OpenAI's).
        tf1_leaves: leaf names of the TF1 release, if they are not those of TensorFlow.
        ignored: prefixes of tensor names that belong to another model in the same file.
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
        """`(ours, theirs, operation)` of every row of this layout."""
        column = 2 if layout == "tf1" else 1
        rows = [(row, prefix) for row in self.base] + [(row, "") for row in self.heads + COMMON_HEADS]
        return [(row[0], row_prefix + row[column], row[3] if len(row) > 3 else "")
                for row, row_prefix in rows if row[column] is not None]

    def locations(self, path: str, layout: str, prefix: str, inner: int = 1) -> list[Location]:
        """The locations of our variable `path`: several if files contain it twice, none if the layout does not have it.

        inner: number of blocks in a group (ALBERT).
        """
        layer, _, leaf = path.rpartition("/")
        found = []
        for ours, theirs, operation in self.prefixed(layout, prefix):
            if ours is None:
                continue
            whole, match = True, _pattern(ours).fullmatch(path)
            if not match and leaf in LEAVES["hf"]:
                whole, match = False, _pattern(ours).fullmatch(layer)
            if match:
                found.append(self._location(theirs, operation, layout, _indices(match, inner), None if whole else leaf))
        return found

    def _location(self, theirs: str, operation: str, layout: str, indices: dict, leaf: str | None) -> Location:
        name = theirs.format(**indices)
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
                raise ValueError(f"unknown operation '{word}' in the row of '{theirs}', expected transpose, reshape or "
                                 "'part I of K'")
        # OpenAI's kernels are convolutions of width 1
        squeeze = "reshape" in operation or (layout == "tf1" and self.tf1_leaves is not None and leaf == "kernel")
        return Location(names, transpose, part, squeeze)

    def known(self, layout: str, prefix: str) -> list[tuple[str | None, re.Pattern]]:
        """`(ours, pattern of theirs)` for every row, to find the row of a tensor in a checkpoint."""
        leaves = sorted({re.escape(name) for names in self.leaves(layout).values() for name in names})
        separator = r"\." if layout == "hf" else "/"
        suffix = rf"(?:{separator}(?:{'|'.join(leaves)}))?"
        return [(ours, re.compile(_pattern(theirs).pattern + suffix))
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


def _indices(match: re.Match, inner: int) -> dict[str, int]:
    indices = {key: int(value) for key, value in match.groupdict().items()}
    if "n" in indices:
        indices["g"], indices["i"] = divmod(indices["n"], inner)
    return indices


def detect_prefix(names: Names, layout: str, tensors: Iterable[str]) -> str:
    """The prefix of the family if the base tensors of the checkpoint have it, otherwise ""."""
    prefix = names.hf_prefix if layout == "hf" else names.tf1_prefix
    return prefix if prefix and any(tensor.startswith(prefix) for tensor in tensors) else ""
