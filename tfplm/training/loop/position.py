"""The place in the data: where Keras' `fit` is in an epoch, and how it starts in the middle of one.

`fit` tells a callback nothing about its data, and can start at an epoch only. Its loop is

    epoch_iterator = TFEpochIterator(...)
    callbacks.on_train_begin()
    for epoch in range(self._initial_epoch or initial_epoch, epochs):
        for begin_step, end_step, iterator in epoch_iterator: ...

so the iterator is found on the stack, and for one epoch it is made to begin later.
"""

import sys
import warnings

import tensorflow as tf


def fit_frame(frame):
    """The frame of Keras' `fit` at or below this one on the stack, or None."""
    while frame is not None and not (frame.f_code.co_name == "fit" and "epoch_iterator" in frame.f_locals):
        frame = frame.f_back
    return frame


def local_of_fit(name: str):
    """The local variable of the `fit` that is calling us; raises RuntimeError outside of Keras' own `fit`."""
    frame = fit_frame(sys._getframe())
    if frame is None:
        raise RuntimeError("this callback works within Keras' Model.fit of the TensorFlow backend; it was called from "
                           "another loop. Save and restore with tf.train.CheckpointManager there")
    return frame.f_locals[name]


def fast_forward(epoch_iterator, epochs: int, batches: int, read: bool = True) -> None:
    """Lets the next epoch of `fit` go on `batches` batches after its begin, `epochs` epochs after the first.

    The skipped data are read as they were the first time, so that shuffling and generators arrive at the same state.
    Epochs of a `tf.data.Dataset` that is read from its begin each time are not read, only counted.
    read=False: nothing is read, only counted; the data start there by themselves.
    """
    enumerate_epoch = epoch_iterator._enumerate_iterator

    def positioned():
        del epoch_iterator._enumerate_iterator  # the method of the class comes back
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
            raise ValueError(f"the data end after {done} batches, training had stopped after {batches}; go on with the "
                             "same data, or with another folder of checkpoints")

    epoch_iterator._enumerate_iterator = positioned


def _skip_epoch(epoch_iterator, enumerate_epoch) -> None:
    counted = (type(epoch_iterator.data_adapter).__name__ == "TFDatasetAdapter"
               and epoch_iterator.steps_per_epoch is None and epoch_iterator.num_batches)
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
