"""Data that can start at any batch: a resumed training does not read earlier batches again."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.resume_program import arrays, digest
from tests.training.loop.test_resume import run


class Stream:
    """Endless batches that can start at any index; `read` has the indices of the generated ones."""

    def __init__(self):
        self.start, self.read = 0, []

    def batches(self):
        ids, labels = arrays()
        for index in itertools.count(self.start):
            rows = np.random.default_rng(index).integers(0, len(ids), 8)
            self.read.append(index)
            yield ids[rows], labels[rows]

    def dataset(self):
        return tf.data.Dataset.from_generator(self.batches, output_signature=(
            tf.TensorSpec((None, 6), tf.int32), tf.TensorSpec((None,), tf.int32)))


@pytest.mark.parametrize("crash, saved", [(3, 2), (7, 5), (8, 7)])
def test_data_that_can_start_at_any_batch_are_not_read_again(tmp_path, crash, saved):
    """Five batches per epoch, interrupted in the first and in the second; saved every two, and after each epoch."""
    def streamed(folder, crash=0):
        stream = Stream()
        return stream, run(folder, crash, fit={"x": stream.dataset, "steps_per_epoch": 5},
                           resume={"every_steps": 2, "data": stream})

    stream, (straight, history) = streamed(tmp_path / "straight")
    assert stream.read[:15] == list(range(15))  # the dataset can prefetch
    assert streamed(tmp_path / "crashed", crash)[1] is None
    resumed_stream, (resumed, resumed_history) = streamed(tmp_path / "crashed")
    assert resumed_stream.read[:15 - saved] == list(range(saved, 15)) and resumed_stream.start == saved
    assert digest(resumed) == digest(straight) and resumed_history.history == history.history
