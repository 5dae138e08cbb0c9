"""Bucketed relative positions, as a bias of the scores."""

import math

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.initializers import normal
from tfplm.layers.positions.scheme import PositionScheme


class BucketedBias(PositionScheme, keras.layers.Layer):
    """A learned bias for each head and bucket of distances (T5, Raffel et al. 2020, section 2.1).

    Half of the buckets are exact distances, the others grow logarithmically up to `relative_attention_max_distance`.
    """

    def __init__(self, config: Config, bidirectional: bool, **keywords):
        super().__init__(**keywords)
        self.buckets, self.limit = config.relative_attention_num_buckets, config.relative_attention_max_distance
        self.bidirectional = bidirectional
        self.embeddings = self.add_weight(name="embeddings", shape=(self.buckets, config.num_attention_heads),
                                          initializer=normal(config, config.hidden_size ** -0.5))
        self.built = True

    @classmethod
    def of_layers(cls, config):
        return [cls(config, config.attention_type == "full", name="relative_bias")] * len(config.layer_kinds)

    def bucket(self, distance):
        """int32 distances (key position - query position) -> int32 indices of buckets."""
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

    def bias(self, queries, keys):
        distance = keys[None, :] - queries[:, None]  # [T,S]
        values = ops.take(ops.cast(self.embeddings, self.compute_dtype), self.bucket(distance), axis=0)  # [T,S,N]
        return ops.transpose(values, (2, 0, 1))[None]

    def call(self, queries, keys):
        return self.bias(queries, keys)
