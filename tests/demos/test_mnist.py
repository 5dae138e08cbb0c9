"""The MNIST program: its model, its summaries, its accuracy."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.data.test_mnist import FILES, idx
from tfplm.cli import resolve
from tfplm.data.mnist import read_idx_folder, training_batches, with_masks
from tfplm.demos import mnist as program
from tfplm.demos.mnist import mnist, mnist_model
from tfplm.options.mnist import MnistOptions
from tfplm.summaries import EventFiles

LAYERS = [f"{layer}/{part}/summaries" for layer in ("layer1", "layer2") for part in ("weights", "biases")]
SCALARS = sorted(["accuracy/accuracy", "dropout/dropout_keep_probability", "loss/loss",
                  *[f"{name}/{part}" for name in LAYERS for part in ("mean", "stddev", "max", "min")]])
HISTOGRAMS = sorted([*[f"{name}/histogram" for name in LAYERS], "layer1/linear_compute/linear", "layer1/activations",
                     "layer2/linear_compute/linear", "layer2/activations"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """400 images that are easy to classify: one row of pixels is white, depending on the label."""
    folder = tmp_path_factory.mktemp("idx")
    generator = np.random.default_rng(0)
    for split, count in (("train", 300), ("test", 100)):
        labels = generator.integers(0, 10, count, np.uint8)
        images = generator.integers(0, 60, (count, 28, 28), np.uint8)
        images[np.arange(count), labels * 2] = 255
        (folder / FILES[f"{split}_images"]).write_bytes(idx(images))
        (folder / FILES[f"{split}_labels"]).write_bytes(idx(labels))
    return folder


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    logs = tmp_path_factory.mktemp("logs")
    return mnist(data_dir=str(folder), log_dir=str(logs), steps=40, output=str(logs / "model"), quiet=True)


def test_the_model_of_the_classic_program():
    model = mnist_model(MnistOptions())
    assert model.count_params() == 397_510 and model.output_shape == (None, 10)
    kernel, bias = (np.asarray(weight) for weight in model.get_layer("layer1").weights)
    assert kernel.shape == (784, 500) and (bias == np.float32(0.1)).all()
    assert np.abs(kernel).max() <= 0.2 and kernel.std() == pytest.approx(0.088, abs=0.001)  # truncated at 2 sigma
    assert model.get_layer("dropout").rate == pytest.approx(0.1)
    second = np.asarray(model.get_layer("layer2").kernel)
    assert not np.allclose(second[:50], kernel[:50, :10])


def test_every_tag_with_its_points(run):
    test_steps = list(range(0, 40, 10))
    for name, steps in (("train", [step for step in range(40) if step % 10]), ("test", test_steps)):
        events = EventFiles(run.log_dir / name)
        assert events.tags("scalars") == SCALARS
        assert events.tags("histograms") == HISTOGRAMS
        assert events.tags("images") == ["input_reshape/input"]
        for tag in SCALARS + HISTOGRAMS + ["input_reshape/input"]:
            assert list(events.points(tag)[0]) == steps, tag
        assert all(len(images) == 2 + 10 for images in events.points("input_reshape/input")[1])
        keep = events.scalars("dropout/dropout_keep_probability")[1]
        np.testing.assert_allclose(keep, 0.9 if name == "train" else 1.0)
        counts = events.points("layer1/activations")[1][-1][:, 2].sum()
        assert counts == 500 * 100
    assert EventFiles(run.log_dir / "train").has_graph()
    lines = (run.log_dir / "test" / "projector" / "layer1" / "vectors.tsv").read_text().splitlines()
    assert len(lines) == 100 and len(lines[0].split("\t")) == 500


def test_history_is_the_test_curve(run):
    steps, accuracy = EventFiles(run.log_dir / "test").scalars("accuracy/accuracy")
    assert run.history == pytest.approx(dict(zip(steps.tolist(), accuracy.tolist())))
    assert run.accuracy > 0.9 > run.history[0]


def test_the_summaries_describe_the_weights(run, folder):
    """The test summaries of step 30 are those of the model after the 27 updates of steps 1 to 29."""
    again = mnist(data_dir=str(folder), log_dir=str(run.log_dir / "again"), steps=27, test_every=0, summary_every=0,
                  quiet=True)
    kernel = np.asarray(again.model.get_layer("layer1").kernel)
    events = EventFiles(run.log_dir / "test")
    wanted = {"mean": kernel.mean(), "stddev": kernel.std(), "max": kernel.max(), "min": kernel.min()}
    for part, value in wanted.items():
        assert events.scalars(f"layer1/weights/summaries/{part}")[1][-1] == pytest.approx(value, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("settings, updates", [({}, 18), ({"train_every_step": True}, 21)])
def test_a_test_takes_the_place_of_an_update(folder, tmp_path, monkeypatch, settings, updates):
    trainings, run = [], program.run_loop
    monkeypatch.setattr(program, "run_loop", lambda training, *rest: trainings.append(training) or run(training, *rest))
    mnist(data_dir=str(folder), log_dir=str(tmp_path), steps=21, summary_every=0, hidden_size=2, quiet=True, **settings)
    assert int(trainings[0].optimizer.iterations.numpy()) == updates


def test_dropout_keeps_the_share_of_units_and_scales_them(folder):
    """Masks are part of the batches: the same for the same seed, others in each step and for other seeds."""
    options = MnistOptions(keep_probability=0.8)

    def masks(options):
        batches = with_masks(training_batches(read_idx_folder(folder), options), options)
        return np.stack([kept for _, _, kept in batches.take(2).as_numpy_iterator()])

    first = masks(options)
    assert first.shape == (2, 100, 500) and first.mean() == pytest.approx(0.8, abs=0.01)
    assert (first == masks(options)).all() and (first[0] != first[1]).any()
    assert (first != masks(MnistOptions(keep_probability=0.8, seed=1))).any()
    training = program.MnistTraining(options, tf.distribute.get_strategy())
    images = np.random.default_rng(0).random((100, 784), np.float32)
    outputs = training._forward(tf.constant(images), tf.constant(first[0]))
    hidden = np.where(first[0], outputs["layer1/activations"].numpy() / 0.8, 0)
    kernel, bias = training.model.get_layer("layer2").get_weights()
    np.testing.assert_allclose(outputs["layer2/linear_compute/linear"], hidden @ kernel + bias, atol=1e-5)


def test_the_saved_model(run):
    model = keras.models.load_model(run.log_dir / "model" / "mnist.keras")
    x = np.random.default_rng(0).random((3, 784)).astype(np.float32)
    np.testing.assert_array_equal(model.predict(x, verbose=0), run.model.predict(x, verbose=0))


def test_lines_as_in_the_classic_program(folder, tmp_path, capsys):
    result = mnist(data_dir=str(folder), log_dir=str(tmp_path), steps=21)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Accuracy")]
    assert [line.split(":")[0] for line in lines] == [f"Accuracy at step {step}" for step in (0, 10, 20)] + [
        "Accuracy after 21 steps"]
    assert lines[-1].endswith(f"{result.accuracy:.4f}")


def test_progress_instead_of_lines(folder, tmp_path, capsys):
    mnist(data_dir=str(folder), log_dir=str(tmp_path), steps=21, progress="bar")
    output = capsys.readouterr()
    assert "Accuracy at" not in output.out
    assert "mnist  step 21/21  accuracy" in output.err and "examples/s" in output.err


def test_all_hyperparameters_have_an_effect(folder, tmp_path):
    result = mnist(data_dir=str(folder), log_dir=str(tmp_path), steps=3, hidden_size=7, batch_size=5, images=2,
                   bias=0.0, learning_rate=0.0, weight_stddev=0.5, keep_probability=0.5, test_every=2, quiet=True)
    layer = result.model.get_layer("layer1")
    assert layer.kernel.shape == (784, 7) and not np.asarray(layer.bias).any()
    assert np.asarray(layer.kernel).std() == pytest.approx(0.44, abs=0.02)
    train = EventFiles(tmp_path / "train")
    assert list(train.points("loss/loss")[0]) == [1] and len(train.points("input_reshape/input")[1][0]) == 4


def test_errors(folder, tmp_path):
    with pytest.raises(ValueError, match="batch_size is 301; the training set has only 300 examples"):
        mnist(data_dir=str(folder), log_dir=str(tmp_path), batch_size=301, quiet=True)
    with pytest.raises(ValueError, match="keep_probability is 0; expected a share above 0, at most 1: change --keep"):
        mnist(data_dir=str(folder), log_dir=str(tmp_path), keep_probability=0, quiet=True)
    with pytest.raises(TypeError, match="step_count"):
        mnist(step_count=3)


def test_options_name_the_function():
    assert resolve(MnistOptions.RUN) is mnist


MIRRORED = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from tfplm.demos import mnist as program
program.strategy_for = lambda name: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
result = program.mnist(data_dir=sys.argv[1], log_dir=sys.argv[2], steps=32, strategy="mirrored", quiet=True)
assert result.model.layers[1].kernel.value.values[1].device.endswith("CPU:1")
json.dump(result.history, open(sys.argv[2] + "/history.json", "w"))
"""


@pytest.mark.slow
def test_two_devices_write_the_same_as_one(folder, tmp_path):
    """Two logical devices, dropout included: the same curve and the same summaries."""
    one = mnist(data_dir=str(folder), log_dir=str(tmp_path / "one"), steps=32, quiet=True)
    (tmp_path / "two").mkdir()
    subprocess.run([sys.executable, "-c", MIRRORED, str(folder), str(tmp_path / "two")], check=True, timeout=300)
    history = json.loads((tmp_path / "two" / "history.json").read_text())
    assert list(history.values()) == pytest.approx(list(one.history.values())) and len(history) == 4
    for name in ("train", "test"):
        ours, theirs = EventFiles(tmp_path / "one" / name), EventFiles(tmp_path / "two" / name)
        for tag in SCALARS:
            assert theirs.scalars(tag)[0].tolist() == ours.scalars(tag)[0].tolist()
            np.testing.assert_allclose(theirs.scalars(tag)[1], ours.scalars(tag)[1], rtol=1e-5, atol=1e-5, err_msg=tag)
        counts = [events.points("layer1/activations")[1][0][:, 2].sum() for events in (ours, theirs)]
        assert counts == [500 * 100] * 2


@pytest.mark.slow
def test_accuracy_on_the_real_test_set(data, tmp_path):
    """900 updates, as in 1,000 steps of which a tenth are tests."""
    result = mnist(data_dir=str(data("mnist")), log_dir=str(tmp_path), steps=900, test_every=0, summary_every=0, quiet=True)
    assert result.accuracy >= 0.965
