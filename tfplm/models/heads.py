"""Heads of all families: from the features of a model to one or more float32 tensors.

The names of a head's layers (`lm_transform`, `classifier`, ...) are the same in every model with this head.
"""

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.core.suggest import did_you_mean
from tfplm.layers.crf import CRF
from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.initializers import embedding_initializer, kernel_initializer
from tfplm.layers.kernels import fused as kernels
from tfplm.layers.norms import make_norm


def _dense(config: Config, units: int, name: str, activation=None, use_bias=True, input_dim=None) -> Dense:
    size = input_dim or config.hidden_size
    return Dense(size, units, activation, name=name, use_bias=use_bias,
                 kernel_initializer=kernel_initializer(config, size))


class Head(keras.layers.Layer):
    """Base of the heads. `needs_pooler(config)` returns True if the head requires the pooler of the model;
    `output_shape` is the shape of the first output, for `Model.summary`.

    With `config.head_act` all heads except ELECTRA's start with the same layers, `head_dense` and `head_norm`.
    """

    path_name = ""  # paths of variables do not contain the head

    def __init__(self, config: Config, **keywords):
        super().__init__(**keywords)
        self.config, self.head_dense, self.head_norm = config, None, None

    @classmethod
    def needs_pooler(cls, config: Config) -> bool:
        return False

    def make_transform(self):
        """Adds `head_dense` and `head_norm` if the configuration has `head_act`."""
        config = self.config
        if config.head_act is not None:
            self.head_dense = _dense(config, config.hidden_size, "head_dense", config.head_act, config.head_bias)
            self.head_norm = make_norm(config, name="head_norm")

    def transform(self, x):
        return x if self.head_dense is None else self.head_norm(self.head_dense(x))

    def float32(self, x):
        return ops.cast(x, "float32")


class LanguageModelHead(Head):
    """Logits over the vocabulary, by default with the token embeddings as weights.

    `[B,T,H]` -> `[B,T,V]`; with `masked_lm_positions` int32 `[B,P]` in the batch only of these positions, `[B,P,V]`.
    """

    def __init__(self, config: Config, model, **keywords):
        super().__init__(config, **keywords)
        size = config.word_embedding_size if config.lm_transform else config.hidden_size
        if config.tie_word_embeddings and size != config.word_embedding_size:
            raise ValueError(f"embedding_size {config.word_embedding_size} differs from hidden_size {size}: tied "
                             "embeddings need lm_transform=True, which projects the hidden states to this size")
        self.make_transform()
        self.lm_transform = self.lm_norm = self.lm_decoder = None
        if config.lm_transform:
            self.lm_transform = _dense(config, size, "lm_transform", config.lm_transform_act or config.hidden_act)
            self.lm_norm = make_norm(config, size, name="lm_norm")
        self.table = model.embeddings.word
        if not config.tie_word_embeddings:
            self.table = None
            self.lm_decoder = keras.layers.Dense(config.vocab_size, use_bias=False, name="lm_decoder",
                                                 kernel_initializer=embedding_initializer(config))
            self.lm_decoder.build((None, size))
        self.lm_bias = self.add_weight(name="lm_bias", shape=(config.vocab_size,), initializer="zeros") \
            if config.lm_bias else None
        self.built = True

    @property
    def output_shape(self):
        return None, None, self.config.vocab_size

    def call(self, features, batch, training=False):
        x = features["sequence_output"]
        if "masked_lm_positions" in batch:
            x = ops.take_along_axis(x, batch["masked_lm_positions"][:, :, None], axis=1)  # [B,P,H]
        x = self.transform(x)
        if self.lm_transform is not None:
            x = self.lm_norm(self.lm_transform(x))
        if self.config.lm_scale:
            x = x * ops.cast(self.config.hidden_size ** -0.5, x.dtype)
        if self.table is None:
            logits = kernels.dense(x, self.lm_decoder.kernel)
        else:
            logits = kernels.dense_transposed(x, self.table.embeddings)
        logits = self.float32(logits)
        return logits if self.lm_bias is None else logits + self.float32(self.lm_bias)


class PretrainingHead(LanguageModelHead):
    """The two tasks of BERT, masked LM and next sentence (ALBERT: sentence order; StructBERT: three relations).

    Returns a dict of `masked_lm`, as in `LanguageModelHead`, and `next_sentence` `[B,num_labels]`.
    """

    @classmethod
    def needs_pooler(cls, config):
        return True

    def __init__(self, config: Config, model, num_labels: int = 2, **keywords):
        super().__init__(config, model, **keywords)
        self.dropout = Dropout(config.head_dropout if config.share == "all" else 0.0, name="dropout")
        self.next_sentence = _dense(config, num_labels, "next_sentence")

    def call(self, features, batch, training=False):
        pooled = self.dropout(features["pooled_output"], training=training)
        return {"masked_lm": super().call(features, batch), "next_sentence": self.float32(self.next_sentence(pooled))}


class ReplacedTokenDetectionHead(Head):
    """The discriminator of ELECTRA (Clark et al. 2020, section 2): logits `[B,T]`, positive for replaced tokens."""

    def __init__(self, config: Config, model, **keywords):
        super().__init__(config, **keywords)
        self.rtd_dense = _dense(config, config.hidden_size, "rtd_dense", config.hidden_act)
        self.rtd_out = _dense(config, 1, "rtd_out")
        self.built = True

    @property
    def output_shape(self):
        return None, None

    def call(self, features, batch, training=False):
        return self.float32(self.rtd_out(self.rtd_dense(features["sequence_output"]))[..., 0])


def summarize(features, batch, pooling: str, eos_token_id: int | None):
    """One vector per sequence, `[B,H]`: the output of the pooler, the state of the first, last real, or last EOS
    token, or the mean of the real tokens."""
    if pooling == "pooler":
        return features["pooled_output"]
    x, mask = features["sequence_output"], batch.get("attention_mask")
    if pooling == "first":
        return x[:, 0]
    if pooling == "mean":
        if mask is None:
            return ops.mean(x, axis=1)
        real = ops.cast(ops.not_equal(mask, 0), x.dtype)[:, :, None]
        return ops.sum(x * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)
    if pooling == "eos":
        if "input_ids" not in batch:
            raise ValueError("the batch has inputs_embeds, but the head uses the state of the last end token, which "
                             "can only be found in ids: pass input_ids")
        chosen = ops.equal(batch["input_ids"], eos_token_id)
    else:
        chosen = ops.not_equal(mask, 0) if mask is not None else ops.ones_like(x[..., 0], dtype="bool")
    positions = ops.arange(ops.shape(x)[1], dtype="int32")[None]
    last = ops.max(ops.where(chosen, positions, 0), axis=1)
    return ops.take_along_axis(x, last[:, None, None], axis=1)[:, 0]


class SequenceClassificationHead(Head):
    """One vector per sequence -> dropout -> (dense, activation, dropout) -> logits `[B,num_labels]`."""

    prefix, pooling, act = "classifier", "classifier_pooling", "classifier_act"

    @classmethod
    def needs_pooler(cls, config):
        return getattr(config, cls.pooling) == "pooler"

    def __init__(self, config: Config, model, num_labels: int = 2, **keywords):
        super().__init__(config, **keywords)
        self.make_transform()
        self.dropout = Dropout(config.head_dropout, name="dropout")
        act = getattr(config, self.act)
        self.hidden = _dense(config, config.hidden_size, f"{self.prefix}_dense", act) if act else None
        self.classifier = _dense(config, num_labels, self.prefix, use_bias=config.classifier_bias)
        self.built = True

    @property
    def output_shape(self):
        return None, self.classifier.units

    def call(self, features, batch, training=False):
        x = summarize(features, batch, getattr(self.config, self.pooling), self.config.eos_token_id)
        x = self.dropout(self.transform(x), training=training)
        if self.hidden is not None:
            x = self.dropout(self.hidden(x), training=training)
        return self.float32(self.classifier(x))


class MultipleChoiceHead(SequenceClassificationHead):
    """A score for each choice: batch tensors `[B,choices,T]` -> logits `[B,choices]`."""

    prefix, pooling, act = "choice", "choice_pooling", "choice_act"

    def __init__(self, config: Config, model, **keywords):
        super().__init__(config, model, num_labels=1, **keywords)

    @property
    def output_shape(self):
        return None, None

    def call(self, features, batch, training=False):
        return super().call(features, batch, training)[:, 0]


class TokenClassificationHead(Head):
    """Logits `[B,T,num_labels]` of the tokens. With `config.crf` the layer `crf` scores and decodes whole sequences."""

    def __init__(self, config: Config, model, num_labels: int = 2, **keywords):
        super().__init__(config, **keywords)
        self.make_transform()
        self.dropout = Dropout(config.head_dropout, name="dropout")
        self.token_classifier = _dense(config, num_labels, "token_classifier")
        self.crf = CRF(num_labels, name="crf") if config.crf else None
        self.built = True

    @property
    def output_shape(self):
        return None, None, self.token_classifier.units

    def call(self, features, batch, training=False):
        x = self.dropout(self.transform(features["sequence_output"]), training=training)
        return self.float32(self.token_classifier(x))


class QuestionAnsweringHead(Head):
    """Logits of the first and last token of the answer: a dict of `start` `[B,T]` and `end` `[B,T]`."""

    def __init__(self, config: Config, model, **keywords):
        super().__init__(config, **keywords)
        self.make_transform()
        self.dropout = Dropout(config.head_dropout if config.head_act else 0.0, name="dropout")  # BERT has none here
        self.qa = _dense(config, 2, "qa")
        self.built = True

    @property
    def output_shape(self):
        return None, None

    def call(self, features, batch, training=False):
        x = self.dropout(self.transform(features["sequence_output"]), training=training)
        logits = self.float32(self.qa(x))  # [B,T,2]
        return {"start": logits[..., 0], "end": logits[..., 1]}


HEADS: dict[str, type[Head]] = {
    "masked_lm": LanguageModelHead,
    "causal_lm": LanguageModelHead,
    "seq2seq_lm": LanguageModelHead,
    "pretraining": PretrainingHead,
    "replaced_token_detection": ReplacedTokenDetectionHead,
    "sequence_classification": SequenceClassificationHead,
    "multiple_choice": MultipleChoiceHead,
    "token_classification": TokenClassificationHead,
    "question_answering": QuestionAnsweringHead,
}
# heads with `num_labels` -> the layer with this number of units
LABELLED = {"sequence_classification": "classifier", "token_classification": "token_classifier",
            "pretraining": "next_sentence"}


def head_class(head: str | None) -> type[Head] | None:
    """The class of a head by name; raises ValueError for an unknown name, with the known ones."""
    if head is not None and head not in HEADS:
        raise ValueError(f"there is no head '{head}'{did_you_mean(head, HEADS)}; expected one of {', '.join(HEADS)}, "
                         "or None for the hidden states")
    return HEADS.get(head)


def make_head(head: str, config: Config, model, num_labels: int | None) -> Head:
    labels = {"num_labels": num_labels} if head in LABELLED else {}
    return HEADS[head](config, model, name="head", **labels)
