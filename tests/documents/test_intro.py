"""The introduction: the models that it names (lines 7-94), and its MNIST program (lines 96-365), run as it is printed."""

import ast
import inspect
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import ROOT
from tests.documents.intro_values import STATES, Events, check_histogram
from tfplm import cli
from tfplm.core.keras_internals import adam_moments
from tfplm.data.mnist import read_idx_folder
from tfplm.demos.mnist import MnistTraining, _reporter, nn_layer, run_loop
from tfplm.families import registry
from tfplm.options.mnist import MnistOptions
from tfplm.options.objectives import declared
from tfplm.summaries import EventFiles, create_writer, variable_summaries
from tfplm.training.loop import devices

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


class Both:
    """The document's program and ours, with the same initial values, batches and dropout masks."""

    def __init__(self, seeds: Path, folder: Path, arrays: dict, steps: int, every: int):
        self.folder, self.arrays, self.steps = folder, arrays, steps
        np.savez(folder / "data.npz", **arrays)
        program = [sys.executable, "-m", "tests.documents.intro_program", str(seeds), str(folder / "data.npz"), str(steps),
                   str(every), str(folder / "record.npz")]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        done = subprocess.run(program, cwd=folder, env={**os.environ, "PYTHONPATH": path}, check=True, text=True,
                              stdout=subprocess.PIPE, timeout=600)
        self.printed = [line for line in done.stdout.splitlines() if line.startswith("Accuracy")]
        self.record = dict(np.load(folder / "record.npz"))

    def batches(self) -> tf.data.Dataset:
        def generate():
            training = (step for step in range(self.steps) if step % 10)
            for step, chosen in zip(training, self.record["batches"], strict=True):
                yield (self.arrays["train_images"][chosen], self.arrays["train_labels"][chosen].astype(np.int32),
                       self.record[f"{step}/kept"])

        return tf.data.Dataset.from_generator(generate, output_signature=(
            tf.TensorSpec([100, 784]), tf.TensorSpec([100], tf.int32), tf.TensorSpec([100, 500], tf.bool)))

    def continue_from(self, training: MnistTraining, step: int) -> None:
        """Weights and moments of the document's program before a step.

        Operations on several threads add in any order, and training amplifies the last bit: up to step 334, losses are
        equal within 3e-7, up to 556 within 2e-5, up to 999 within 6e-3.
        """
        optimizer = training.optimizer
        for index, name in enumerate(f"{layer}/{part}/Variable" for layer in ("layer1", "layer2")
                                     for part in ("weights", "biases")):
            (layer, part, _), state = name.split("/"), f"{step}/state/"
            weight = training.model.get_layer(layer).weights[("weights", "biases").index(part)]
            weight.assign(self.record[state + name])
            adams = sorted(key for key in self.record if re.fullmatch(rf"{state}(\w+/)?{name}/Adam(_1)?", key))
            for moment, key in zip(adam_moments(optimizer, index), adams, strict=True):
                moment.assign(self.record[key])

    def run_ours(self) -> None:
        training = MnistTraining(options := MnistOptions(steps=self.steps), tf.distribute.get_strategy())
        for name in ("layer1", "layer2"):
            training.model.get_layer(name).set_weights([self.record[f"initial/{name}/{part}/Variable"]
                                                        for part in ("weights", "biases")])
        line = _reporter(options)[0]

        def report(step, history):
            line(step, history)
            if (step + 1) % STATES == 0 and step + 1 < self.steps:
                self.continue_from(training, step + 1)

        writers = {name: create_writer(self.folder / "ours" / name) for name in ("train", "test")}
        training.compile_summaries(writers)
        test_set = tf.constant(self.arrays["test_images"]), tf.constant(self.arrays["test_labels"].astype(np.int32))
        run_loop(training, self.batches(), test_set, report)
        for writer in writers.values():
            writer.close()

    def check(self, name: str) -> None:
        """All summaries of one writer, and those that its values are printed as."""
        theirs, ours = Events(self.folder / "MNIST_LOG" / name), EventFiles(self.folder / "ours" / name)
        steps = [step for step in range(self.steps) if (step % 10 == 0) == (name == "test")]
        assert theirs.steps == steps
        # the document's text (line 305) records the accuracy as well, but its code does not
        assert sorted(theirs.scalars) == sorted({*ours.tags("scalars")} - {"accuracy/accuracy"})
        for tag, values in theirs.scalars.items():
            assert ours.scalars(tag)[0].tolist() == steps
            np.testing.assert_allclose(ours.scalars(tag)[1], values, err_msg=tag, **CLOSE)
        assert sorted(theirs.histograms) == ours.tags("histograms")
        for tag, protos in theirs.histograms.items():
            for step, proto, buckets in zip(steps, protos, ours.points(tag)[1], strict=True):
                check_histogram(buckets, proto, self.record.get(f"{step}/values/{theirs.names[tag]}"), tag)
        images = ours.points("input_reshape/input")[1]
        for pictures, ten in zip(theirs.images, images, strict=True):
            assert len(pictures) == 10 and len(ten) == 12
            for theirs_one, ours_one in zip(pictures, ten[2:], strict=True):
                np.testing.assert_array_equal(tf.io.decode_png(ours_one), tf.io.decode_png(theirs_one))


def made_up(train: int, test: int) -> dict[str, np.ndarray]:
    """Images that are easy to classify, with grey values of which the largest is not always white."""
    rng, arrays = np.random.default_rng(1), {}
    for split, count in (("train", train), ("test", test)):
        labels = rng.integers(0, 10, count)
        images = rng.integers(0, 230, (count, 28, 28))
        images[np.arange(count), labels * 2] = rng.integers(120, 256, (count, 28))
        arrays |= {f"{split}_images": (images.reshape(-1, 784) / 255).astype(np.float32), f"{split}_labels": labels}
    return arrays


@pytest.fixture(scope="module")
def seeds(document) -> Path:
    return document("intro").folder


@pytest.fixture(scope="module")
def both(seeds, tmp_path_factory):
    return Both(seeds, tmp_path_factory.mktemp("intro"), made_up(300, 100), steps=21, every=5)


def test_lines_100_to_365_the_program(both, capsys):
    """Printed lines, losses, and all summaries of 21 steps."""
    both.run_ours()
    assert capsys.readouterr().out.splitlines() == both.printed
    assert [line.rpartition(": ")[0] for line in both.printed] == [f"Accuracy at step {step}" for step in (0, 10, 20)]
    for name in ("train", "test"):
        both.check(name)


@pytest.mark.slow
def test_lines_100_to_365_the_program_with_its_1000_steps(seeds, data, tmp_path, capsys):
    found = read_idx_folder(data("mnist"))
    arrays = {"train_images": found.train_images, "train_labels": found.train_labels,
              "test_images": found.test_images[:1000], "test_labels": found.test_labels[:1000]}
    arrays = {name: (array.reshape(-1, 784) / 255).astype(np.float32) if "images" in name else array.astype(int)
              for name, array in arrays.items()}
    both = Both(seeds, tmp_path, arrays, steps=1000, every=90)  # from hundred to hundred, see `continue_from`
    both.run_ours()
    assert capsys.readouterr().out.splitlines() == both.printed and len(both.printed) == 100
    for name in ("train", "test"):
        both.check(name)


def test_line_312_to_327_come_again(document):
    """The program runs the second of two blocks, which starts with the first."""
    intro = document("intro")
    assert intro.code(333, 365).startswith(intro.code(314, 327))
    assert intro.code(100, 365).count("tf.Session") + intro.code(100, 365).count("InteractiveSession") == 1


def test_lines_108_to_120_hyperparameters(document):
    names: dict = {}
    exec(document("intro").code(108, 120), names)
    options = MnistOptions()
    assert (options.steps, options.learning_rate, options.keep_probability) == (
        names["max_steps"], names["learning_rate"], names["dropout"])
    assert options.batch_size == int(re.search(r"next_batch\((\d+)\)", document("intro").code(333, 365)).group(1))
    assert (options.test_every, options.seed, options.train_every_step) == (10, 0, False)


def test_lines_122_to_133_devices(document, monkeypatch, two_gpus):
    """The settings of the document's session are those of TensorFlow 2 after the same flags of `tfplm mnist`.

    (The document makes a memory fraction of 0.33, as its text wants, but does not put it into the session's settings.)
    """
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    names = {"tf": tf.compat.v1, "os": os}
    exec(document("intro").code(122, 133), names)
    gpu, wanted, share = os.environ["CUDA_VISIBLE_DEVICES"], names["config"].gpu_options, names["gpu_options"]
    share = round(share.per_process_gpu_memory_fraction, 6)
    flags = ["--gpu", gpu, "--memory-fraction", str(share), "--allow-growth" if wanted.allow_growth else "--no-allow-growth"]
    assert flags == ["--gpu", "0", "--memory-fraction", "0.33", "--allow-growth"]
    monkeypatch.setattr(devices, "_memory_of", lambda present, device: 10_000)
    devices.set_devices_of(cli.parse("mnist", flags)[0])
    found = two_gpus.config.gpu_options
    assert found.visible_device_list == gpu
    assert [list(limits.memory_limit_mb) for limits in found.experimental.virtual_devices] == [[3300]]
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"  # growth up to a limit


def parameters_of(source: str, name: str) -> dict[str, str | None]:
    """Parameter -> default, of a function in the source."""
    function = next(node for node in ast.parse(source).body if getattr(node, "name", "") == name)
    names = [argument.arg for argument in function.args.args]
    defaults = [None] * (len(names) - len(function.args.defaults)) + [ast.unparse(one) for one in function.args.defaults]
    return dict(zip(names, defaults))


def test_lines_203_to_222_variable_summaries_with_one_argument(both, document, tmp_path):
    """In its name scopes, it writes what the document's function has written there."""
    assert list(parameters_of(document("intro").code(203, 222), "variable_summaries")) == ["var"]
    theirs = Events(both.folder / "MNIST_LOG" / "test")
    with create_writer(tmp_path).as_default(0), tf.name_scope("layer1"), tf.name_scope("weights"):
        variable_summaries(tf.Variable(both.record["initial/layer1/weights/Variable"]))
    ours = EventFiles(tmp_path)
    assert ours.tags() == sorted(tag for tag in [*theirs.scalars, *theirs.histograms] if tag.startswith("layer1/weights/"))
    for tag in ours.tags("scalars"):
        np.testing.assert_allclose(ours.scalars(tag)[1], theirs.scalars[tag][:1], **CLOSE)


def test_lines_224_to_276_nn_layer(both, document, tmp_path):
    """A model of our `nn_layer`, with the document's initial values, writes what the document's layers wrote first."""
    wanted = parameters_of(document("intro").code(224, 260), "nn_layer")
    ours = inspect.signature(nn_layer).parameters
    assert list(wanted) == list(ours) and wanted["act"] == "tf.nn.relu" and ours["act"].default is tf.nn.relu
    pixels = keras.Input((784,))
    hidden = nn_layer(pixels, 784, 500, "layer1")
    model = keras.Model(pixels, nn_layer(keras.layers.Dropout(0.1)(hidden), 500, 10, "layer2", act=tf.identity))
    for name in ("layer1", "layer2"):
        model.get_layer(name).set_weights([both.record[f"initial/{name}/{part}/Variable"] for part in ("weights", "biases")])
    with create_writer(tmp_path).as_default(0):
        model(both.arrays["test_images"])
    theirs, ours = Events(both.folder / "MNIST_LOG" / "test"), EventFiles(tmp_path)
    assert ours.tags() == sorted(tag for tag in [*theirs.scalars, *theirs.histograms] if tag.startswith("layer"))
    for tag in ours.tags("scalars"):
        np.testing.assert_allclose(ours.scalars(tag)[1], theirs.scalars[tag][:1], err_msg=tag, **CLOSE)
    for tag in ours.tags("histograms"):
        values = both.record[f"0/values/{theirs.names[tag]}"]
        check_histogram(ours.points(tag)[1][0], theirs.histograms[tag][0], values, tag)


NAMED = {  # model -> preset, objective, verb or module; None: not in this package
    "Word2Vec": "word2vec", "ULMFiT": None, "CoVe": None, "ELMo": "tfplm.models.elmo", "GPT": "openai-gpt",
    "BERT": "bert-base-uncased", "MT-DNN": "multitask", "MASS": "mass", "UniLM": "unilm", "XLM": "xlm-roberta-base",
    "Unicoder": None, "T5": "t5-base", "BART": "bart-base", "mBART": "mbart-large-cc25"}


def test_lines_7_to_23_models(document):
    """Every model that the history names has a preset, an objective, a verb or a module, or is known to be missing."""
    models = [name for line in document("intro").lines(9, 22) for name in re.findall(r"[A-Za-z][\w-]*", line)]
    techniques = {"word", "embedding", "RNN", "LM", "LSTM", "Transformer"}
    assert list(dict.fromkeys(name for name in models if name not in techniques)) == list(NAMED)
    known = {*registry.presets(), *declared(), *cli.VERBS}
    assert [name for name in NAMED.values() if name and name not in known and not find_spec(name)] == []


def test_lines_48_and_69_to_75_sizes(document):
    """Two models of BERT, of 12 and 24 layers; 16 or 12 heads; vectors of 1024 numbers."""
    intro = document("intro")
    layers = [int(number) for number in re.findall(r"(\d+) 层", intro.text(69, 69))]
    heads = [int(number) for number in re.findall(r"(\d+)个头", intro.text(48, 48))]
    (width,) = map(int, re.findall(r"(\d+)维", intro.text(75, 75)))
    base, large = registry.preset("bert-base-uncased"), registry.preset("bert-large-uncased")
    assert layers == [base.num_hidden_layers, large.num_hidden_layers] == [12, 24]
    assert heads == [large.num_attention_heads, base.num_attention_heads] == [16, 12]
    assert width == large.hidden_size == 1024
