"""Sources of training batches, which are reproducible by a seed, and can start at any batch."""

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

    The order and the noise of a batch depend only on (seed, epoch, index of the batch), so that a run that starts at a
    batch is equal to an uninterrupted run from there on.

    Attributes:
        examples: `examples(epoch, rng)` returns the examples of an epoch.
        batching: sizes of batches.
        noise: `noise(batch, rng)` is applied to whole batches, again in each epoch.
        seed: seed of order and noise.
        pads: as in `collate`.
        shuffle: False for the order of the files, for evaluation.
        epoch_lengths: numbers of batches of the complete epochs so far. It can be saved with a checkpoint, so that a
            run that resumes does not need to count the batches of earlier epochs again.
    """

    examples: Callable[[int, np.random.Generator | None], Iterable[dict]]
    batching: Batching = dataclasses.field(default_factory=Batching)
    noise: Noise | None = None
    seed: int = 0
    pads: Mapping[str, Pad] = dataclasses.field(default_factory=token_pads)
    shuffle: bool = True
    epoch_lengths: list[int] = dataclasses.field(default_factory=list)

    def epoch(self, index: int = 0, skip: int = 0) -> Iterator[dict]:
        """The batches of one epoch after the first `skip` ones, whose noise is not computed."""
        rng = np.random.default_rng((self.seed, index)) if self.shuffle else None
        count = 0
        for batch in bucket_by_length(self.examples(index, rng), self.batching, rng, self.pads):
            if count >= skip:
                noise_rng = np.random.default_rng((self.seed, index if self.shuffle else 0, count, 1))
                yield self.noise(batch, noise_rng) if self.noise else batch
            count += 1
        if index == len(self.epoch_lengths):
            self.epoch_lengths.append(count)

    def batches(self, start: int = 0, epochs: int | None = None) -> Iterator[dict]:
        """The batches of all epochs (endless for epochs=None), from the batch with index `start` of the whole run on.

        Raises ValueError if an epoch has no batch.
        """
        for index in itertools.count() if epochs is None else range(epochs):
            if index < len(self.epoch_lengths) and start >= self.epoch_lengths[index] > 0:
                start -= self.epoch_lengths[index]
                continue
            yield from self.epoch(index, start)
            if index < len(self.epoch_lengths):
                if not self.epoch_lengths[index]:
                    raise ValueError("the corpus has too few tokens for one batch; expected at least one batch: use "
                                     "more text, smaller batches, or shorter sequences")
                start = max(0, start - self.epoch_lengths[index])

    def dataset(self, start: int = 0, epochs: int | None = None, prefetch: int = 8) -> "tf.data.Dataset":
        """`batches` as a `tf.data.Dataset`, prefetched in a separate thread."""
        return as_dataset(lambda: self.batches(start, epochs), prefetch)


def shuffled(examples: Sequence[dict]) -> Callable[[int, np.random.Generator | None], Iterator[dict]]:
    """`examples` of a `BatchSource` for examples in memory: all are shuffled again in each epoch.

    Shuffling in the pools of a `BatchSource` would hardly change the order of a file sorted by label or genre.
    """

    def of_epoch(epoch: int, rng: np.random.Generator | None) -> Iterator[dict]:
        order = range(len(examples)) if rng is None else rng.permutation(len(examples))
        return (examples[index] for index in order)

    return of_epoch


def as_dataset(make: Callable[[], Iterator[dict]], prefetch: int = 8) -> "tf.data.Dataset":
    """A `tf.data.Dataset` of the dicts of an iterator, of any sizes, and with the types of the first dict."""
    iterator = make()
    first = next(iterator, None)
    if first is None:
        raise ValueError("there is no batch to train on; expected at least one: the corpus is empty, or smaller than "
                         "one batch")
    waiting = [itertools.chain([first], iterator)]  # used for the first pass

    def generate():
        return waiting.pop() if waiting else make()

    return dataset_like(generate, first, prefetch)


def open_specs(template):
    """`tf.TensorSpec`s of NumPy arrays (in nested dicts and tuples), with their types and any sizes."""
    import tensorflow as tf

    return tf.nest.map_structure(lambda value: tf.TensorSpec([None] * value.ndim, value.dtype), template)


def dataset_like(generate: Callable[[], Iterable], template, prefetch: int = 8) -> "tf.data.Dataset":
    """A dataset of the items of `generate()`: NumPy arrays, or dicts and tuples of them, typed as `template`."""
    import tensorflow as tf

    return tf.data.Dataset.from_generator(generate, output_signature=open_specs(template)).prefetch(prefetch)


def with_other_keys(batch: dict, templates: Iterable[dict]) -> dict:
    """The batch of one task with the keys of all tasks; missing keys have arrays of minimum size."""
    rows = len(next(iter(batch.values())))
    return {**{key: np.zeros((rows, *[1] * (value.ndim - 1)), value.dtype)
               for template in templates for key, value in template.items()}, **batch}


def token_batches(records, sequences: Sequences | None = None, noise: Noise | None = None,
                  shard: tuple[int, int] = (0, 1), columns: Mapping[str, Column] | None = None, **source) -> BatchSource:
    """Batches from `TokenRecords` (or a `DocumentList`), packed again in each epoch, with noise.

    Args:
        records: the documents.
        sequences: how documents are packed.
        noise: `noise(batch, rng) -> batch`, such as `functools.partial(mask_tokens, vocabulary=records.vocabulary)`.
        shard: (index, count) of a worker.
        columns: name -> function of a document that returns a value for each token, for noise that depends on whole
            documents; the batch has the values under this name.
        source: `batching`, `seed`, `shuffle`.
    """
    sequences, columns = sequences or Sequences(), columns or {}

    def examples(epoch: int, rng: np.random.Generator | None) -> Iterator[dict]:
        choice = np.random.default_rng(0) if rng is None else rng  # pairs are also sampled in evaluation
        for documents in records.windows(rng, shard):
            if columns:
                documents = [dataclasses.replace(document, columns={name: make(document) for name, make in
                                                                    columns.items()}) for document in documents]
            yield from sequences.pack(documents, records.vocabulary, choice)

    return BatchSource(examples, noise=noise, pads=token_pads(records.vocabulary.pad, also=columns), **source)


def feature_batches(files: list[str], shard: tuple[int, int] = (0, 1), keep: Callable[[dict], bool] | None = None,
                    **source) -> BatchSource:
    """Batches from files of BERT's static features (`create_pretraining_data.py`, or `tfplm records --layout bert`).

    keep: returns True for the examples to use; None for all. shard, source: as in `token_batches`.
    """
    def examples(epoch: int, rng: np.random.Generator | None) -> Iterator[dict]:
        return itertools.islice(filter(keep, read_features(files, rng)), shard[0], None, shard[1])

    return BatchSource(examples, **source)


def mixed_batches(sources: dict[str, BatchSource], weights: dict[str, float], seed: int = 0, start: int = 0
                  ) -> Iterator[tuple[str, dict]]:
    """Endless (name, batch) for multi-task training: a source sampled by weight, and its next batch.

    start: number of batches to skip; the sampling is repeated, but the batches are not computed.
    """
    if set(weights) != set(sources) or min(weights.values(), default=0) <= 0:
        raise ValueError(f"weights is {weights}; expected a number above 0 for each of {', '.join(sources)}")
    names = list(sources)
    probabilities = np.array([weights[name] for name in names], float)
    rng = np.random.default_rng((seed, 2))
    samples = iter(lambda: names[int(rng.choice(len(names), p=probabilities / probabilities.sum()))], None)
    skipped = list(itertools.islice(samples, start))
    running = {name: source.batches(skipped.count(name)) for name, source in sources.items()}
    return ((name, next(running[name])) for name in samples)
