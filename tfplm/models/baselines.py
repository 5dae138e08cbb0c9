"""Baseline models without pre-training: TextCNN and BiLSTM, with the same heads as the other models."""

import keras
from keras import ops

from tfplm.layers.convolution import ConvolutionBlock
from tfplm.layers.dense import Dropout
from tfplm.layers.embeddings import Embeddings
from tfplm.layers.recurrent import BidirectionalLSTM
from tfplm.models.model import PretrainedModel


class BaselineStack(keras.layers.Layer):
    """A stack of `num_hidden_layers` blocks, with dropout between them."""

    def __init__(self, config, make_block, **keywords):
        super().__init__(**keywords)
        self.hidden_size = config.hidden_size
        sizes = [config.word_embedding_size] + [config.hidden_size] * (config.num_hidden_layers - 1)
        self.blocks = [make_block(config, size, name=f"block_{index}") for index, size in enumerate(sizes)]
        self.dropout = Dropout(config.hidden_dropout_prob, name="dropout")
        self.built = True

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The blocks, which `Model.summary(expand_nested=True)` shows."""
        return list(self.blocks)

    @property
    def output_shape(self):
        return None, None, self.hidden_size

    def call(self, x, real=None, depth=None, training=False):
        """The input and the outputs of the first `depth` blocks, `[B,T,E]`, `[B,T,H]`, ..."""
        states = [x]
        for index, block in enumerate(self.blocks[:depth]):
            states.append(block(self.dropout(states[-1], training=training) if index else x, real))
        return states


class Baseline(PretrainedModel):
    """Word embeddings and a stack; base of `TextCNN` and `BiLSTM`.

    `sequence_output` `[B,T,H]` is the output of the last block; `pooled_output` `[B,H]` is its maximum over the tokens.
    """

    can_exit_early = True
    backbone_roots = frozenset({"embeddings", "encoder"})
    block = None

    def build_backbone(self):
        # the embeddings are not projected to hidden_size: a block accepts their size
        words = self.config.replace(hidden_size=self.config.word_embedding_size, embedding_size=None,
                                    num_attention_heads=1)
        self.embeddings = Embeddings(words, name="embeddings")
        self.stack = BaselineStack(self.config, self.block, name="encoder")

    def features(self, batch, training=False, taps=(), depth=None):
        """The outputs without head; `depth`: compute only this number of layers."""
        if "attentions" in taps:
            raise ValueError(f"a {self.config.model_type} model has no attention: call it without output_attentions")
        if "head_mask" in batch:
            raise ValueError(f"a {self.config.model_type} model has no attention: remove head_mask from the batch")
        tokens, mask = self.tokens(batch), batch.get("attention_mask")
        real = None if mask is None else ops.not_equal(mask, 0)
        states = self.stack(self.embeddings(tokens, training=training), real, depth=depth, training=training)
        result = {"sequence_output": states[-1], "pooled_output": masked_maximum(states[-1], real)}
        if "hidden_states" in taps:
            result["hidden_states"] = tuple(states)
        return result


def masked_maximum(x, real=None):
    """`[B,T,H]` -> `[B,H]`: the maximum over the real tokens; 0 for a row without real tokens."""
    if real is None:
        return ops.max(x, axis=1)
    minimum = ops.cast(-1e4, x.dtype)
    maximum = ops.max(ops.where(ops.expand_dims(real, -1), x, minimum), axis=1)
    return ops.where(ops.any(real, axis=1, keepdims=True), maximum, ops.zeros_like(maximum))


@keras.saving.register_keras_serializable("tfplm")
class TextCNN(Baseline):
    """Convolutions over word embeddings and their maximum over time (Kim 2014)."""

    block = ConvolutionBlock


@keras.saving.register_keras_serializable("tfplm")
class BiLSTM(Baseline):
    """Bidirectional LSTMs over word embeddings (Graves & Schmidhuber 2005)."""

    block = BidirectionalLSTM
