"""Handwritten digits with every kind of TensorBoard summary: the classic TF1 program, as a loop on TensorFlow 2.

    784 pixels -> layer1: 500, ReLU -> dropout -> layer2: 10 logits -> softmax cross-entropy
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
from tfplm.data.mnist import Mnist, load_mnist
from tfplm.layers.precision import training_dtype
from tfplm.options.base import verb
from tfplm.options.mnist import MnistOptions
from tfplm.summaries.graph import function_graph
from tfplm.summaries.histograms import histogram
from tfplm.summaries.hparams import write_hparams
from tfplm.summaries.images import input_images
from tfplm.summaries.projector import Embedding, write_projector
from tfplm.summaries.variables import variable_summaries
from tfplm.summaries.writers import create_writer, writes_summaries
from tfplm.training.loop.devices import set_devices
from tfplm.training.loop.distribute import strategy_for
from tfplm.training.loop.progress import Line

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


def with_activations(model: keras.Model) -> keras.Model:
    """The same layers, with the activations for the summaries as outputs, by tag."""
    linear1, linear2 = model.get_layer("layer1").output, model.get_layer("layer2").output
    return keras.Model(model.input, {"layer1/linear_compute/linear": linear1,
                                     "layer1/activations": model.get_layer("relu").output,
                                     "layer2/linear_compute/linear": linear2}, name="mnist")


def mnist_summaries(model: keras.Model, batch: dict, step, images: int = 10) -> None:
    """Writes all summaries of the classic program for a batch to the current writer.

    Args:
        model: made by `mnist_model`.
        batch: `images` [B, 784], `keep_probability`, `loss`, `accuracy`, and the outputs of `with_activations`.
    """
    input_images("input_reshape/input", batch["images"], step, images)
    for name in ("layer1", "layer2"):
        layer = model.get_layer(name)
        variable_summaries(f"{name}/weights/summaries", layer.kernel.value, step)
        variable_summaries(f"{name}/biases/summaries", layer.bias.value, step)
        histogram(f"{name}/linear_compute/linear", batch[f"{name}/linear_compute/linear"], step)
    histogram("layer1/activations", batch["layer1/activations"], step)
    histogram("layer2/activations", batch["layer2/linear_compute/linear"], step)  # the last layer has no activation
    tf.summary.scalar("dropout/dropout_keep_probability", batch["keep_probability"], step)
    tf.summary.scalar("loss/loss", batch["loss"], step)
    tf.summary.scalar("accuracy/accuracy", batch["accuracy"], step)


def training_batches(data: Mnist, options: MnistOptions) -> tf.data.Dataset:
    """Infinite batches (images float [B, 784] in [0, 1], labels int32 [B]), shuffled in each pass over the examples."""
    images = tf.constant(data.train_images.reshape(-1, 784))
    labels = tf.constant(data.train_labels.astype(np.int32))
    count = len(labels)
    if options.batch_size > count:
        raise ValueError(f"batch_size is {options.batch_size}; the training set has only {count} examples: lower it")
    # indices are shuffled and batched, and a whole batch is gathered at once: much cheaper than single images
    indices = tf.data.Dataset.range(count).shuffle(count, seed=options.seed).repeat()
    return indices.batch(options.batch_size, drop_remainder=True).map(
        lambda chosen: (tf.cast(tf.gather(images, chosen), tf.float32) / 255.0, tf.gather(labels, chosen))).prefetch(4)


class MnistTraining:
    """The model, its optimizer and the compiled functions of the loop, under one strategy."""

    def __init__(self, options: MnistOptions, strategy: tf.distribute.Strategy):
        self.options, self.strategy = options, strategy
        with strategy.scope():
            self.model = mnist_model(options)
            self.taps = with_activations(self.model)
            optimizer = keras.optimizers.Adam(options.learning_rate, epsilon=1e-8)
            if options.dtype == "mixed_float16":
                optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(self.model.trainable_variables)
        self.optimizer = optimizer
        self.train_step = tf.function(self.traced_train_step)
        self.test = tf.function(self.traced_test)

    def _outcome(self, outputs: dict, labels) -> dict:
        logits = tf.cast(outputs["layer2/linear_compute/linear"], tf.float32)
        with tf.name_scope("loss"):
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        with tf.name_scope("accuracy"):
            right = tf.equal(tf.argmax(logits, 1, tf.int32), labels)
            return {**outputs, "loss": loss, "accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}

    def _replica_step(self, images, labels) -> dict:
        with tf.GradientTape() as tape:
            outcome = self._outcome(self.taps(images, training=True), labels)
            # the gradients of all replicas are summed
            loss = self.optimizer.scale_loss(outcome["loss"] / self.strategy.num_replicas_in_sync)
        variables = self.model.trainable_variables
        with tf.name_scope("train"):
            self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {**outcome, "images": images}

    def traced_train_step(self, images, labels) -> dict:
        """Runs one step; returns the batch for `mnist_summaries`, from all replicas of this process."""
        outcome = self.strategy.run(self._replica_step, args=(images, labels))
        means = {name: self.strategy.reduce("mean", outcome.pop(name), axis=None) for name in ("loss", "accuracy")}
        whole = {name: tf.concat(self.strategy.experimental_local_results(value), 0) for name, value in outcome.items()}
        return {**whole, **means, "keep_probability": tf.constant(self.options.keep_probability)}

    def traced_test(self, images, labels) -> dict:
        """Evaluates the test set in one call on one device, without dropout; returns the same as a step."""
        # in parts that fit into the processor's cache, which takes two thirds of the time of a single pass
        parts = [self.taps(images[start:start + TEST_PART], training=False)
                 for start in range(0, images.shape[0], TEST_PART)]
        outcome = self._outcome({name: tf.concat([part[name] for part in parts], 0) for name in parts[0]}, labels)
        return {**outcome, "images": images, "keep_probability": tf.constant(1.0)}

    def compile_summaries(self, writers: dict[str, tf.summary.SummaryWriter]) -> None:
        """Defines a compiled `self.write[name](step, batch)` for each writer."""

        def function(writer):
            @tf.function
            def write(step, batch):
                with writer.as_default():
                    mnist_summaries(self.model, batch, step, self.options.images)

            return write

        self.write = {name: function(writer) for name, writer in writers.items()}


def _default_log_dir() -> str:
    return os.path.join("logs", "mnist", time.strftime("%Y%m%d-%H%M%S"))


def run_loop(training: MnistTraining, data: Mnist, steps: int, report) -> dict[int, float]:
    """The loop of the classic program: evaluation on the test set every tenth step, training at every step.

    Calls `report(step, history)` after each step. Returns the history: step -> accuracy on the test set.
    """
    options = training.options
    batches = iter(training.strategy.experimental_distribute_dataset(training_batches(data, options)))
    test_set = _test_set(data)
    history = {}
    for step in range(steps):
        step_tensor = tf.constant(step, tf.int64)
        testing = options.test_every and step % options.test_every == 0
        if testing:
            outcome = training.test(*test_set)
            training.write["test"](step_tensor, outcome)
            history[step] = float(outcome["accuracy"])
        batch = training.train_step(*next(batches))
        # as in the classic program, a step writes summaries either of the test set or of the training
        if not testing and options.summary_every and step % options.summary_every == 0:
            training.write["train"](step_tensor, batch)
        report(step, history)
    return history


def _test_set(data: Mnist) -> tuple[tf.Tensor, tf.Tensor]:
    images = data.test_images.reshape(-1, 784).astype(np.float32) / 255.0
    return tf.constant(images), tf.constant(data.test_labels.astype(np.int32))


def _reporter(options: MnistOptions):
    """(report(step, history), a function that ends it), which prints lines as in the classic program or a bar."""
    if options.quiet:
        return lambda step, history: None, lambda: None
    if options.progress == "lines":
        return _print_line, lambda: None
    line, latest = Line("mnist", options.steps, sys.stderr, 10.0, nested=False), {}

    def counts():
        return {"examples": line.done * options.batch_size}

    def report(step, history):
        if step in history:
            latest["accuracy"] = history[step]
        line.advance(step + 1, latest, counts)

    return report, lambda: line.close(latest, counts)


def _print_line(step: int, history: dict[int, float]) -> None:
    if step in history:
        print(f"Accuracy at step {step}: {history[step]:.4f}", flush=True)


def _write_graph(training: MnistTraining, writer, options: MnistOptions) -> None:
    specs = tf.TensorSpec([options.batch_size, 784], tf.float32), tf.TensorSpec([options.batch_size], tf.int32)
    with writer.as_default(step=0):
        function_graph(training._replica_step if training.strategy.num_replicas_in_sync == 1
                       else training.traced_test, *specs)


@verb(MnistOptions)
def mnist(options: MnistOptions) -> MnistResult:
    """Trains the perceptron on handwritten digits and writes the summaries of `mnist_summaries`.

    Prints `Accuracy at step N: x` on the test set at every tenth step, before that step's training, and the accuracy
    after the last step. With `output`, the model is saved there as `mnist.keras`.
    """
    if options.steps < 1:
        raise ValueError(f"steps is {options.steps}; expected 1 or more: change --steps")
    if not options.output:
        return _train(options)
    with writing_folder(options.output, ("mnist.keras",), options.overwrite):
        return _train(options)


def _train(options: MnistOptions) -> MnistResult:
    set_devices(options.gpu, options.memory_fraction, options.memory_limit, options.allow_growth)
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
        history = run_loop(training, data, options.steps, report)
    outcome = training.test(*_test_set(data))
    accuracy = float(outcome["accuracy"])
    if options.projector and writes_summaries(training.strategy):
        hidden, labels = outcome["layer1/activations"][:options.projector], data.test_labels[:options.projector]
        write_projector(log_dir / "test", {"layer1": Embedding(hidden, labels)})
    print(f"Accuracy after {options.steps} steps: {accuracy:.4f}")
    if options.output:
        training.model.save(Path(options.output) / "mnist.keras")
    return MnistResult(accuracy, history, training.model, log_dir, data.source)
