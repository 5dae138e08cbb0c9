"""Trains and evaluates on two logical devices and prints metrics and labels; run by test_keras_metrics.py."""

import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from tfplm.training.loop.distribute import strategy_for
from tfplm.training.metrics import MacroF1, MatthewsCorrelation


def main() -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = strategy_for("mirrored")
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(37, 6)).astype("float32"), rng.integers(0, 4, 37).astype("int32")
    with strategy.scope():
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                      metrics=[MacroF1(4), MatthewsCorrelation(4)])
    data = tf.data.Dataset.from_tensor_slices((x, labels)).batch(8)
    history = model.fit(data, validation_data=data, epochs=2, verbose=0).history
    result = model.evaluate(data, return_dict=True, verbose=0)
    print(json.dumps({"result": result, "history": history, "replicas": strategy.num_replicas_in_sync,
                      "labels": labels.tolist(), "predictions": model(x).numpy().argmax(-1).tolist()}))


if __name__ == "__main__":
    main()
