"""Loading BERT-base from safetensors: seconds after TensorFlow's import, and peak memory above the import (Linux).

    python tests/benchmarks/loading.py
"""

import subprocess
import sys
import tempfile

REPORT = """
import re, sys, time
import keras, tfplm.models.pretrained.api
from tfplm import from_pretrained
def peak(): return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024
before, start = peak(), time.perf_counter()
model = from_pretrained(sys.argv[1], dtype=sys.argv[2])
seconds = time.perf_counter() - start
size = sum(v.value.numpy().nbytes for v in model.weights) / 2**20
print(f"{sys.argv[2]:10s} {seconds:6.2f} s   weights {size:6.0f} MiB   peak above the import {peak() - before:6.0f} MiB "
      f"= {(peak() - before) / size:4.2f} x the weights")
"""


def main():
    import tfplm
    with tempfile.TemporaryDirectory() as folder:
        tfplm.save_pretrained(tfplm.from_config("bert-base-uncased"), folder)
        for dtype in ("float32", "bfloat16"):
            subprocess.run([sys.executable, "-c", REPORT, folder, dtype], check=True)


if __name__ == "__main__":
    main()
