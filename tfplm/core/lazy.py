"""Lazy exports: public names of a package that are imported on first use, so that importing the package is fast."""

import importlib
import sys


def lazy_exports(package: str, modules: dict[str, str], also: tuple[str, ...] = ()) -> tuple:
    """`__getattr__`, `__dir__` and `__all__` of a package (PEP 562).

        __getattr__, __dir__, __all__ = lazy_exports(__name__, {"Whitening": ".whitening", ...})

    modules: name -> its module, relative to the package (with a leading dot). also: public names defined in the package
    itself. After its first use, a name is an attribute of the package, and replaces a submodule with the same name.
    """
    names = sorted([*modules, *also])

    def get(name: str):
        if name not in modules:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = getattr(importlib.import_module(modules[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: names, names
