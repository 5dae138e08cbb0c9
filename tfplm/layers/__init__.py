"""Keras layers of Transformers and baselines, independent of model families."""

from tfplm.layers.attention import Attention
from tfplm.layers.block import Block
from tfplm.layers.crf import CRF, Constraints
from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.embeddings import Embeddings
from tfplm.layers.feed_forward import FeedForward
from tfplm.layers.initializers import skip_initialization
from tfplm.layers.norms import LayerNorm, Residual, RMSNorm
from tfplm.layers.stack import Stack

__all__ = ["Attention", "Block", "CRF", "Constraints", "Dense", "Dropout", "Embeddings", "FeedForward", "LayerNorm",
           "RMSNorm", "Residual", "Stack", "skip_initialization"]
