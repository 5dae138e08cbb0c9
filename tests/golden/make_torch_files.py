"""Writes tests/golden/torch_files: small PyTorch files of every kind that is read, and the arrays they hold.

Run by hand, with torch installed: python tests/golden/make_torch_files.py
"""

import collections
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).with_name("torch_files")


def state_dict() -> collections.OrderedDict:
    """Every storage class, and tensors that share a storage, are strided, transposed, expanded, empty, 0-d."""
    base = torch.arange(40, dtype=torch.float32).reshape(5, 8) / 7
    return collections.OrderedDict([
        ("embeddings.LayerNorm.gamma", torch.nn.Parameter(torch.linspace(-1, 1, 6))),
        ("base", base),
        ("shared", base),
        ("row_view", base[2]),
        ("transposed", base.t()),
        ("every_other", base[1::2, 1::3]),
        ("expanded", torch.tensor([1.5, 2.5]).expand(3, 2)),
        ("double", torch.arange(3, dtype=torch.float64) / 3),
        ("half", torch.arange(5, dtype=torch.float16) / 4),
        ("bfloat16", (torch.arange(6, dtype=torch.float32) / 3).to(torch.bfloat16).reshape(2, 3)),
        ("int64", torch.arange(4) - 2),
        ("int32", torch.arange(4, dtype=torch.int32)),
        ("int16", torch.arange(4, dtype=torch.int16)),
        ("int8", torch.arange(4, dtype=torch.int8) - 3),
        ("uint8", torch.arange(4, dtype=torch.uint8)),
        ("bool", torch.tensor([True, False, True])),
        ("scalar", torch.tensor(3.25)),
        ("empty", torch.zeros(0, 4)),
    ])


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    state = state_dict()
    torch.save(state, FOLDER / "zip.bin")
    torch.save(state, FOLDER / "legacy.bin", _use_new_zipfile_serialization=False)
    nested = {"epoch": 3, "state_dict": {f"module.{name}": state[name] for name in ("base", "half")}}
    torch.save(nested, FOLDER / "data_parallel.bin")
    torch.save({"float8": torch.arange(4).to(torch.float8_e4m3fn), "uint16": torch.arange(3).to(torch.uint16)},
               FOLDER / "untyped.bin")  # dtypes without a storage class of their own
    torch.save({"complex": torch.zeros(2, dtype=torch.complex64)}, FOLDER / "complex.bin")
    arrays = {name: tensor.detach().float() if tensor.dtype == torch.bfloat16 else tensor.detach()
              for name, tensor in state.items()}
    np.savez_compressed(FOLDER / "expected.npz", **{name: tensor.numpy() for name, tensor in arrays.items()})


if __name__ == "__main__":
    main()
