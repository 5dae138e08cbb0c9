"""Public names of a package that are imported on first use, so that importing the package itself stays light."""

import importlib
import sys


def lazy_exports(package: str, modules: dict[str, str], also: tuple[str, ...] = ()) -> tuple:
    """`__getattr__`, `__dir__` and `__all__` of a package (PEP 562).

        __getattr__, __dir__, __all__ = lazy_exports(__name__, {"Whitening": ".whitening", ...})

    modules: name -> its module, relative to the package with a dot in front. also: public names that the package has itself.
    A name is looked up once; from then on it is an attribute of the package, in the place of a submodule that may be
    called the same.
    """
    names = sorted([*modules, *also])

    def get(name: str):
        if name not in modules:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = getattr(importlib.import_module(modules[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: names, names
