"""A process with TensorFlow and TensorFlow Text, but without tfplm."""

import json
import os
import subprocess
import sys

STRANGER = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("tfplm", "tokenizers", "sentencepiece"):
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
import numpy as np
import tensorflow as tf
import tensorflow_text
loaded = tf.saved_model.load(sys.argv[1])
signature = loaded.signatures[sys.argv[2]]
given = {name: tf.constant(values) for name, values in json.loads(sys.argv[3]).items()}
found = signature(**given)
assert "tfplm" not in sys.modules
arrays = {name: value.numpy() for name, value in found.items()}
print(json.dumps({name: (np.char.decode(array.astype(bytes), "utf-8") if array.dtype == object else array).tolist()
                  for name, array in arrays.items()}))
"""


def stranger(folder, signature="serving_default", **given):
    """What a program without tfplm gets."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    run = subprocess.run([sys.executable, "-c", STRANGER, str(folder / "1"), signature, json.dumps(given)],
                         capture_output=True, text=True, env=environment, cwd=folder, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout.splitlines()[-1])
