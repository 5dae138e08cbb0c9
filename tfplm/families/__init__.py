"""One short file per model family: `CONFIG` (what differs from BERT-base), `PRESETS`, `NAMES` and a few words more.

Importing this package registers every family; nothing here imports TensorFlow.
"""

import importlib
import pkgutil

from tfplm.families.registry import Family, register

for _module in pkgutil.iter_modules(__path__):
    if _module.name == "registry":
        continue
    _file = importlib.import_module(f"{__name__}.{_module.name}")
    register(Family(_file.MODEL_TYPE, _file.CONFIG, _file.PRESETS, _file.NAMES, getattr(_file, "DIALECT", "bert"),
                    _file.CLASS, getattr(_file, "TF1_NAMES", {})))
