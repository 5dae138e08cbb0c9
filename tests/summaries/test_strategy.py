"""Summaries under strategies (two logical CPU devices, two workers): one writer, the points of a single device."""

import json
import os
import socket
import subprocess
import sys

import pytest

from tfplm.summaries import EventFiles

PROGRAM = """
import json, sys
import tensorflow as tf
if sys.argv[2] == "2":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.summaries.models import data, functional
from tfplm.summaries import EventFiles, SummaryCallback, create_writer, variable_summaries
from tfplm.training.loop.distribute import strategy_for

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]) if sys.argv[2] == "2" else strategy_for("one")
folder, (x, y) = sys.argv[1], data()
with strategy.scope():
    model = functional()
probe = (x[:8], y[:8])
every = dict(scalars=5, weights=5, activations=5, gradients=5)
model.fit(x, y, batch_size=20, epochs=2, shuffle=False, verbose=0, validation_data=(x, y),
          callbacks=[SummaryCallback(folder, every, dict(probe=probe))])

writer = create_writer(folder + "/loop", strategy)  # a custom loop, which writes inside strategy.run

@tf.function
def step(number):
    def replica():
        with writer.as_default(number):
            variable_summaries("out", model.get_layer("out").kernel)
    strategy.run(replica)

for number in range(3):
    step(tf.constant(number, tf.int64))
writer.close()
found = {}
for run in ("train", "validation", "loop"):
    events = EventFiles(folder + "/" + run)
    for tag in events.tags("scalars") + events.tags("histograms"):
        steps, values = events.points(tag)
        numbers = [value[:, 2].sum() if value.ndim == 2 else value for value in values]
        found[run + "/" + tag] = [steps.tolist(), [float(number) for number in numbers]]
json.dump(found, open(folder + "/found.json", "w"))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    results = []
    for devices in ("1", "2"):
        folder = tmp_path_factory.mktemp(f"devices{devices}")
        subprocess.run([sys.executable, "-c", PROGRAM, str(folder), devices], check=True, timeout=300)
        results.append(json.loads((folder / "found.json").read_text()))
    return results


@pytest.mark.slow
def test_the_same_points_once(found):
    one, two = found
    assert {tag: steps for tag, (steps, _) in one.items()} == {tag: steps for tag, (steps, _) in two.items()}
    assert one["train/loss"][0] == [5, 10, 15, 20] and one["loop/out/mean"][0] == [0, 1, 2]


@pytest.mark.slow
def test_the_same_values(found):
    one, two = found
    for tag, (_, values) in one.items():
        if not tag.endswith("per_second"):
            assert two[tag][1] == pytest.approx(values, rel=1e-4, abs=1e-6), tag
    assert "train/optimizer/gradient_norm" in one and "train/activations/hidden" in one


WORKER = """
import sys
from tfplm.training.loop.distribute import strategy_for
strategy = strategy_for("multi_worker")
import tensorflow as tf
from tests.summaries.models import data, functional
from tfplm.summaries import SummaryCallback

with strategy.scope():
    model = functional()
x, y = data()
batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(20)
every = dict(scalars=5, weights=5, activations=5, gradients=5)
model.fit(batches, epochs=2, verbose=0, validation_data=batches,
          callbacks=[SummaryCallback(sys.argv[1], every, dict(probe=(x[:8], y[:8])))])
"""


@pytest.mark.slow
def test_two_workers_of_which_the_chief_writes(found, tmp_path):
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{free.getsockname()[1]}" for free in (first, second)]
    processes = []
    for index in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        processes.append(subprocess.Popen([sys.executable, "-c", WORKER, str(tmp_path / str(index))],
                                          env=os.environ | {"TF_CONFIG": json.dumps(task)}))
    assert [process.wait(timeout=600) for process in processes] == [0, 0]
    assert not (tmp_path / "1").exists()
    events = EventFiles(tmp_path / "0" / "train")
    for tag in ("loss", "accuracy", "optimizer/gradient_norm"):
        assert events.scalars(tag)[1].tolist() == pytest.approx(found[0][f"train/{tag}"][1], rel=1e-4), tag
