"""A checkpoint whose tensors are read one at a time."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from tfplm.core.checkpoints.tensor import Tensor


class Checkpoint(Mapping):
    """A mapping from names to tensors; `checkpoint[name]` reads a tensor, on demand.

    layout: "hf" (safetensors, `pytorch_model.bin`) or "tf1" (TensorFlow). path: the file, index or prefix that was
    opened. tensors: name -> Tensor. Arrays may be read-only views of the file, whose memory is released with them, so
    filling variables one by one takes little more memory than the model itself.
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
        """Releases the files. Arrays that have been read stay valid; the checkpoint is empty afterwards."""
        self.tensors = {}

    def __enter__(self):
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def reject_pointer(path: Path) -> None:
    """Raises ValueError if `path` is a Git LFS pointer."""
    with open(path, "rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            raise ValueError(f"{path} is a Git LFS pointer, not the weights: run `git lfs pull` in its folder, "
                             "or download the file itself")
