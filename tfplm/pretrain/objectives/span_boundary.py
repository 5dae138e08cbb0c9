"""SpanBERT: masked spans, in which each token is predicted from its own position and from the span's two neighbors."""

import dataclasses

import keras
from keras import ops

from tfplm.layers.dense import Dense
from tfplm.layers.embeddings import Table
from tfplm.layers.initializers import kernel_initializer
from tfplm.layers.kernels import fused as kernels
from tfplm.layers.norms import make_norm
from tfplm.pretrain.objectives.masked_lm import MaskedLanguageModel
from tfplm.pretrain.objectives.objective import Part

POSITIONS = 32  # positions in a span that have their own embedding; later ones share the last


class SpanBoundaryHead(keras.layers.Layer):
    """Span boundary objective (Joshi et al. 2020, section 3.2, equations 1 and 2) for token x_i of a span x_s ... x_e:

        h0 = [x_(s-1) ; x_(e+1) ; p_(i-s+1)],  h1 = norm(gelu(W1 h0)),  y = norm(gelu(W2 h1)) -> vocabulary

    The output weights are the input embeddings.
    """

    def __init__(self, config, table, **keywords):
        super().__init__(**keywords)
        size, out = config.hidden_size, config.word_embedding_size
        self.table = table
        self.places = Table(config, POSITIONS, size, name="places")
        self.dense_1 = Dense(3 * size, size, config.hidden_act, name="dense_1",
                             kernel_initializer=kernel_initializer(config, 3 * size))
        self.dense_2 = Dense(size, out, config.hidden_act, name="dense_2",
                             kernel_initializer=kernel_initializer(config, size))
        self.norm_1, self.norm_2 = make_norm(config, size, name="norm_1"), make_norm(config, out, name="norm_2")
        self.bias = self.add_weight(name="bias", shape=(config.vocab_size,), initializer="zeros")
        self.built = True

    def call(self, x, positions, starts, ends):
        """x [B,T,H]; positions, and the neighbors `starts`, `ends` of their spans, int32 [B,P] -> float32 [B,P,V]."""
        offsets = ops.clip(positions - starts - 1, 0, POSITIONS - 1)
        left, right = (ops.take_along_axis(x, neighbors[:, :, None], axis=1) for neighbors in (starts, ends))
        h = ops.concatenate([left, right, self.places(offsets)], axis=-1)  # [B,P,3H]
        h = self.norm_2(self.dense_2(self.norm_1(self.dense_1(h))))  # [B,P,E]
        return ops.cast(kernels.dense_transposed(h, self.table.embeddings), "float32") + ops.cast(self.bias, "float32")


class SpanBoundary(MaskedLanguageModel):
    """`span-boundary`: `mlm` on spans of geometric length, and the span boundary objective."""

    name, help = "span-boundary", "the tokens of masked spans, also from the spans' neighbors (SpanBERT)"
    in_bert_records = False

    def parts(self):
        size = self.setting.config.vocab_size
        return [Part(name, "masked_lm_ids", "masked_lm_weights", size, self.factor) for name in ("mlm", "sbo")]

    def masking_of(self, batch):
        return dataclasses.replace(super().masking_of(batch), unit="span")

    def build(self, model):
        self.layers = [SpanBoundaryHead(model.config, model.embeddings.word, name="span_boundary")]

    def predict(self, forward):
        batch = forward.batch
        logits = self.layers[0](forward.features["sequence_output"], batch["masked_lm_positions"],
                                batch["span_starts"], batch["span_ends"])
        labels, weights = batch["masked_lm_ids"], batch["masked_lm_weights"]
        return {"mlm": (forward.language_model(), labels, weights), "sbo": (logits, labels, weights)}
