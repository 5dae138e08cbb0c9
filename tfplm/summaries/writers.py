"""Summary writers, which write only in the chief's process."""

import os

import tensorflow as tf


def writes_summaries(strategy: tf.distribute.Strategy | None = None) -> bool:
    """Returns True in the one process of `strategy` (default: the current one) that writes event files."""
    return bool((strategy or tf.distribute.get_strategy()).extended.should_save_summary)


def create_writer(folder, strategy: tf.distribute.Strategy | None = None) -> tf.summary.SummaryWriter:
    """Creates a writer of event files in `folder`; in a worker that is not the chief, it writes nothing.

    Every function of `tfplm.summaries` writes to the current default writer, like `tf.summary.scalar`:

        with create_writer("logs/mine/train").as_default(step=0):
            variable_summaries("layer1/weights", layer.kernel)

    Inside `strategy.run` TensorFlow records on the first replica only, so that nothing is written twice. Points are
    written to disk when the writer is flushed or closed, and every ten seconds.
    """
    if not writes_summaries(strategy):
        return tf.summary.create_noop_writer()
    return tf.summary.create_file_writer(os.fspath(folder), flush_millis=10_000)
