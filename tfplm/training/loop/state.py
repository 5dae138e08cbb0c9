"""The state of a training run that is not in variables, as a JSON text in the checkpoint."""

import json
import random

import numpy as np
import tensorflow as tf

# the attributes of callbacks that change from epoch to epoch
CALLBACKS = {
    "EarlyStopping": ("wait", "best", "best_epoch", "stopped_epoch"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "ModelCheckpoint": ("best",),
    "BestWeights": ("best",),
    "End": ("elapsed",),
}


class RunState(tf.train.experimental.PythonState):
    """`values`, a dict of JSON values, saved and restored with a `tf.train.Checkpoint`."""

    def __init__(self):
        self.values = {}

    def serialize(self):
        return json.dumps(self.values)

    def deserialize(self, string_value):
        self.values = json.loads(string_value)


def random_state() -> dict:
    """The states of Python's and NumPy's global generators; those of Keras are variables of the model."""
    kind, keys, *rest = np.random.get_state()
    version, numbers, gauss = random.getstate()
    return {"numpy": [kind, keys.tolist(), *rest], "python": [version, list(numbers), gauss]}


def set_random_state(state: dict) -> None:
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.asarray(keys, np.uint32), *rest))
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))


def callback_state(callbacks: list) -> list[dict]:
    """The state of the callbacks that have one, in their order."""
    return [{"name": type(callback).__name__,
             "values": {name: _plain(getattr(callback, name, None)) for name in CALLBACKS[type(callback).__name__]}}
            for callback in callbacks if type(callback).__name__ in CALLBACKS]


def set_callback_state(callbacks: list, state: list[dict]) -> None:
    known = [callback for callback in callbacks if type(callback).__name__ in CALLBACKS]
    for callback, saved in zip(known, state):
        if type(callback).__name__ == saved["name"]:
            for name, value in saved["values"].items():
                setattr(callback, name, value)


def _plain(value):
    return float(value) if isinstance(value, (np.floating, tf.Tensor)) else value
