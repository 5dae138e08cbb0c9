"""Benefit of pre-training: fine-tuning for THUCNews headlines (10 classes) from a pre-trained model and from scratch.

    python tests/benchmarks/pretraining_helps.py zh-novels --data DATA/thucnews --examples 1000

where `zh-novels` is the output of `tfplm pretrain` (the command is in notebooks/02_pretrain.ipynb). Both arms have the
same architecture, tokenizer, examples, order, and number of steps; the learning rate is the best of `--rates` for each
arm, chosen on a part of the training file that is not used for training; accuracy on the test file, mean over the
seeds.
"""

import argparse
from pathlib import Path

import keras
import numpy as np

import tfplm

HELD_OUT = 1000  # headlines of the training file that are only used to choose the learning rate


def read(path: Path) -> tuple[list[str], np.ndarray]:
    """Headlines and labels of a THUCNews file."""
    texts, labels = zip(*(line.rsplit("\t", 1) for line in path.read_text(encoding="utf-8").splitlines() if line))
    return list(texts), np.array(labels, np.int32)


def classifier(source: str, pretrained: bool, seed: int) -> keras.Model:
    """The model of `source` with a new head, and with pre-trained or random weights."""
    keras.utils.set_random_seed(seed)
    model = tfplm.from_pretrained(source, "sequence_classification", num_labels=10)
    return model if pretrained else tfplm.from_config(model.config, "sequence_classification", num_labels=10)


def fine_tune(model: keras.Model, train: tuple, rate: float, epochs: int) -> None:
    """Plain Keras: `compile` and `fit`."""
    batch, labels = train
    steps = epochs * -(-len(labels) // 32)
    schedule = keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0)
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=0.01, clipnorm=1.0),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(batch, labels, batch_size=32, epochs=epochs, verbose=0)


def accuracy(model: keras.Model, data: tuple) -> float:
    """Fraction of correct labels."""
    batch, labels = data
    return float((model.predict(batch, batch_size=256, verbose=0).argmax(-1) == labels).mean())


def compare(source: str, folder: Path, examples: int, epochs: int, seeds: int, rates: list[float]) -> None:
    """Prints a line for each arm."""
    tokenizer = tfplm.Tokenizer.from_pretrained(source)

    def data(texts, labels):
        return tokenizer(texts, max_length=32, padding="max_length"), labels

    texts, labels = read(folder / "dev.txt")  # the official training file is not available
    order = np.random.default_rng(0).permutation(len(texts))
    kept, held = order[:-HELD_OUT][:examples], order[-HELD_OUT:]
    train, held = (data([texts[i] for i in part], labels[part]) for part in (kept, held))
    test = data(*read(folder / "test.txt"))
    for name, pretrained in (("pre-trained", True), ("from scratch", False)):
        scores = {}
        for rate in rates:
            model = classifier(source, pretrained, seed=0)
            fine_tune(model, train, rate, epochs)
            scores[rate] = accuracy(model, held)
        best = max(scores, key=scores.get)
        found = []
        for seed in range(1, seeds + 1):
            model = classifier(source, pretrained, seed)
            fine_tune(model, train, best, epochs)
            found.append(accuracy(model, test))
        print(f"{name:13s} {len(kept):6,} examples  learning rate {best:g}  test accuracy {np.mean(found):.4f}  "
              f"({', '.join(f'{value:.4f}' for value in found)})", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="folder of the pre-trained model")
    parser.add_argument("--data", type=Path, required=True, help="folder of THUCNews: dev.txt, test.txt")
    parser.add_argument("--examples", type=int, default=1000, help="number of training headlines")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rates", type=float, nargs="*", default=[3e-4, 1e-3, 3e-3])
    arguments = parser.parse_args()
    compare(arguments.source, arguments.data, arguments.examples, arguments.epochs, arguments.seeds, arguments.rates)
