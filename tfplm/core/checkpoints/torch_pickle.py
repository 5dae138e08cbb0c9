"""A reader of the pickle in a PyTorch file that executes nothing of it.

A pickle is a program whose GLOBAL instructions may name any function of the machine. Here, only the names below are
accepted, each has a stand-in that describes a tensor, and any other name is an error. The program is interpreted by
`Machine`, not by Python's unpickler, whose memory and time are not bounded by the size of the file: one instruction can
make its memo gigabytes large, and nested tuples as dictionary keys take a time that doubles with each level.
"""

import io
import pickletools
import reprlib
from pathlib import Path
from typing import Any, NamedTuple

from tfplm.core.checkpoints.tensor import MAX_AXES, MAX_COUNT

STORAGES = {"DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
            "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16",
            "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8"}
DTYPES = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "int64", "int32", "int16",
          "int8", "uint64", "uint32", "uint16", "uint8", "bool")
MAX_STEPS = 1 << 22
_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxtuple = 3, MAX_AXES


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


class Inert(NamedTuple):
    """A stand-in for an object that is no tensor and cannot do anything: training settings, scores."""

    name: str


def _count(value) -> bool:
    return type(value) is int and 0 <= value < MAX_COUNT


def _view(storage, dtype, offset, shape, strides) -> View:
    if not (isinstance(storage, Storage) and dtype in DTYPES and isinstance(shape, tuple) and isinstance(strides, tuple)
            and len(shape) == len(strides) <= MAX_AXES and all(map(_count, (offset, *shape, *strides)))):
        raise ValueError("a tensor described as " + _SHORT.repr((storage, dtype, offset, shape, strides)))
    return View(storage, dtype, offset, shape, strides)


def _rebuild_tensor(storage, offset, shape, strides, *_) -> View:
    return _view(storage, storage.dtype, offset, shape, strides)


def _rebuild_tensor_of_dtype(storage, offset, shape, strides, requires_grad, hooks, dtype, *_) -> View:
    return _view(storage, dtype, offset, shape, strides)


def _rebuild_parameter(tensor, *_):
    return tensor


def _size(sizes):
    return sizes


GLOBALS = {
    ("torch", "Size"): _size,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _rebuild_tensor_of_dtype,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter,
    ("torch.storage", "UntypedStorage"): "uint8",
    **{("torch", name): dtype for name, dtype in STORAGES.items()},
    **{("torch", dtype): dtype for dtype in DTYPES},
}
# what training programs save next to the weights
INERT = {
    ("argparse", "Namespace"), ("_codecs", "encode"), ("collections", "defaultdict"), ("collections", "Counter"),
    ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"), ("numpy", "dtype"), ("torch", "device"),
    ("pytorch_lightning.utilities.parsing", "AttributeDict"), ("lightning.pytorch.utilities.parsing", "AttributeDict"),
    ("lightning_fabric.utilities.data", "AttributeDict"), ("lightning.fabric.utilities.data", "AttributeDict"),
    *((module, name) for module in ("builtins", "__builtin__") for name in ("dict", "list", "set", "frozenset")),
}


class Machine:
    """Interprets one pickle; memory and time are linear in its length.

    Dictionaries may have numbers and strings as keys, and tuples of these. Sets are read as lists.

    storages: key -> Storage, for all storages in the pickle.
    """

    def __init__(self, path: Path):
        self.path = path
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.steps = self.copied = 0
        self.storages: dict[str, Storage] = {}

    def run(self, file) -> Any:
        """The object that the pickle at the position of `file` describes; raises any exception for a damaged one."""
        for opcode, argument, _ in pickletools.genops(file):
            self.steps += 1
            if self.steps > MAX_STEPS:  # each may add an entry to the memo, a hundred times as large as the instruction
                raise ValueError(f"more than {MAX_STEPS} instructions, a hundred times those of the largest models; save "
                                 "the weights without other objects")
            name = opcode.name
            if name in _PUSH:
                self.stack.append(argument)
            elif name in _EMPTY:
                self.stack.append(_EMPTY[name]())
            elif step := _STEPS.get(name):
                step(self, argument)
            elif name not in _NOTHING:
                raise ValueError(f"the instruction {name}, which no PyTorch file needs")
        return self.stack.pop()

    def popped(self) -> list[Any]:
        """Removes everything above the last mark from the stack."""
        start = self.marks.pop()
        items, self.stack[start:] = self.stack[start:], []
        return items

    def global_(self, module: str, name: str) -> None:
        if (module, name) == ("collections", "OrderedDict"):
            self.stack.append(self._ordered)
        elif (module, name) in GLOBALS:
            self.stack.append(GLOBALS[module, name])
        elif (module, name) in INERT:
            self.stack.append(Inert(f"{module}.{name}"))
        elif module == "torch" and name.endswith("Storage"):
            raise ValueError(f"{self.path}: a tensor has dtype {name}, which is not supported; expected "
                             f"{', '.join(STORAGES)}")
        else:
            raise ValueError(f"{self.path} was rejected: its pickle calls '{module}.{name}', and only plain tensors are "
                             "read, because unpickling executes the functions that a file names. Nothing was executed. "
                             "If you trust the file, save its weights again as model.safetensors")

    def _ordered(self, pairs=()) -> dict:
        self.copied += len(pairs)
        if self.copied > self.steps:  # every pair has an instruction, unless one list is used again and again
            raise ValueError("dictionaries with more entries than it has instructions")
        result: dict = {}
        self.fill(result, [item for key, value in pairs for item in (key, value)])
        return result

    def reduce(self, _) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if isinstance(function, Inert):
            self.stack.append(function)
        elif callable(function) and isinstance(arguments, tuple):
            self.stack.append(function(*arguments))
        else:
            raise ValueError(f"a call of {_SHORT.repr(function)}")

    def fill(self, target, items: list) -> None:
        """Adds keys and values to a dictionary; those of other objects are left out."""
        if len(items) % 2:
            raise ValueError("a dictionary with a key without a value")
        keys = items[::2]
        for key in keys:
            if not all(map(_scalar, key if isinstance(key, tuple) and len(key) <= MAX_AXES else (key,))):
                raise ValueError(f"a dictionary with the key {_SHORT.repr(key)}; expected numbers and strings")
        if isinstance(target, dict):
            target.update(zip(keys, items[1::2]))
        elif not isinstance(target, Inert):
            raise ValueError(f"keys and values for a {type(target).__name__}")

    def append(self, items: list) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Inert):
            raise ValueError(f"elements for a {type(target).__name__}")

    def storage(self, _) -> None:
        # ("storage", type, key, location, elements[, None or (key of the view, start, elements)])
        saved = self.stack.pop()
        if not isinstance(saved, tuple) or len(saved) < 5 or not _scalar(saved[2]):
            raise ValueError(f"a storage described as {_SHORT.repr(saved)}")
        kind, dtype, key, _, _, *rest = saved
        start = rest[0][1] if rest and rest[0] is not None else 0
        if kind != "storage" or dtype not in DTYPES or not _count(start):
            raise ValueError(f"a storage described as {_SHORT.repr(saved)}")
        self.storages[str(key)] = storage = Storage(dtype, str(key), start)
        self.stack.append(storage)

    def pop(self, _) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def replace(self, count: int, kind=tuple) -> None:
        """Replaces the last `count` elements by a tuple of them."""
        if len(self.stack) < count:
            raise ValueError("more elements than the stack has")
        self.stack[-count:] = [kind(self.stack[-count:])]

    def global_of_stack(self, _) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name that is not a string")
        self.global_(module, name)

    def dictionary(self, _) -> None:
        result: dict = {}
        self.fill(result, self.popped())
        self.stack.append(result)

    def set_item(self, _) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.fill(self.stack[-1], [key, value])

    def set_items(self, _) -> None:
        items = self.popped()
        self.fill(self.stack[-1], items)


def _scalar(key) -> bool:
    # the hash of an integer is computed each time, in a time that grows with its length
    return key is None or isinstance(key, str | bytes | float) or (isinstance(key, int) and abs(key) < MAX_COUNT)


_PUSH = frozenset("""
    NONE INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING
    BINBYTES SHORT_BINBYTES BINBYTES8 BYTEARRAY8 UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8
""".split())
_NOTHING = frozenset(("PROTO", "FRAME", "STOP"))
_EMPTY = {"EMPTY_LIST": list, "EMPTY_TUPLE": tuple, "EMPTY_DICT": dict, "EMPTY_SET": list}


def _remember(machine: Machine, index: int) -> None:
    machine.memo[index] = machine.stack[-1]


_STEPS = {
    "NEWTRUE": lambda m, _: m.stack.append(True), "NEWFALSE": lambda m, _: m.stack.append(False),
    "MARK": lambda m, _: m.marks.append(len(m.stack)), "POP": Machine.pop, "POP_MARK": lambda m, _: m.popped(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "PUT": _remember, "BINPUT": _remember, "LONG_BINPUT": _remember, "MEMOIZE": lambda m, _: _remember(m, len(m.memo)),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), lambda m, index: m.stack.append(m.memo[index])),
    "LIST": lambda m, _: m.stack.append(m.popped()), "FROZENSET": lambda m, _: m.stack.append(m.popped()),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.popped())), "DICT": Machine.dictionary,
    "TUPLE1": lambda m, _: m.replace(1), "TUPLE2": lambda m, _: m.replace(2), "TUPLE3": lambda m, _: m.replace(3),
    "APPEND": lambda m, _: m.append([m.stack.pop()]), "APPENDS": lambda m, _: m.append(m.popped()),
    "ADDITEMS": lambda m, _: m.append(m.popped()), "SETITEM": Machine.set_item, "SETITEMS": Machine.set_items,
    "GLOBAL": lambda m, name: m.global_(*name.split(" ", 1)), "STACK_GLOBAL": Machine.global_of_stack,
    "REDUCE": Machine.reduce, "NEWOBJ": Machine.reduce, "BUILD": lambda m, _: m.stack.pop(),
    "BINPERSID": Machine.storage,
}


class Bounded:
    """The rest of a file, whose `read` allocates no more than is left of it, whatever length is asked for."""

    def __init__(self, file: io.IOBase):
        self.file, position = file, file.tell()
        self.end = file.seek(0, io.SEEK_END)
        file.seek(position)

    def read(self, count: int) -> bytes:
        return self.file.read(max(0, min(count, self.end - self.file.tell())))

    def readline(self) -> bytes:
        return self.file.readline(1 << 16)

    def tell(self) -> int:
        return self.file.tell()


def load(file: io.IOBase, path: Path) -> tuple[Any, dict[str, Storage]]:
    """(the next object of `file`, its storages). Every failure is raised as a ValueError that names `path`."""
    machine, bounded = Machine(path), Bounded(file)
    try:
        if bounded.tell() == bounded.end:
            raise EOFError("the file is empty here")
        return machine.run(bounded), machine.storages
    except Exception as error:  # a damaged pickle can raise nearly anything
        if isinstance(error, ValueError) and str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: its pickle cannot be read ({type(error).__name__}: {error}): the file is "
                         "truncated, damaged or not a PyTorch file; fetch it again") from None
