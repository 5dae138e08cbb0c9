"""A training that can be killed; run by test_resume.py, and imported by it.

    python resume_program.py FOLDER SECONDS_PER_STEP   prints the digest of the weights and the history
"""

import hashlib
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from tfplm.training.loop.resume import Resume
from tfplm.training.optimizers.make import make_optimizer

EXAMPLES = 53  # 7 batches of 8, the last one of 5


def arrays():
    ids = np.random.RandomState(0).randint(0, 20, (EXAMPLES, 6)).astype("int32")
    return ids, (ids.sum(1) % 3).astype("int32")


def dataset() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(arrays()).shuffle(EXAMPLES).batch(8)


def validation() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(arrays()).batch(16)


def compiled(optimizer=None, **keywords) -> keras.Model:
    """A model with dropout, built by its first batch only."""
    network = keras.Sequential([keras.layers.Embedding(20, 4), keras.layers.Flatten(), keras.layers.Dropout(0.3),
                                keras.layers.Dense(3)])
    optimizer = optimizer or make_optimizer(learning_rate=0.02, total_steps=20, accumulation=2)
    network.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"],
                    **keywords)
    return network


def digest(network: keras.Model) -> str:
    return hashlib.md5(b"".join(weight.tobytes() for weight in network.get_weights())).hexdigest()


class Slow(keras.callbacks.Callback):
    def __init__(self, seconds: float):
        super().__init__()
        self.seconds = seconds

    def on_train_batch_end(self, batch, logs=None):
        print("step", flush=True)
        time.sleep(self.seconds)


def main(folder: str, seconds: str) -> None:
    keras.utils.set_random_seed(3)
    network = compiled()
    history = network.fit(dataset(), epochs=4, verbose=0, validation_data=validation(),
                          callbacks=[Resume(folder, every_steps=2), Slow(float(seconds))])
    print(json.dumps({"digest": digest(network), "history": history.history}))


if __name__ == "__main__":
    main(*sys.argv[1:])
