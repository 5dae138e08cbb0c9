"""Trains a few steps under a strategy and writes the weights: `contrastive_program.py one|mirrored LOSS FILE.npz`."""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[3]))

import keras
import numpy as np
import tensorflow as tf

from tests.embed.encoder.encoder_cases import encoder
from tfplm.embed.contrastive.data import Group, GroupBatches
from tfplm.embed.contrastive.losses import LOSSES
from tfplm.embed.contrastive.model import Contrastive
from tfplm.embed.encoder.text_ids import TextReader
from tfplm.training.loop.distribute import strategy_for
from tfplm.training.optimizers.make import make_optimizer

WORDS = ["cat", "dog", "stone", "rates", "我", "们", "天", "气"]


def main(name: str, loss: str, file: str) -> None:
    if name == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    keras.utils.set_random_seed(0)
    strategy = strategy_for(name)
    with strategy.scope():
        made = encoder(Path(tempfile.mkdtemp()), hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
        model = Contrastive(made.model, made.recipe.plan, loss)
        model.compile(make_optimizer("sgd", learning_rate=0.02, schedule="constant", warmup_steps=0), jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    groups = [Group(tuple(" ".join(rng.choice(WORDS, 3)) for _ in range(2)),
                    float(rng.integers(0, 4)) / 3 if LOSSES[loss].labelled else None) for _ in range(24)]
    batches = GroupBatches(groups, TextReader(made.tokenizer, 16), 8).batches()
    arrays = [next(batches) for _ in range(6)]
    data = tf.data.Dataset.from_generator(lambda: iter(arrays), output_signature={
        key: tf.TensorSpec([None] * value.ndim, value.dtype) for key, value in arrays[0].items()})
    history = model.fit(data, epochs=1, steps_per_epoch=6, verbose=0, shuffle=False)
    weights = {f"weight {index}": weight for index, weight in enumerate(model.get_weights())}
    np.savez(file, replicas=strategy.num_replicas_in_sync, loss=history.history["loss"], **weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
