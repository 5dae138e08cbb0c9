"""The cost of TensorBoard summaries: MNIST, 1000 steps, compared with plain Keras `fit` and Keras' own callback.

    python tests/benchmarks/summaries.py [--repeats 5] [--steps 1000] [--data-dir FOLDER]

Every round runs all contenders one after the other; the table has medians over the rounds, and ratios within them. A
first round for compiling is not counted. CPU seconds vary less than seconds if other programs are running.
"""

import argparse
import os
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import tensorflow as tf

from tfplm.data.mnist import images_and_labels, load_mnist, training_batches, with_masks
from tfplm.demos.mnist import MnistTraining, mnist_model, run_loop
from tfplm.options.mnist import MnistOptions
from tfplm.summaries import SummaryCallback, create_writer

TARGETS = {"SummaryCallback": 0.9, "document": 0.35}


class Fit:
    """`fit` of the MNIST model with the callbacks of `make_callbacks(folder)`."""

    def __init__(self, data, options, make_callbacks, folder):
        self.batches, self.options = training_batches(data, options), options
        self.make_callbacks, self.folder = make_callbacks, folder
        self.model = mnist_model(options)
        self.model.compile(keras.optimizers.Adam(options.learning_rate),
                           keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])

    def __call__(self, steps: int) -> None:
        self.model.fit(self.batches, steps_per_epoch=steps, verbose=0, callbacks=self.make_callbacks(self.folder))


class Document:
    """The loop of `tfplm mnist`: all summaries at every step; the test set every `test_every` steps."""

    def __init__(self, data, options, folder):
        self.training = MnistTraining(options, tf.distribute.get_strategy())
        self.batches = with_masks(training_batches(data, options), options)
        self.test_set = images_and_labels(data.test_images, data.test_labels)
        self.writers = {name: create_writer(os.path.join(folder, name)) for name in ("train", "test")}
        self.training.compile_summaries(self.writers)

    def __call__(self, steps: int) -> None:
        self.training.options.steps = steps
        run_loop(self.training, self.batches, self.test_set, lambda step, history: None)
        for writer in self.writers.values():
            writer.flush()


def contenders(data, folder: str) -> dict:
    options = MnistOptions(quiet=True)
    return {
        "plain fit": Fit(data, options, lambda path: [], folder),
        "SummaryCallback": Fit(data, options, lambda path: [SummaryCallback(path)], f"{folder}/callback"),
        "Keras TensorBoard": Fit(data, options, lambda path: [
            keras.callbacks.TensorBoard(path, histogram_freq=1, update_freq=50)], f"{folder}/keras"),
        "document": Document(data, MnistOptions(quiet=True, test_every=0), f"{folder}/document"),
        "document with tests": Document(data, options, f"{folder}/tests"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--data-dir")
    arguments = parser.parse_args()
    data = load_mnist(arguments.data_dir)
    with tempfile.TemporaryDirectory() as folder:
        runs = contenders(data, folder)
        seconds, cpu_seconds = ({name: [] for name in runs} for _ in range(2))
        for run in runs.values():
            run(12)
        for _ in range(arguments.repeats):
            for name, run in runs.items():
                start, start_cpu = time.perf_counter(), time.process_time()
                run(arguments.steps)
                seconds[name].append(time.perf_counter() - start)
                cpu_seconds[name].append(time.process_time() - start_cpu)
    print(f"{data.source}: {arguments.steps} steps of 100, median of {arguments.repeats}\n")
    print(f"{'':22s}{'seconds':>9s}{'steps/s':>9s}{'speed / plain fit':>20s}{'target':>9s}{'CPU s':>8s}")
    for name, times in seconds.items():
        ratio = statistics.median(plain / own for plain, own in zip(seconds["plain fit"], times))
        target = f">= {TARGETS[name]}" if name in TARGETS else ""
        median = statistics.median(times)
        print(f"{name:22s}{median:9.2f}{arguments.steps / median:9.0f}{ratio:20.2f}{target:>9s}"
              f"{statistics.median(cpu_seconds[name]):8.2f}")
    faster = statistics.median(theirs / own for theirs, own in
                               zip(seconds["Keras TensorBoard"], seconds["SummaryCallback"]))
    print(f"\nSummaryCallback / Keras' TensorBoard with histograms: {faster:.2f} times its speed (target >= 1)")


if __name__ == "__main__":
    main()
