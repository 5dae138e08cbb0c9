"""Lazy exports: public names of a package that are imported on first use, so that importing the package is fast."""

import importlib
import sys
import types


def lazy_exports(package: str, modules: dict[str, str], also: tuple[str, ...] = (), packages: tuple[str, ...] = ()
                 ) -> tuple:
    """`__getattr__`, `__dir__` and `__all__` of a package (PEP 562).

        __getattr__, __dir__, __all__ = lazy_exports(__name__, {"Whitening": ".whitening", ...})

    modules: name -> its module, relative to the package (with a leading dot). also: public names defined in the package
    itself. packages: names that stay packages, made callable by `make_callable`. Any other name is an attribute of the
    package after its first use, and replaces a submodule with the same name.
    """
    names = sorted([*modules, *also])

    def get(name: str):
        if name not in modules:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        if name in packages:
            return importlib.import_module(modules[name], package)
        value = getattr(importlib.import_module(modules[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: names, names


def make_callable(package: str, name: str) -> None:
    """Lets `package(...)` call its function `name`, so that both can be used by one name, whichever is imported first."""

    class CallablePackage(types.ModuleType):
        def __call__(self, *arguments, **keywords):
            return getattr(self, name)(*arguments, **keywords)

    sys.modules[package].__class__ = CallablePackage
