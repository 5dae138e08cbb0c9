"""The document's MNIST program, taken out of the document and run under `tf.compat.v1`; run by test_intro.py.

    python -m tests.documents.intro_program SEEDS DATA.npz STEPS VALUES_EVERY RECORD.npz

What the document calls `tensorflow` is `tf.compat.v1`, with a session that also fetches what has to be the same in another
run (initial values, batches, dropout masks), and what the loss and the histograms are of. The MNIST reader, which TensorFlow
no longer has, is a stand-in. Two lines are missing in the document, as it describes them in words: the calls of its layer.
"""

import sys
import types
from pathlib import Path

import numpy as np
import tensorflow

from tests.documents.intro_values import STATES
from tests.documents.reading import read

v1 = tensorflow.compat.v1
HIDDEN = "hidden1 = nn_layer(x, 784, 500, 'layer1')"  # lines 225-233 and 249-258: the first layer
OUTPUT = "y = nn_layer(dropped, 500, 10, 'layer2', act=tf.identity)"  # lines 274-276: 500 to 10, identity


class Reader:
    """The stand-in of `input_data.read_data_sets(...)`: `train.next_batch(n)`, `test.images`, `test.labels`."""

    def __init__(self, arrays):
        self.test = types.SimpleNamespace(images=arrays["test_images"], labels=np.eye(10)[arrays["test_labels"]])
        self.train = self
        self._images, self._labels = arrays["train_images"], np.eye(10)[arrays["train_labels"]]
        self._rng, self.batches = np.random.default_rng(0), []

    def next_batch(self, size):
        chosen = self._rng.integers(0, len(self._images), size)
        self.batches.append(chosen)
        return self._images[chosen], self._labels[chosen]


class Session(v1.InteractiveSession):
    """Also fetches, in the same call: the dropout mask, and the values of histograms at each `every`-th step."""

    every, record, steps = 1, {}, 0

    def run(self, fetches, feed_dict=None, options=None, run_metadata=None):
        graph = self.graph
        if feed_dict is None:  # the initial values: the graph is complete, and not yet started
            _read_before_updates(graph)
            result = super().run(fetches)
            for variable in v1.trainable_variables():
                self.record[f"initial/{variable.op.name}"] = super().run(variable)
            return result
        if self.steps and self.steps % STATES == 0:
            for variable in v1.global_variables():
                self.record[f"{self.steps}/state/{variable.op.name}"] = super().run(variable)
        extra = {}
        if any(isinstance(fetch, v1.Operation) for fetch in fetches):  # the training step
            (extra["kept"],) = [op.outputs[0] for op in graph.get_operations()
                                if op.type == "GreaterEqual" and op.name.startswith("dropout/")]
        if self.steps % self.every == 0:
            extra |= {f"values/{tensorflow.get_static_value(op.inputs[0]).item().decode()}": op.inputs[1]
                      for op in graph.get_operations() if op.type == "HistogramSummary"}
        result, found = super().run([fetches, extra], feed_dict)
        self.record.update({f"{self.steps}/{name}": value for name, value in found.items()})
        type(self).steps += 1
        return result


def _read_before_updates(graph) -> None:
    """Summaries of weights are those that the step started with: the document leaves the order to chance."""
    reads = [op for op in graph.get_operations() if op.type == "ReadVariableOp"]
    for op in graph.get_operations():
        if op.type == "ResourceApplyAdam":
            op._add_control_inputs([read for read in reads if read.inputs[0].op.name == op.inputs[0].op.name])


def main(seeds: str, data: str, steps: int, every: int, target: str) -> None:
    document, arrays = read(Path(seeds), "intro"), dict(np.load(data))
    reader = Reader(arrays)
    v1.disable_eager_execution()
    v1.set_random_seed(0)
    stand_in = types.ModuleType("tensorflow")
    stand_in.__path__, stand_in.__getattr__ = tensorflow.__path__, lambda name: getattr(v1, name)
    stand_in.InteractiveSession = Session
    mnist = types.ModuleType("tensorflow.examples.tutorials.mnist")
    mnist.input_data = types.SimpleNamespace(read_data_sets=lambda folder, one_hot: reader)
    sys.modules |= {"tensorflow": stand_in, mnist.__name__: mnist} | {
        name: types.ModuleType(name) for name in ("tensorflow.examples", "tensorflow.examples.tutorials")}
    Session.every = every
    names: dict = {}
    for source in (document.code(100, 120), f"max_steps = {steps}", document.code(122, 258), HIDDEN,
                   document.code(260, 270), OUTPUT, document.code(278, 312), document.code(333, 365)):
        exec(compile(source, document.name, "exec"), names)
    record = {**Session.record, "batches": np.array(reader.batches),
              "config": np.frombuffer(names["config"].SerializeToString(), np.uint8)}
    np.savez(target, **record)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
