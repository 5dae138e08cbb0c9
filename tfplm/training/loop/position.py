"""The position in the data: how Keras' `fit` starts in the middle of an epoch."""

import warnings

import tensorflow as tf

from tfplm.core.keras_internals import read_next_epoch_by, reads_same_dataset


def fast_forward(epoch_iterator, epochs: int, batches: int, read: bool = True) -> None:
    """Makes the next epoch of `fit` start at batch `batches`, `epochs` epochs after the first.

    The skipped data are read as they were the first time, so that shuffling and generators arrive at the same state.
    Epochs of a `tf.data.Dataset` that is read from its start each time are not read, only counted.
    read=False: nothing is read, only counted; the data start there by themselves.
    """
    def positioned(enumerate_epoch):
        for _ in range(epochs if read else 0):
            _skip_epoch(epoch_iterator, enumerate_epoch)
        done = 0
        for begin, end, iterator in enumerate_epoch():
            if done < batches:
                count = min(end + 1, batches) - begin
                done += _read(iterator, count) if read else count
            else:
                yield begin, end, iterator
        if done < batches:
            raise ValueError(f"the data end after {done} batches, training had stopped after {batches}; resume with the "
                             "same data, or with another folder of checkpoints")

    read_next_epoch_by(epoch_iterator, positioned)


def _skip_epoch(epoch_iterator, enumerate_epoch) -> None:
    counted = reads_same_dataset(epoch_iterator)
    with warnings.catch_warnings(), epoch_iterator.catch_stop_iteration():
        warnings.simplefilter("ignore")  # of data that run out, where their number is not known
        for begin, end, iterator in enumerate_epoch():
            for _ in range(0 if counted else end + 1 - begin):
                next(iterator)


def _read(iterator, count: int) -> int:
    """Reads so many batches, as far as there are; their number."""
    for number in range(count):
        try:
            next(iterator)
        except (StopIteration, tf.errors.OutOfRangeError):
            return number
    return count
