"""Fine-tunes under a strategy and writes the weights; run by test_strategy.py.

    python agreement_program.py one|mirrored FOLDER INIT
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from tests.adapt.adapt_cases import train, write_tags, write_texts
from tfplm.models.pretrained.weights import named_variables

CASES = {"texts": {"class_weights": "balanced"}, "tags": {"task": "tagging"}, "field": {"task": "tagging", "crf": True}}


def main(strategy: str, folder: str, init: str) -> None:
    if strategy == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    output, results = Path(folder) / strategy, {}
    data = {"texts": write_texts(output / "texts", repeat=1), "tags": write_tags(output / "tags", repeat=2)}
    for name, options in CASES.items():
        result = train(init, output / f"{name}-model", data=str(data["texts" if name == "texts" else "tags"]),
                       strategy=strategy, epochs=1, batch_size=6, optimizer="sgd", learning_rate=0.05, clip_norm=0.0,
                       crf_rate=1.0, **options)
        results |= {f"{name}/{path}": variable.numpy() for path, variable in named_variables(result.model).items()}
        results |= {f"{name}/score {key}": np.asarray(value) for key, value in result.dev.items()}
        results[f"{name}/loss"] = np.asarray(result.history["loss"])
    np.savez(Path(folder) / f"{strategy}.npz", **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
