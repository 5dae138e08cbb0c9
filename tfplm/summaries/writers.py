"""Summary writers: one per folder and run, silent in every process but the chief's."""

import os

import tensorflow as tf


def writes_summaries(strategy: tf.distribute.Strategy | None = None) -> bool:
    """True in the one process of `strategy` (default: the current one) that writes event files."""
    return bool((strategy or tf.distribute.get_strategy()).extended.should_save_summary)


def create_writer(folder, strategy: tf.distribute.Strategy | None = None) -> tf.summary.SummaryWriter:
    """A writer of event files in `folder`; in a worker that is not the chief, one that writes nothing.

    Every function of `tfplm.summaries` writes to the current default writer, as `tf.summary.scalar` does:

        with create_writer("logs/mine/train").as_default(step=0):
            variable_summaries("layer1/weights", layer.kernel)

    Inside `strategy.run` TensorFlow records on the first replica only, so that nothing is written twice.
    Points reach the disk when the writer is flushed or closed, and every ten seconds.
    """
    if not writes_summaries(strategy):
        return tf.summary.create_noop_writer()
    return tf.summary.create_file_writer(os.fspath(folder), flush_millis=10_000)
