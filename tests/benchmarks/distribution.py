"""Two mirrored logical CPUs against one device, with the same global batch: `fit` of a small Transformer encoder.

    python tests/benchmarks/distribution.py [--rounds 7]

The goal: "mirrored" is at least 0.9 times as fast as "one", in examples per second.
"""

import os
import statistics
import sys

sys.path.insert(0, os.path.dirname(__file__))

import turns

CONTENDERS = ("one", "mirrored", "mirrored, a thread each")  # by default each operation may take both cores
BATCH, LENGTH, VOCABULARY, WIDTH, STEPS = 32, 64, 8000, 256, 8


def build(strategy):
    import keras

    from tfplm.training.optimizers.make import make_optimizer

    keras.utils.set_random_seed(0)
    with strategy.scope():
        ids = keras.Input((LENGTH,), dtype="int32", name="input_ids")
        hidden = keras.layers.Embedding(VOCABULARY, WIDTH)(ids)
        for _ in range(4):
            attended = keras.layers.MultiHeadAttention(4, WIDTH // 4)(hidden, hidden)
            hidden = keras.layers.LayerNormalization()(hidden + attended)
            inner = keras.layers.Dense(4 * WIDTH, "gelu")(hidden)
            hidden = keras.layers.LayerNormalization()(hidden + keras.layers.Dense(WIDTH)(inner))
        model = keras.Model({"input_ids": ids}, keras.layers.Dense(2)(hidden[:, 0]))
        model.compile(make_optimizer(total_steps=1000), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def make(name: str):
    """A function that runs an epoch of `STEPS` batches with that strategy."""
    import numpy as np
    import tensorflow as tf

    from tfplm.training.loop.distribute import strategy_for

    strategy, _, threads = name.partition(", ")
    if strategy == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    model = build(strategy_for(strategy))
    random = np.random.RandomState(0)
    examples = ({"input_ids": random.randint(0, VOCABULARY, (BATCH * STEPS, LENGTH)).astype("int32")},
                random.randint(0, 2, BATCH * STEPS).astype("int32"))
    data = tf.data.Dataset.from_tensor_slices(examples).batch(BATCH)
    return lambda: model.fit(data, verbose=0)


def main() -> None:
    options = turns.parser(__doc__).parse_args()
    times = turns.race({name: (make, name) for name in CONTENDERS}, options.rounds, options.only)
    turns.table(f"fit, global batch {BATCH} x {LENGTH}", times, "one", units=BATCH * STEPS, unit="examples/s")
    for name in [name for name in times if name != "one" and "one" in times]:
        ratio = statistics.median(times["one"]) / statistics.median(times[name])
        print(f"  {name} is {ratio:.2f} times as fast as one device; the goal is 0.90")


if __name__ == "__main__":
    main()
