"""Settings that TensorFlow reads once, when it is loaded. Without TensorFlow.

TensorFlow uses its operations of oneDNN (a product together with its bias and GELU), and an allocator that keeps freed
memory, by default only on x86 processors with AVX512_VNNI or newer units. On those with AVX2 alone it asks the system
for the memory of each large tensor anew, which the system clears page by page. There, the setting makes training steps
and forward passes faster, see `docs/experiments.md`, and products in bfloat16 stay with Eigen as before.
"""

import os
import platform
import sys

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
_X86 = ("x86_64", "amd64", "i386", "i686", "x86")


def prepare_tensorflow() -> bool:
    """Sets $TF_ENABLE_ONEDNN_OPTS to 1 on x86 processors, unless it has a value; 0 is TensorFlow without oneDNN.

    Returns True if it was set. It is not set once TensorFlow is imported, as that has read it.
    """
    if "tensorflow" in sys.modules or ONEDNN in os.environ or platform.machine().lower() not in _X86:
        return False
    os.environ[ONEDNN] = "1"
    return True
