"""Files with data processors of one's own, as they were written for google-research/bert."""

import contextlib
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path

from tfplm.data.tasks.processors import PROCESSORS, find_processor

_PACKAGE = "google-research/bert".rpartition("/")[2]  # its modules are also imported from the folder of a checkout
# modules of google-research/bert -> those that have their names here
_MODULES = {"tokenization": "tfplm.tokenizers.tokenization", "run_classifier": "tfplm.adapt.run_classifier"}


def load_processor(source: str, task_name: str):
    """An instance of the class that `source` names.

    source: "file.py:ClassName"; or "file.py", which adds the task to `processors`, or has a dict of this name.

    The file may import what is beside it, and `tokenization` and `run_classifier` (or these `from bert`), as it did in
    a checkout of google-research/bert; they are this package's where Python does not find others. Raises ValueError if
    there is no such file, class or task.
    """
    file, name = (source, "") if source.endswith(".py") else source.rpartition(":")[::2]
    path = Path(file)
    if not file.endswith(".py") or not path.is_file():
        raise ValueError(f"processor is {source!r}; expected file.py or file.py:ClassName of an existing file: change "
                         "--processor")
    spec = importlib.util.spec_from_file_location("processor_of_the_user", path)
    module = importlib.util.module_from_spec(spec)
    with _modules_of_bert(path):
        spec.loader.exec_module(module)
    if not name:
        return find_processor(task_name, PROCESSORS | dict(getattr(module, "processors", {})))
    if not hasattr(module, name):
        names = ", ".join(each for each in vars(module) if not each.startswith("_"))
        raise ValueError(f"{file} has no {name}; it has {names}: name one of these in --processor")
    return getattr(module, name)()


@contextlib.contextmanager
def _modules_of_bert(path: Path) -> Iterator[None]:
    """While a file is executed, the modules in its folder can be imported, and those of google-research/bert."""
    ours = {name: importlib.import_module(module) for name, module in _MODULES.items()}
    sys.path.insert(0, str(path.resolve().parent))
    added = {name: module for name, module in ours.items() if not _found(name, path)}
    if not _found(_PACKAGE, path):
        package = types.ModuleType(_PACKAGE)
        vars(package).update(ours, __path__=[])
        added |= {_PACKAGE: package} | {f"{_PACKAGE}.{name}": module for name, module in ours.items()}
    sys.modules.update(added)
    try:
        yield
    finally:
        sys.path.remove(str(path.resolve().parent))
        for name in added:
            sys.modules.pop(name, None)


def _found(name: str, path: Path) -> bool:
    """Returns True if Python finds a module of this name, other than the file itself, and no mere folder."""
    if name in sys.modules:
        return True
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and Path(spec.origin) != path.resolve()
