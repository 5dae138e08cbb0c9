"""A reader of the pickle in a PyTorch file that executes nothing of it.

A pickle is a program whose GLOBAL instructions may name any function of the machine. Here, `find_class` accepts only
the names below and returns a stand-in for each, which describes a tensor; any other name is an error. The stand-ins are
strings and named tuples, which no instruction of a pickle can modify.
"""

import collections
import io
import pickle
from pathlib import Path
from typing import Any, NamedTuple

STORAGES = {"DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
            "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16",
            "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8"}
DTYPES = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "int32", "int16",
          "int8", "uint64", "uint32", "uint16", "uint8", "bool")


class Storage(NamedTuple):
    """A run of elements: those stored in the file under `key`, starting at element `start`."""

    dtype: str
    key: str
    start: int


class View(NamedTuple):
    """The file's description of a tensor: a strided view of a storage. Offset and strides are in elements."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _view(storage, dtype, offset, shape, strides) -> View:
    view = View(storage, dtype, offset, tuple(shape), tuple(strides))
    counts = (offset, *view.shape, *view.strides)
    if not (isinstance(storage, Storage) and dtype in DTYPES and len(view.shape) == len(view.strides)
            and all(isinstance(count, int) and count >= 0 for count in counts)):
        raise ValueError(f"a tensor described as {view}")
    return view


def _rebuild_tensor(storage, offset, shape, strides, *_) -> View:
    return _view(storage, storage.dtype, offset, shape, strides)


def _rebuild_tensor_of_dtype(storage, offset, shape, strides, requires_grad, hooks, dtype, *_) -> View:
    return _view(storage, dtype, offset, shape, strides)


def _rebuild_parameter(tensor, *_) -> View:
    return tensor


GLOBALS = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _rebuild_tensor_of_dtype,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    ("torch.storage", "UntypedStorage"): "uint8",
    **{("torch", name): dtype for name, dtype in STORAGES.items()},
    **{("torch", dtype): dtype for dtype in DTYPES},
}


class Unpickler(pickle.Unpickler):
    """Reads one pickle of a PyTorch file; raises ValueError for a name outside GLOBALS.

    storages: key -> Storage, for all storages in the pickle.
    """

    def __init__(self, file: io.IOBase, path: Path):
        super().__init__(file, encoding="utf-8")
        self.path = path
        self.storages: dict[str, Storage] = {}

    def find_class(self, module, name):
        if (module, name) in GLOBALS:
            return GLOBALS[module, name]
        if module == "torch" and name.endswith("Storage"):
            raise ValueError(f"{self.path}: a tensor has dtype {name}, which is not supported; expected "
                             f"{', '.join(STORAGES)}")
        raise ValueError(f"{self.path} was rejected: its pickle calls '{module}.{name}', and only plain tensors are "
                         "read, because unpickling executes the functions that a file names. Nothing was executed. If "
                         "you trust the file, save its weights again as model.safetensors")

    def persistent_load(self, saved):
        # ("storage", type, key, location, elements[, None or (key of the view, start, elements)])
        kind, dtype, key, _, _, *rest = saved
        start = rest[0][1] if rest and rest[0] is not None else 0
        if kind != "storage" or dtype not in DTYPES or not isinstance(start, int) or start < 0:
            raise ValueError(f"a storage described as {saved!r}")
        self.storages[str(key)] = storage = Storage(dtype, str(key), start)
        return storage


def load(file: io.IOBase, path: Path) -> tuple[Any, dict[str, Storage]]:
    """(the next object of `file`, its storages). Every failure is raised as a ValueError that names `path`."""
    unpickler = Unpickler(file, path)
    try:
        return unpickler.load(), unpickler.storages
    except Exception as error:  # a damaged pickle can raise nearly anything
        if isinstance(error, ValueError) and str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: its pickle cannot be read ({type(error).__name__}: {error}): the file is "
                         "truncated, damaged or not a PyTorch file; fetch it again") from None
