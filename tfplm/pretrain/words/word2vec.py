"""word2vec (Mikolov et al. 2013, "Efficient Estimation" and "Distributed Representations"): the training itself."""

import dataclasses
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tfplm.core.files import replacing
from tfplm.data.words import WordVectors
from tfplm.data.words.vocabulary import Vocabulary
from tfplm.data.words.word_ids import END, read_blocks

_CHUNK = 20_000  # ids that are trained with one learning rate
_AHEAD = 3  # chunks that wait, for each thread
_LEAST_RATE = 0.004  # of the first learning rate, at the end, as 0.0001 is of 0.025


@dataclasses.dataclass(frozen=True)
class Settings:
    """See the fields of `tfplm.options.word2vec.Word2vecOptions`."""

    skipgram: bool = True
    dimension: int = 100
    window: int = 5
    negative: int = 5
    sample: float = 1e-3
    epochs: int = 5
    learning_rate: float = 0.025
    workers: int = 2
    seed: int = 0


@dataclasses.dataclass
class Progress:
    """What has been trained: words in all epochs, and sums of the losses and predictions since `take`."""

    words: int = 0
    loss: float = 0.0
    predictions: int = 0

    def take(self) -> float:
        """The mean loss of a prediction since the last call."""
        mean = self.loss / max(self.predictions, 1)
        self.loss, self.predictions = 0.0, 0
        return mean


class Word2Vec:
    """The tables of a training, and its position in the corpus.

    Args:
        vocabulary: of the corpus.
        settings: of the training.

    Attributes:
        inputs, outputs: float32 `[V,D]`, the vectors of words, and of predicted words (with hierarchical softmax of inner
            nodes, `[V-1,D]`).
        progress: words, loss.
    """

    def __init__(self, vocabulary: Vocabulary, settings: Settings):
        self.vocabulary, self.settings, self.progress = vocabulary, settings, Progress()
        size, count = settings.dimension, len(vocabulary)
        random = np.random.default_rng(settings.seed)
        self.inputs = ((random.random((count, size), np.float32) - np.float32(0.5)) / np.float32(size))
        self.tree = (np.empty((0, 0), np.int32), np.empty((0, 0), np.int8))
        if not settings.negative:
            self.tree = vocabulary.huffman()
        self.outputs = np.zeros((count if settings.negative else count - 1, size), np.float32)
        self._keep, self._noise = vocabulary.keep(settings.sample), vocabulary.alias()
        self._done = 0  # chunks, over all epochs

    @property
    def vectors(self) -> WordVectors:
        """The vectors of the words; they share memory with the training."""
        return WordVectors(self.vocabulary.words, self.inputs, counts=self.vocabulary.counts)

    @property
    def total(self) -> int:
        """Words in all epochs."""
        return int(self.vocabulary.counts.sum()) * self.settings.epochs

    def rate(self, words: int) -> float:
        """The learning rate after so many words; it falls linearly."""
        return max(1 - words / self.total, _LEAST_RATE) * self.settings.learning_rate

    def train(self, ids: str | os.PathLike, each: Callable[[], None] = lambda: None) -> None:
        """Trains from the position that was reached to the end.

        Args:
            ids: file that `tfplm.data.words.word_ids.write_ids` wrote.
            each: called after each chunk. Before it may raise, or save, it calls `drain`.
        """
        with ThreadPoolExecutor(self.settings.workers) as pool:
            self._waiting: list[tuple[int, Future]] = []
            sent = self.progress.words
            for number, chunk in self._chunks(ids):
                words = int((chunk != END).sum())
                self._waiting.append((words, pool.submit(self._step, number, chunk, np.float32(self.rate(sent)))))
                sent += words
                if self.settings.workers == 1 or len(self._waiting) >= _AHEAD * self.settings.workers:
                    self._take()
                    each()
            self.drain()
            each()

    def _chunks(self, ids) -> Iterator[tuple[int, np.ndarray]]:
        """The chunks that are left, with their numbers."""
        number = 0
        for _ in range(self.settings.epochs):
            for block in read_blocks(ids):
                ends = np.flatnonzero(block == END) + 1
                stops = np.unique(ends[np.searchsorted(ends, np.arange(_CHUNK, len(block) + _CHUNK, _CHUNK)).clip(
                    max=len(ends) - 1)]) if len(ends) else np.array([len(block)])
                for start, stop in zip([0, *stops[:-1]], stops, strict=True):
                    if number >= self._done:
                        yield number, block[start:stop]
                    number += 1

    def _step(self, number: int, chunk: np.ndarray, rate: np.float32) -> tuple[float, int]:
        from tfplm.pretrain.words import kernels

        settings = self.settings
        state = np.random.SeedSequence([settings.seed, number]).generate_state(1, np.uint64)
        return kernels.train(chunk, self._keep, (self.inputs, self.outputs), self.tree, self._noise,
                             (settings.skipgram, settings.window, settings.negative), rate, state)

    def _take(self) -> None:
        words, future = self._waiting.pop(0)
        loss, count = future.result()
        self._done += 1
        self.progress.words += words
        self.progress.loss += loss
        self.progress.predictions += count

    def drain(self) -> None:
        """Waits for the chunks that are in work, so that tables and position belong together."""
        while self._waiting:
            self._take()

    def save(self, folder: str | os.PathLike) -> None:
        """Writes tables and position, in one file."""
        self.drain()
        with replacing(Path(folder, "state.npz")) as temporary, open(temporary, "wb") as file:
            np.savez(file, inputs=self.inputs, outputs=self.outputs, position=[self._done, self.progress.words])

    def restore(self, folder: str | os.PathLike) -> bool:
        """Reads what `save` wrote. Returns False if there is nothing."""
        path = Path(folder, "state.npz")
        if not path.is_file():
            return False
        with np.load(path, allow_pickle=False) as state:
            if state["inputs"].shape != self.inputs.shape or state["outputs"].shape != self.outputs.shape:
                raise ValueError(f"{path} has vectors of the shape {list(state['inputs'].shape)}, expected "
                                 f"{list(self.inputs.shape)}: it belongs to another training; add --overwrite to train "
                                 "again")
            self.inputs[:], self.outputs[:] = state["inputs"], state["outputs"]
            self._done, self.progress.words = map(int, state["position"])
        return True
