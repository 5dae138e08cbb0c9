"""Position objects. Each has the hooks that its scheme needs, of four:

    embed(position_ids)   added to the token embeddings, [B,T,E]
    bias(rows, columns)   added to all scores of a stack, [1,N,T,S], computed once per stack
    rotate(q, k)          applied to queries and keys
    score(q, k)           a term of the scores, per layer
"""

import math

import keras
import numpy as np
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.initializers import embedding_initializer, normal


class LearnedPositions(keras.layers.Layer):
    """A table of position embeddings (Gehring et al. 2017); `position_offset` rows precede position 0."""

    def __init__(self, config: Config, **keywords):
        super().__init__(**keywords)
        self.offset, self.limit = config.position_offset, config.max_position_embeddings
        # `max_position_embeddings` counts RoBERTa's offset rows, but not BART's
        self.rows = self.limit + (0 if config.positions_from_ids else self.offset)
        self.embeddings = self.add_weight(name="embeddings", shape=(self.rows, config.word_embedding_size),
                                          initializer=embedding_initializer(config))
        self.built = True

    def embed(self, position_ids):
        return ops.take(ops.cast(self.embeddings, self.compute_dtype), position_ids + self.offset, axis=0)

    def call(self, position_ids):
        return self.embed(position_ids)


def sinusoid(length: int, size: int) -> np.ndarray:
    """`[length, size]` float32: sine in the even columns, cosine in the odd ones (Vaswani et al. 2017, section 3.5)."""
    angles = np.arange(length)[:, None] / np.power(10000, 2 * (np.arange(size) // 2) / size)
    angles[:, 0::2], angles[:, 1::2] = np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])
    return angles.astype(np.float32)


class SinusoidalPositions(LearnedPositions):
    """The table of sinusoids, not trained; a checkpoint may hold it."""

    def __init__(self, config: Config, **keywords):
        super().__init__(config, **keywords)
        self.embeddings.assign(sinusoid(self.rows, config.word_embedding_size))
        self.embeddings.trainable = False


class BucketedBias(keras.layers.Layer):
    """One learned bias per head and bucket of distances (T5, Raffel et al. 2020, section 2.1).

    Half of the buckets are exact distances, the others grow logarithmically up to `relative_attention_max_distance`.
    """

    def __init__(self, config: Config, bidirectional: bool, **keywords):
        super().__init__(**keywords)
        self.buckets, self.limit = config.relative_attention_num_buckets, config.relative_attention_max_distance
        self.bidirectional = bidirectional
        self.embeddings = self.add_weight(name="embeddings", shape=(self.buckets, config.num_attention_heads),
                                          initializer=normal(config, config.hidden_size ** -0.5))
        self.built = True

    def bucket(self, distance):
        """int32 distances (key position - query position) -> int32 bucket numbers."""
        buckets, result = self.buckets, 0
        if self.bidirectional:
            buckets //= 2
            result = ops.cast(distance > 0, "int32") * buckets
            distance = ops.abs(distance)
        else:
            distance = ops.maximum(-distance, 0)
        exact = buckets // 2
        ratio = ops.cast(ops.maximum(distance, 1), "float32") / exact
        large = exact + ops.cast(ops.log(ratio) / math.log(self.limit / exact) * (buckets - exact), "int32")
        return result + ops.where(distance < exact, distance, ops.minimum(large, buckets - 1))

    def bias(self, length, key_length, offset=0):
        """`[1,N,T,S]` for queries at `offset ... offset + T - 1` and keys at `0 ... S - 1`."""
        rows = ops.arange(length, dtype="int32")[:, None] + offset
        distance = ops.arange(key_length, dtype="int32")[None, :] - rows  # [T,S]
        values = ops.take(ops.cast(self.embeddings, self.compute_dtype), self.bucket(distance), axis=0)  # [T,S,N]
        return ops.transpose(values, (2, 0, 1))[None]

    def call(self, length, key_length):
        return self.bias(length, key_length)


def embedded_positions(config: Config) -> keras.layers.Layer | None:
    """The position object of the embeddings, where the scheme has one."""
    kind = {"learned": LearnedPositions, "sinusoidal": SinusoidalPositions}.get(config.position_type)
    return kind and kind(config, name="position")
