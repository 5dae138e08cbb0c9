"""Handwritten digits with every kind of TensorBoard summary: the classic TF1 program, as a loop on TensorFlow 2.

    784 pixels -> layer1: 500, ReLU -> dropout -> layer2: 10 logits -> softmax cross-entropy

With the same initial values, batches and dropout masks, losses, accuracies and summaries are those of the program. Its
layer, for loops by hand, is `nn_layer`.
"""

import contextlib
import dataclasses
import os
import sys
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfplm.core.outputs import command, writing_folder
from tfplm.data.mnist import images_and_labels, load_mnist, training_batches, with_masks
from tfplm.layers.precision import training_dtype
from tfplm.options.base import verb
from tfplm.options.mnist import MnistOptions
from tfplm.summaries.graph import function_graph
from tfplm.summaries.histograms import histogram
from tfplm.summaries.hparams import write_hparams
from tfplm.summaries.images import input_images
from tfplm.summaries.projector import Embedding, write_projector
from tfplm.summaries.variables import nn_layer, variable_summaries
from tfplm.summaries.writers import create_writer, writes_summaries
from tfplm.training.loop.distribute import strategy_for
from tfplm.training.loop.progress import Line
from tfplm.training.optimizers.tf1_adam import TF1Adam

__all__ = ["MnistResult", "MnistTraining", "mnist", "mnist_model", "mnist_summaries", "nn_layer", "run_loop"]
TEST_PART = 2000  # images processed together


@dataclasses.dataclass(frozen=True)
class MnistResult:
    """`accuracy` on the test set after the last step; `history` maps steps to the test accuracy in between."""

    accuracy: float
    history: dict[int, float]
    model: keras.Model
    log_dir: Path
    source: str


def mnist_model(options: MnistOptions | None = None) -> keras.Model:
    """The perceptron: float `[B, 784]` to logits `[B, 10]`. A plain functional model, also usable with `fit`."""
    options = options or MnistOptions()
    seed, dtype = keras.random.SeedGenerator(options.seed), training_dtype(options.dtype)

    def dense(units, name):
        weights = keras.initializers.TruncatedNormal(stddev=options.weight_stddev, seed=seed)
        return keras.layers.Dense(units, kernel_initializer=weights, name=name, dtype=dtype,
                                  bias_initializer=keras.initializers.Constant(options.bias))

    pixels = keras.Input((784,), name="pixels")
    hidden = keras.layers.ReLU(name="relu", dtype=dtype)(dense(options.hidden_size, "layer1")(pixels))
    dropped = keras.layers.Dropout(1 - options.keep_probability, seed=options.seed, name="dropout",
                                   dtype=dtype)(hidden)
    return keras.Model(pixels, dense(10, "layer2")(dropped), name="mnist")


def mnist_summaries(batch: dict, step, images: int = 10) -> None:
    """Writes all summaries of the classic program for a batch to the current writer.

    Args:
        batch: what `MnistTraining.train_step` and `test` return: `images` [B, 784], `keep_probability`, `loss`,
            `accuracy`, and weights, biases and outputs of the layers by tag. The weights are those before the update, as
            the outputs are.
    """
    input_images("input_reshape/input", _classic_pixels(batch["images"][:images]), step, images)
    for name in ("layer1", "layer2"):
        for part in ("weights", "biases"):
            variable_summaries(f"{name}/{part}/summaries", batch[f"{name}/{part}"], step)
        for part in ("linear_compute/linear", "activations"):
            histogram(f"{name}/{part}", batch[f"{name}/{part}"], step)
    tf.summary.scalar("dropout/dropout_keep_probability", batch["keep_probability"], step)
    tf.summary.scalar("loss/loss", batch["loss"], step)
    tf.summary.scalar("accuracy/accuracy", batch["accuracy"], step)


def _classic_pixels(images: tf.Tensor) -> tf.Tensor:
    """uint8, as TF1's summary of images made them: the largest value of an image becomes 255, fractions are cut off."""
    largest = tf.reduce_max(images, axis=1, keepdims=True)
    return tf.cast(images * tf.where(largest < 1e-6, 0.0, 255.0 / largest), tf.uint8)


class MnistTraining:
    """The model, its optimizer and the compiled functions of the loop, under one strategy."""

    def __init__(self, options: MnistOptions, strategy: tf.distribute.Strategy):
        self.options, self.strategy = options, strategy
        with strategy.scope():
            self.model = mnist_model(options)
            optimizer = TF1Adam(options.learning_rate)
            if options.dtype == "mixed_float16":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(self.model.trainable_variables)
        self.optimizer = optimizer
        self.train_step = tf.function(self.traced_train_step)
        self.test = tf.function(self.traced_test)

    def _forward(self, images, kept=None) -> dict:
        """The layers' weights, biases and outputs by tag; `kept` [B, hidden] are the units that dropout keeps."""
        layer = self.model.get_layer
        linear = layer("layer1")(images)
        activations = dropped = layer("relu")(linear)
        if kept is not None:
            with tf.name_scope("dropout"):
                dropped = tf.where(kept, activations / self.options.keep_probability, 0.0)
        logits = layer("layer2")(dropped)
        found = {"layer1/linear_compute/linear": linear, "layer1/activations": activations,
                 "layer2/linear_compute/linear": logits, "layer2/activations": logits}  # the last layer has no activation
        for name in ("layer1", "layer2"):  # read here, before the update
            found |= {f"{name}/weights": tf.identity(layer(name).kernel.value),
                      f"{name}/biases": tf.identity(layer(name).bias.value)}
        return found

    def _outcome(self, outputs: dict, labels) -> dict:
        logits = tf.cast(outputs["layer2/linear_compute/linear"], tf.float32)
        with tf.name_scope("loss"):
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        with tf.name_scope("accuracy"):
            right = tf.equal(tf.argmax(logits, 1, tf.int32), labels)
            return {**outputs, "loss": loss, "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}

    def _replica_step(self, images, labels, kept) -> dict:
        with tf.GradientTape() as tape:
            outcome = self._outcome(self._forward(images, kept), labels)
            # the gradients of all replicas are summed
            loss = self.optimizer.scale_loss(outcome["loss"] / self.strategy.num_replicas_in_sync)
        variables = self.model.trainable_variables
        with tf.name_scope("train"):
            self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {**outcome, "images": images}

    def traced_train_step(self, images, labels, kept) -> dict:
        """Runs one step; returns the batch for `mnist_summaries`, from all replicas of this process."""
        outcome = self.strategy.run(self._replica_step, args=(images, labels, kept))
        means = {name: self.strategy.reduce("mean", outcome.pop(name), axis=None) for name in ("loss", "accuracy")}
        local = {name: self.strategy.experimental_local_results(value) for name, value in outcome.items()}
        whole = {name: values[0] if name.endswith(("/weights", "/biases")) else tf.concat(values, 0)
                 for name, values in local.items()}
        return {**whole, **means, "keep_probability": tf.constant(self.options.keep_probability)}

    def traced_test(self, images, labels) -> dict:
        """Evaluates the test set in one call on one device, without dropout; returns the same as a step."""
        # in parts that fit into the processor's cache, which takes two thirds of the time of a single pass
        parts = [self._forward(images[start:start + TEST_PART]) for start in range(0, images.shape[0], TEST_PART)]
        whole = {name: value if name.endswith(("/weights", "/biases")) else tf.concat([part[name] for part in parts], 0)
                 for name, value in parts[0].items()}
        return {**self._outcome(whole, labels), "images": images, "keep_probability": tf.constant(1.0)}

    def compile_summaries(self, writers: dict[str, tf.summary.SummaryWriter]) -> None:
        """Defines a compiled `self.write[name](step, batch)` for each writer."""

        def function(writer):
            @tf.function
            def write(step, batch):
                with writer.as_default():
                    mnist_summaries(batch, step, self.options.images)

            return write

        self.write = {name: function(writer) for name, writer in writers.items()}


def _default_log_dir() -> str:
    return os.path.join("logs", "mnist", time.strftime("%Y%m%d-%H%M%S"))


def run_loop(training: MnistTraining, batches: tf.data.Dataset, test_set: tuple, report) -> dict[int, float]:
    """The loop of the classic program: every tenth step evaluates the test set, the others train on a batch.

    Args:
        batches: as `with_masks` makes them.
        test_set: images float [N, 784] and labels int32 [N].
        report: `report(step, history)` is called after each step.

    Returns the history: step -> accuracy on the test set.
    """
    options, history = training.options, {}
    iterator = iter(training.strategy.experimental_distribute_dataset(batches))
    for step in range(options.steps):
        step_tensor = tf.constant(step, tf.int64)
        testing = options.test_every and step % options.test_every == 0
        if testing:
            outcome = training.test(*test_set)
            training.write["test"](step_tensor, outcome)
            history[step] = float(outcome["accuracy"])
        if not testing or options.train_every_step:
            batch = training.train_step(*next(iterator))
            # a step writes summaries either of the test set or of the training
            if not testing and options.summary_every and step % options.summary_every == 0:
                training.write["train"](step_tensor, batch)
        report(step, history)
    return history


def _reporter(options: MnistOptions):
    """(report(step, history), a function that ends it), which prints lines as in the classic program or a bar."""
    if options.quiet:
        return lambda step, history: None, lambda: None
    if options.progress == "lines":
        return _print_line, lambda: None
    line, latest, tests = Line("mnist", options.steps, sys.stderr, 10.0, nested=False), {}, set()

    def counts():
        return {"examples": (line.done - len(tests)) * options.batch_size}

    def report(step, history):
        if not options.train_every_step:
            tests.update(history)
        if step in history:
            latest["accuracy"] = history[step]
        line.advance(step + 1, latest, counts)

    return report, lambda: line.close(latest, counts)


def _print_line(step: int, history: dict[int, float]) -> None:
    if step in history:
        print(f"Accuracy at step {step}: {np.float32(history[step])!s}", flush=True)  # all digits, as in the program


def _write_graph(training: MnistTraining, writer, options: MnistOptions) -> None:
    size = options.batch_size
    specs = [tf.TensorSpec([size, 784]), tf.TensorSpec([size], tf.int32),
             tf.TensorSpec([size, options.hidden_size], tf.bool)]
    with writer.as_default(step=0):
        if training.strategy.num_replicas_in_sync == 1:
            function_graph(training._replica_step, *specs)
        else:
            function_graph(training.traced_test, *specs[:2])


@verb(MnistOptions)
def mnist(options: MnistOptions) -> MnistResult:
    """Trains the perceptron on handwritten digits and writes the summaries of `mnist_summaries`.

    Every tenth step, from the first one, prints `Accuracy at step N: x` on the test set in place of training (so that
    1,000 steps have 900 updates), and the accuracy after the last step is printed at the end. With `output`, the model is
    saved there as `mnist.keras`.
    """
    if options.steps < 1:
        raise ValueError(f"steps is {options.steps}; expected 1 or more: change --steps")
    if not 0 < options.keep_probability <= 1:
        raise ValueError(f"keep_probability is {options.keep_probability}; expected a share above 0, at most 1: change "
                         "--keep-probability")
    if not options.output:
        return _train(options)
    with writing_folder(options.output, ("mnist.keras",), options.overwrite):
        return _train(options)


def _train(options: MnistOptions) -> MnistResult:
    keras.utils.set_random_seed(options.seed)
    data = load_mnist(options.data_dir)
    training = MnistTraining(options, strategy_for(options.strategy))
    log_dir = Path(options.log_dir or _default_log_dir())
    if not options.quiet:
        print(f"{len(data.train_labels):,} training images, {len(data.test_labels):,} test images, from {data.source}")
        print(f"summaries: {command('tensorboard', '--logdir', log_dir)}")
    report, finish = _reporter(options)
    with contextlib.ExitStack() as stack:
        stack.callback(finish)
        writers = {name: create_writer(log_dir / name, training.strategy) for name in ("train", "test")}
        for writer in writers.values():
            stack.callback(writer.close)  # also after Ctrl-C
        _write_graph(training, writers["train"], options)
        with writers["train"].as_default(step=0):
            write_hparams(options, {"accuracy/accuracy": "../test"})
        training.compile_summaries(writers)
        batches = with_masks(training_batches(data, options), options)
        test_set = images_and_labels(data.test_images, data.test_labels)
        history = run_loop(training, batches, test_set, report)
    outcome = training.test(*test_set)
    accuracy = float(outcome["accuracy"])
    if options.projector and writes_summaries(training.strategy):
        hidden, labels = outcome["layer1/activations"][:options.projector], data.test_labels[:options.projector]
        write_projector(log_dir / "test", {"layer1": Embedding(hidden, labels)})
    print(f"Accuracy after {options.steps} steps: {accuracy:.4f}")
    if options.output:
        training.model.save(Path(options.output) / "mnist.keras")
    return MnistResult(accuracy, history, training.model, log_dir, data.source)
