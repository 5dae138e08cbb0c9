"""Standard error while TensorFlow loads: held, and shown only if loading fails.

TensorFlow's libraries write lines such as `failed call to cuInit` to file descriptor 2 before any setting of theirs
applies, on machines where nothing is wrong. `hold_import_noise` holds the descriptor for as long as that takes.
"""

import contextlib
import faulthandler
import glob
import importlib.abc
import importlib.util
import logging
import os
import sys
import tempfile

# a driver of NVIDIA; WSL 2; Jetson
GPU_DEVICES = ("/dev/nvidia*", "/dev/dxg", "/dev/nvhost*", "/dev/nvmap")


def hold_import_noise() -> None:
    """From now on, what is written to file descriptor 2 while TensorFlow is imported and lists its devices is held.

    It is dropped at the end, and shown if the import fails. Does nothing if TensorFlow is already imported. TensorFlow's
    later messages are switched off, and so is its search for a GPU where the machine has none, unless the environment
    has other settings (TF_CPP_MIN_LOG_LEVEL, CUDA_VISIBLE_DEVICES).
    """
    if "tensorflow" in sys.modules or any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # errors reach Python as exceptions
    if sys.platform == "linux" and not any(map(glob.glob, GPU_DEVICES)):
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    sys.meta_path.insert(0, _Finder())


@contextlib.contextmanager
def held_stderr(dropped: bytes = b""):
    """Holds what is written to file descriptor 2, by any library; shows it if the block raises an Exception.

    dropped: otherwise, only lines that start so are dropped, and the rest is shown at the end, as other threads write, too.

    If the process crashes within the block, the Python stack is still written to the real standard error.
    """
    try:
        sys.stderr.flush()
        shown = os.dup(2)
    except (OSError, ValueError, AttributeError):  # there is no standard error
        yield
        return
    watched = faulthandler.is_enabled()
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        if not watched:
            faulthandler.enable(shown)
        failed = False
        try:
            yield
        except Exception:
            failed = True
            raise
        finally:
            if not watched:
                faulthandler.disable()
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            if failed or dropped:
                _copy(held, b"" if failed else dropped)


def _copy(held, dropped: bytes) -> None:
    held.seek(0)
    with contextlib.suppress(OSError):
        for line in held:
            if not dropped or not line.startswith(dropped):
                os.write(2, line)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow as usual, once, and holds standard error while it is executed."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(importlib.abc.Loader):
    """A loader that holds standard error while another one executes the module."""

    def __init__(self, loader):
        self.loader = loader

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self.loader
        with held_stderr():
            self.loader.exec_module(module)
            module.config.list_physical_devices()  # the first call searches for GPUs, and says so
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # warnings about its own use, such as retracing
