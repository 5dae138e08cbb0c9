"""Small models for the tests of the summaries."""

import keras
import numpy as np


def data(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(count, 6)).astype(np.float32)
    return x, (x.sum(-1) > 0).astype(np.int32)


def functional(optimizer="sgd", **keywords) -> keras.Model:
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(5, "tanh", name="hidden"),
                              keras.layers.Dense(2, name="out")])
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"],
                  **keywords)
    return model


class Block(keras.layers.Layer):
    """Two layers with equal names, built in the constructor: Keras' paths collide."""

    def __init__(self, **keywords):
        super().__init__(**keywords)
        self.query = keras.layers.Dense(6, name="dense")
        self.query.build((None, 6))
        self.value = keras.layers.Dense(6, name="dense")
        self.value.build((None, 6))

    def call(self, x):
        return self.query(x) + self.value(x)


class Own(keras.Model):
    """A subclassed model with a list of blocks, a shared layer and attention maps."""

    def __init__(self):
        super().__init__()
        self.blocks = [Block(name=f"block_{index}") for index in range(2)]
        self.shared = keras.layers.Dense(6, name="shared")
        self.again = self.shared
        self.head = keras.layers.Dense(2, name="head")

    def call(self, x, training=False, output_attentions=False):
        for block in self.blocks:
            x = self.shared(block(x))
        logits = self.head(x)
        if output_attentions:
            maps = keras.ops.softmax(keras.ops.einsum("bi,bj->bij", x, x))[:, None]  # [B,1,6,6]
            return {"logits": logits, "attentions": (maps, maps)}
        return logits


def own() -> keras.Model:
    keras.utils.set_random_seed(2)
    model = Own()
    model(np.zeros((1, 6), np.float32))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


class Tokens(keras.Model):
    """A classifier of token ids whose batches are dicts."""

    def __init__(self):
        super().__init__()
        self.embeddings = keras.layers.Embedding(11, 4, name="embeddings")
        self.head = keras.layers.Dense(2, name="head")

    def call(self, batch):
        allow = keras.ops.cast(batch["attention_mask"], "float32")[..., None]
        return self.head(keras.ops.sum(self.embeddings(batch["input_ids"]) * allow, axis=1))
