"""Trains every case of `CASES` with one strategy, and writes losses and weights; run by test_distribute.py.

    python agreement_program.py one|mirrored|multi_worker FILE.npz [INDEX PORT [CASE]]

Checkpoints are written to the folder of the file, which all workers share.
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from tfplm.training.loop.distribute import is_chief, strategy_for
from tfplm.training.loop.progress import Progress
from tfplm.training.loop.resume import Resume
from tfplm.training.optimizers.make import make_optimizer

VOCABULARY, LENGTH = 30, 6


@keras.saving.register_keras_serializable("test")
class Gathered(keras.layers.Layer):
    """An embedding read by tf.gather, whose gradient is also tf.IndexedSlices."""

    def build(self, shape):
        self.table = self.add_weight(shape=(VOCABULARY, 4), initializer="uniform", name="embeddings")

    def call(self, ids):
        return tf.gather(tf.cast(self.table.value, self.compute_dtype), ids)


def ours(**options):
    return lambda: make_optimizer(**{"learning_rate": 0.05, "total_steps": 40, **options})


# name -> (optimizer, examples, layer, dtype policy); 37 and 33 do not divide by two, batches are of 8
CASES = {
    "keras_adam": (lambda: keras.optimizers.Adam(0.01), 36, keras.layers.Embedding, "float32"),
    "adamw": (ours(), 37, keras.layers.Embedding, "float32"),
    "adamw_gather": (ours(), 33, Gathered, "float32"),
    "clipped": (ours(optimizer="sgd", clip_norm=0.01), 37, keras.layers.Embedding, "float32"),
    "accumulated": (ours(accumulation=3, clip_norm=0.1), 37, keras.layers.Embedding, "float32"),
    "lamb_lookahead": (ours(optimizer="lamb", lookahead=2), 37, Gathered, "float32"),
    "float16": (ours(optimizer="sgd", learning_rate=1e-3, accumulation=2), 37, keras.layers.Embedding, "mixed_float16"),
    "bfloat16": (ours(optimizer="sgd", learning_rate=1e-3), 37, keras.layers.Embedding, "mixed_bfloat16"),
}


def examples(count: int):
    ids = np.random.RandomState(0).randint(0, VOCABULARY, (count, LENGTH)).astype("int32")
    ids[:, 1] = ids[:, 0]  # the same row twice in one sparse gradient
    return {"input_ids": ids}, (ids.sum(1) % 3).astype("int32")


def train(case: str, strategy, folder: str) -> dict[str, np.ndarray]:
    optimizer, count, embedding, policy = CASES[case]
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    with strategy.scope():
        ids = keras.Input((LENGTH,), dtype="int32", name="input_ids")
        vectors = embedding(VOCABULARY, 4)(ids) if embedding is not Gathered else Gathered()(ids)
        hidden = keras.layers.Dense(8, "tanh")(keras.layers.Flatten()(vectors))
        model = keras.Model({"input_ids": ids}, keras.layers.Dense(3, dtype="float32")(hidden))
        model.compile(optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    data = tf.data.Dataset.from_tensor_slices(examples(count)).shuffle(count, seed=1).batch(8)
    callbacks = [Resume(os.path.join(folder, case), every_steps=3), Progress(quiet=True)]
    history = model.fit(data, epochs=2, verbose=0, callbacks=callbacks,
                        validation_data=tf.data.Dataset.from_tensor_slices(examples(21)).batch(8))
    results = {f"weight {index}": weight for index, weight in enumerate(model.get_weights())}
    results |= {name: np.asarray(values) for name, values in history.history.items()}
    results["evaluated"] = np.asarray(model.evaluate(data, verbose=0))
    return results


def main(name: str, file: str, index: str = "0", port: str = "0", only: str = "") -> None:
    if name == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    workers = {}
    if name == "multi_worker":
        workers = {"workers": [f"127.0.0.1:{int(port)}", f"127.0.0.1:{int(port) + 1}"], "index": int(index)}
    strategy = strategy_for(name, **workers)
    folder = os.path.join(os.path.dirname(file), name)
    results = {f"{case}/{key}": value for case in CASES if only in case
               for key, value in train(case, strategy, folder).items()}
    np.savez(file, chief=is_chief(), replicas=strategy.num_replicas_in_sync, **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
