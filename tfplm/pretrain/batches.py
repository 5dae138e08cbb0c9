"""Batches for pre-training: of one task or of several in turn, with a length curriculum or without, from any step."""

import dataclasses
import itertools
import logging
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from tfplm.data.batches.batch_source import BatchSource, dataset_like, mixed_batches, with_other_keys
from tfplm.data.sequences.recipes import length_stages
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.corpus import Corpus
from tfplm.pretrain.model import TASK
from tfplm.pretrain.objectives.task import Task

log = logging.getLogger(__name__)
_ENOUGH = 8  # labels, which are hardly equal by chance


def _warn(task: Task, batch: dict) -> None:
    """Logs a warning for a loss that has nothing to learn in this batch."""
    for part in task.parts:
        if part.labels is None:
            continue
        labels = batch[part.labels] if part.weights is None else batch[part.labels][batch[part.weights] > 0]
        if not labels.size:
            log.warning("%s: no token of the first batch has a label, so there is nothing to learn", part.name)
        elif labels.size >= _ENOUGH and np.ptp(labels) == 0:
            log.warning("%s: all %d labels of the first batch are equal, so there is nothing to learn%s", part.name,
                        labels.size, "; documents of one sentence have no next one: see --text-layout"
                        if part.labels == "next_sentence_labels" else "")


class Batches:
    """Endless training batches, and the held-out batches.

    With several tasks, a batch has the keys of all of them (those of the other tasks nearly empty) and the index of its
    task.
    """

    def __init__(self, corpus: Corpus, tasks: list[Task], options: PretrainOptions, replicas: int = 1):
        self.corpus, self.tasks, self.options, self.replicas = corpus, tasks, options, replicas
        self.start = 0  # number of batches that a resumed training has already used
        lengths = length_stages(options.steps, options.max_length) if options.curriculum \
            else [(options.steps, options.max_length)]
        self.stages = [(steps, {str(index): self._source(task, length) for index, task in enumerate(tasks)})
                       for steps, length in lengths]
        self._templates = self._first_batches()
        for task, template in zip(tasks, self._templates):
            task.keys = frozenset(template)
            _warn(task, template)

    def _source(self, task: Task, length: int, held_out: bool = False) -> BatchSource | None:
        """The batches of a task, with a multiple of the replicas as rows; None if there is no held-out text."""
        source = self.corpus.source(task, length, held_out)
        if source is not None:
            source.batching = dataclasses.replace(source.batching, rows_multiple=self.replicas)
        return source

    def _first_batches(self) -> list[dict]:
        """One batch of each task. Raises ValueError if the corpus is too small for one."""
        result = []
        for source in self.stages[-1][1].values():
            batch = next(source.epoch(0), None) if source is not None else None
            if batch is None:
                raise ValueError("the corpus is too small: expected at least one batch of examples; add text, or use a "
                                 "smaller --held-out or a shorter --max-length")
            result.append(batch)
        return result

    def batches(self, start: int = 0) -> Iterator[dict]:
        """The batches of the run, starting at index `start`."""
        last = len(self.stages) - 1
        for stage, (steps, sources) in enumerate(self.stages):
            if start >= steps and stage < last:
                start -= steps
                continue
            stream = self._mixed(sources, self.options.seed + stage, start)
            yield from stream if stage == last else itertools.islice(stream, steps - start)
            start = 0

    def _mixed(self, sources: dict[str, BatchSource], seed: int, start: int) -> Iterator[dict]:
        if len(self.tasks) == 1:
            return sources["0"].batches(start)
        shares = {str(index): task.plan.share for index, task in enumerate(self.tasks)}
        return (self.complete(int(name), batch) for name, batch in mixed_batches(sources, shares, seed, start))

    def complete(self, task: int, batch: dict) -> dict:
        """The batch with the keys of all tasks, and the index `task` of its own."""
        if len(self.tasks) == 1:
            return batch
        return {**with_other_keys(batch, self._templates), TASK: np.full(len(batch["input_ids"]), task, np.int32)}

    def held_out(self) -> list[dict]:
        """At most `evaluation_batches` batches of each task, always the same; empty without held-out text."""
        result = []
        for index, task in enumerate(self.tasks):
            source = self._source(task, self.options.max_length, held_out=True)
            if source is not None:
                batches = itertools.islice(source.epoch(0), self.options.evaluation_batches)
                result += [self.complete(index, batch) for batch in batches]
        return result

    def dataset(self) -> tf.data.Dataset:
        """The batches from index `start` on; a resumed training sets `start`."""
        return dataset_like(lambda: self.batches(self.start), self.complete(0, self._templates[0]))
