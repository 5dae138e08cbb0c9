"""Position embeddings, which are added to token embeddings: learned and sinusoidal."""

import keras
import numpy as np
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.initializers import embedding_initializer
from tfplm.layers.kernels.rows import rows_of


class LearnedPositions(keras.layers.Layer):
    """A table of position embeddings (Gehring et al. 2017); `position_offset` rows precede position 0."""

    learned = True

    def __init__(self, config: Config, **keywords):
        super().__init__(**keywords)
        self.offset, self.limit = config.position_offset, config.max_position_embeddings
        # `max_position_embeddings` includes the offset rows in RoBERTa, but not in BART
        self.rows = self.limit + (0 if config.positions_from_ids else self.offset)
        self.embeddings = self.add_weight(name="embeddings", shape=(self.rows, config.word_embedding_size),
                                          initializer=embedding_initializer(config), trainable=self.learned)
        self.built = True

    def embed(self, position_ids):
        return rows_of(ops.cast(self.embeddings, self.compute_dtype), position_ids + self.offset)

    def call(self, position_ids):
        return self.embed(position_ids)


def sinusoid(length: int, size: int) -> np.ndarray:
    """`[length, size]` float32: sine in the even columns, cosine in the odd ones (Vaswani et al. 2017, section 3.5)."""
    angles = np.arange(length)[:, None] / np.power(10000, 2 * (np.arange(size) // 2) / size)
    angles[:, 0::2], angles[:, 1::2] = np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])
    return angles.astype(np.float32)


class SinusoidalPositions(LearnedPositions):
    """The table of sinusoids, which is not trained; a checkpoint can contain it."""

    learned = False

    def __init__(self, config: Config, **keywords):
        super().__init__(config, **keywords)
        self.embeddings.assign(sinusoid(self.rows, config.word_embedding_size))
