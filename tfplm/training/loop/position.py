"""Positioning of the data, so that Keras' `fit` starts in the middle of an epoch."""

import warnings

import tensorflow as tf

from tfplm.core.keras_internals import read_next_epoch_by, reads_same_dataset


def fast_forward(epoch_iterator, epochs: int, batches: int, read: bool = True) -> None:
    """Makes the next epoch of `fit` start at batch `batches`, `epochs` epochs after the first.

    The skipped data are read in the same way as the first time, so that shuffling and generators have the same state.
    Epochs of a `tf.data.Dataset` that is read from its start in every epoch are only counted.
    read=False: nothing is read, as the data already start at this batch.
    """
    def positioned(enumerate_epoch):
        for _ in range(epochs if read else 0):
            _skip_epoch(epoch_iterator, enumerate_epoch)
        done = 0
        for start, end, iterator in enumerate_epoch():
            if done < batches:
                count = min(end + 1, batches) - start
                done += _read(iterator, count) if read else count
            else:
                yield start, end, iterator
        if done < batches:
            raise ValueError(f"the data end after {done} batches, but the training had stopped after {batches}; resume "
                             "with the same data, or use another folder of checkpoints")

    read_next_epoch_by(epoch_iterator, positioned)


def _skip_epoch(epoch_iterator, enumerate_epoch) -> None:
    counted = reads_same_dataset(epoch_iterator)
    with warnings.catch_warnings(), epoch_iterator.catch_stop_iteration():
        warnings.simplefilter("ignore")  # at the end of data of unknown size
        for start, end, iterator in enumerate_epoch():
            for _ in range(0 if counted else end + 1 - start):
                next(iterator)


def _read(iterator, count: int) -> int:
    """Reads `count` batches, or as many as there are, and returns their number."""
    for done in range(count):
        try:
            next(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):
            return done
    return count


def skip_epoch(epoch_iterator) -> None:
    """Makes the next epoch of `fit` have no batch: all of its batches were trained on before."""
    read_next_epoch_by(epoch_iterator, lambda enumerate_epoch: iter(()))
