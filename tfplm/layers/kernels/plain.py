"""The plain form of the kernels: TensorFlow's own operations only, for graphs that another program reads.

Converters to ONNX, OpenVINO and LiteRT, and TensorFlow Serving, read neither XLA clusters nor custom gradients.
"""

import contextlib
import contextvars

_PLAIN = contextvars.ContextVar("plain", default=False)


def is_plain() -> bool:
    """Returns True while a graph is traced in `plain_kernels()`."""
    return _PLAIN.get()


@contextlib.contextmanager
def plain_kernels():
    """A context in which functions are traced without XLA clusters and custom gradients: for inference only."""
    token = _PLAIN.set(True)
    try:
        yield
    finally:
        _PLAIN.reset(token)
