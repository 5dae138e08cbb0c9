"""A checkpoint that is read tensor by tensor."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from tfplm.core.checkpoints.tensor import Tensor


class Checkpoint(Mapping):
    """The tensors of a checkpoint by name; `checkpoint[name]` reads one. Nothing is read before it is asked for.

    layout: "hf" (safetensors, `pytorch_model.bin`) or "tf1" (TensorFlow). path: the file, index or prefix that was
    opened. tensors: name -> Tensor. Arrays may be read-only views of the file, in which case their memory goes back
    when they do; so a loader that fills one variable after another holds little more than the model itself.
    """

    def __init__(self, path: Path, layout: Literal["hf", "tf1"], tensors: dict[str, Tensor]):
        self.path = path
        self.layout = layout
        self.tensors = tensors

    def names(self) -> list[str]:
        return list(self.tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        return self.tensors[name].shape

    def dtype(self, name: str) -> np.dtype:
        return self.tensors[name].dtype

    def read(self, name: str) -> np.ndarray:
        return self.tensors[name].read()

    def __getitem__(self, name: str) -> np.ndarray:
        return self.read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __contains__(self, name) -> bool:
        return name in self.tensors

    def __repr__(self) -> str:
        return f"Checkpoint({str(self.path)!r}, layout={self.layout!r}, {len(self)} tensors)"

    def close(self) -> None:
        """Lets go of the files; arrays that were read stay valid, the names are gone."""
        self.tensors = {}

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def refuse_pointer(path: Path) -> None:
    """Says so where `path` is what Git leaves in place of a large file that was not fetched."""
    with open(path, "rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            raise ValueError(f"{path} is a Git LFS pointer, not the weights: run `git lfs pull` in its folder, "
                             "or download the file itself")
