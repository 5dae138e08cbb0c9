"""Batches for training: the same ones for the same seed, from any place on."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tfplm.data.batches.batching import Batching, Pad, bucket_by_length, token_pads
from tfplm.data.records.features import read_features
from tfplm.data.sequences.documents import Document
from tfplm.data.sequences.recipes import Sequences

if TYPE_CHECKING:
    import tensorflow as tf

Noise = Callable[[dict, np.random.Generator], dict]
Column = Callable[[Document], np.ndarray]


@dataclasses.dataclass
class BatchSource:
    """Batches of every epoch, as NumPy dicts or as a `tf.data.Dataset`.

    examples(epoch, rng): the examples of an epoch. noise(batch, rng): applied to whole batches, again in each epoch.
    pads: as in `collate`.
    The order and the noise of a batch depend on (seed, epoch, number of the batch) alone, so that `start` gives what an
    uninterrupted run would have given there. shuffle=False: the order of the files, for evaluation.
    """

    examples: Callable[[int, np.random.Generator | None], Iterable[dict]]
    batching: Batching = dataclasses.field(default_factory=Batching)
    noise: Noise | None = None
    seed: int = 0
    pads: Mapping[str, Pad] = dataclasses.field(default_factory=token_pads)
    shuffle: bool = True
    # batches of the epochs that were seen to their end; a caller may keep it with a checkpoint: resuming in the n-th
    # epoch then need not count the batches of the earlier ones again
    epoch_lengths: list[int] = dataclasses.field(default_factory=list)

    def epoch(self, number: int = 0, skip: int = 0) -> Iterator[dict]:
        """The batches of one epoch after the first `skip` ones, whose noise is not computed."""
        rng = np.random.default_rng((self.seed, number)) if self.shuffle else None
        count = 0
        for batch in bucket_by_length(self.examples(number, rng), self.batching, rng, self.pads):
            if count >= skip:
                noise_rng = np.random.default_rng((self.seed, number if self.shuffle else 0, count, 1))
                yield self.noise(batch, noise_rng) if self.noise else batch
            count += 1
        if number == len(self.epoch_lengths):
            self.epoch_lengths.append(count)

    def batches(self, start: int = 0, epochs: int | None = None) -> Iterator[dict]:
        """Epoch after epoch (without end for epochs=None), from the batch number `start` of the whole run on.

        Raises ValueError when an epoch has no batch.
        """
        for number in itertools.count() if epochs is None else range(epochs):
            if number < len(self.epoch_lengths) and start >= self.epoch_lengths[number] > 0:
                start -= self.epoch_lengths[number]
                continue
            yield from self.epoch(number, start)
            if number < len(self.epoch_lengths):
                if not self.epoch_lengths[number]:
                    raise ValueError("the corpus is too small for a single batch; make batches or sequences shorter")
                start = max(0, start - self.epoch_lengths[number])

    def dataset(self, start: int = 0, epochs: int | None = None, prefetch: int = 8) -> "tf.data.Dataset":
        """`batches` as a `tf.data.Dataset`, computed ahead in a thread of its own."""
        return as_dataset(lambda: self.batches(start, epochs), prefetch)


def shuffled(examples: Sequence[dict]) -> Callable[[int, np.random.Generator | None], Iterator[dict]]:
    """`examples` of a `BatchSource` that has all in memory: another order in each epoch, over all of them.

    Its pools alone would leave a file that is sorted by label or by genre nearly as it is.
    """

    def of_epoch(epoch: int, rng: np.random.Generator | None) -> Iterator[dict]:
        order = range(len(examples)) if rng is None else rng.permutation(len(examples))
        return (examples[place] for place in order)

    return of_epoch


def as_dataset(make: Callable[[], Iterator[dict]], prefetch: int = 8) -> "tf.data.Dataset":
    """A `tf.data.Dataset` of the dicts that an iterator gives; sizes are left open, types are those of the first."""
    started = make()
    first = next(started, None)
    if first is None:
        raise ValueError("there is no batch to train on: the corpus is empty, or smaller than one batch")
    waiting = [itertools.chain([first], started)]  # what was looked at serves the first pass

    def generate():
        return waiting.pop() if waiting else make()

    return dataset_like(generate, first, prefetch)


def open_specs(template):
    """`tf.TensorSpec`s of NumPy arrays (in dicts and tuples, as they are): of their types, and of any sizes."""
    import tensorflow as tf

    return tf.nest.map_structure(lambda value: tf.TensorSpec([None] * value.ndim, value.dtype), template)


def dataset_like(generate: Callable[[], Iterable], template, prefetch: int = 8) -> "tf.data.Dataset":
    """A dataset of what `generate()` yields: NumPy arrays, or dicts and tuples of them, like `template` in all but
    sizes."""
    import tensorflow as tf

    return tf.data.Dataset.from_generator(generate, output_signature=open_specs(template)).prefetch(prefetch)


def with_other_keys(batch: dict, templates: Iterable[dict]) -> dict:
    """The batch of one task with the keys of all: those it has not are nearly empty. Its own come last, and win."""
    rows = len(next(iter(batch.values())))
    return {**{key: np.zeros((rows, *[1] * (value.ndim - 1)), value.dtype)
               for template in templates for key, value in template.items()}, **batch}


def token_batches(records, sequences: Sequences | None = None, noise: Noise | None = None,
                  shard: tuple[int, int] = (0, 1), columns: Mapping[str, Column] | None = None, **source) -> BatchSource:
    """Batches from `TokenRecords` (or a `DocumentList`): packed again in each epoch, noise while reading.

    noise: `noise(batch, rng) -> batch`, such as `functools.partial(mask_tokens, vocabulary=records.vocabulary)`.
    shard: (index, count) of a worker among several. columns: what noise must know of whole documents, functions that
    give a value for each token; the batch has it under this name. source: `batching`, `seed`, `shuffle`.
    """
    sequences, columns = sequences or Sequences(), columns or {}

    def examples(epoch: int, rng: np.random.Generator | None) -> Iterator[dict]:
        choice = np.random.default_rng(0) if rng is None else rng  # pairs are drawn in evaluation, too
        for documents in records.windows(rng, shard):
            if columns:
                documents = [dataclasses.replace(document, columns={name: make(document) for name, make in
                                                                    columns.items()}) for document in documents]
            yield from sequences.pack(documents, records.vocabulary, choice)

    return BatchSource(examples, noise=noise, pads=token_pads(records.vocabulary.pad, also=columns), **source)


def feature_batches(files: list[str], shard: tuple[int, int] = (0, 1), keep: Callable[[dict], bool] | None = None,
                    **source) -> BatchSource:
    """Batches from files of BERT's static features (`create_pretraining_data.py`, or `tfplm records --layout bert`).

    keep: which examples there are; None for all. shard, source: as in `token_batches`.
    """
    def examples(epoch: int, rng: np.random.Generator | None) -> Iterator[dict]:
        return itertools.islice(filter(keep, read_features(files, rng)), shard[0], None, shard[1])

    return BatchSource(examples, **source)


def mixed_batches(sources: dict[str, BatchSource], weights: dict[str, float], seed: int = 0, start: int = 0
                  ) -> Iterator[tuple[str, dict]]:
    """(name, batch) without end: each time a source drawn by weight, and its next batch (multi-task training).

    start: how many to leave out; the draws are repeated, the batches before are not computed.
    """
    if set(weights) != set(sources) or min(weights.values(), default=0) <= 0:
        raise ValueError(f"weights {weights}: expected a number above 0 for each of {', '.join(sources)}")
    names = list(sources)
    shares = np.array([weights[name] for name in names], float)
    rng = np.random.default_rng((seed, 2))
    draws = iter(lambda: names[int(rng.choice(len(names), p=shares / shares.sum()))], None)
    passed = list(itertools.islice(draws, start))
    running = {name: source.batches(passed.count(name)) for name, source in sources.items()}
    return ((name, next(running[name])) for name in draws)
