"""ELECTRA: a small masked language model replaces tokens, and the model predicts which ones (Clark et al. 2020)."""

import dataclasses

import keras
import tensorflow as tf

from tfplm.core.config import Config
from tfplm.data.noise import mask_tokens
from tfplm.families import registry
from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.embeddings import Embeddings
from tfplm.layers.initializers import kernel_initializer
from tfplm.layers.stack import Stack
from tfplm.models.encoder import Encoder
from tfplm.pretrain.objectives.objective import Objective, Part

DISCRIMINATOR_WEIGHT = 50.0  # lambda of section 3.1


class SharedEmbeddings(Embeddings):
    """Embeddings that share all tables and the norm with those of another model; only the projection to the hidden size
    is separate."""

    def __init__(self, config: Config, other: Embeddings, **keywords):
        keras.layers.Layer.__init__(self, **keywords)
        self.config, size = config, config.word_embedding_size
        self.word, self.position, self.token_type = other.word, other.position, other.token_type
        self.task_type, self.norm = other.task_type, other.norm
        self.dropout, self.project = Dropout(config.embedding_dropout, name="dropout"), None
        if size != config.hidden_size:
            self.project = Dense(size, config.hidden_size, name="project",
                                 kernel_initializer=kernel_initializer(config, size))
        self.built = True


class Generator(Encoder):
    """An encoder with a masked-LM head on another model's embeddings."""

    def __init__(self, config: Config, discriminator: Encoder, **keywords):
        self._shared = (discriminator.embeddings,)  # in a tuple, so that Keras does not track it as a layer
        super().__init__(config, "masked_lm", **keywords)

    def build_backbone(self):
        self.embeddings = SharedEmbeddings(self.config, self._shared[0], name="embeddings")
        self.stack = Stack(self.config, name="encoder")


def generator_config(config: Config, size: float) -> Config:
    """The generator's architecture: `size` times as wide (hidden, feed-forward, heads) and as deep (section 3.2)."""
    heads = max(1, round(config.num_attention_heads * size))
    hidden = max(1, round(config.hidden_size * size / heads)) * heads
    return config.replace(hidden_size=hidden, num_attention_heads=heads, embedding_size=config.word_embedding_size,
                          intermediate_size=max(1, round(config.ffn_size * size)),
                          head_dim=None, lm_transform=True)


def put_at(ids, positions, values, weights):
    """ids [B,T], with `values` at `positions` (both [B,P]) where weights [B,P] are not 0."""
    rows, width = tf.shape(ids)[0], tf.shape(ids)[1]
    columns = tf.where(weights > 0, positions, width)  # unused predictions go to an additional column
    indices = tf.stack([tf.broadcast_to(tf.range(rows)[:, None], tf.shape(columns)), columns], -1)
    return tf.tensor_scatter_nd_update(tf.pad(ids, [[0, 0], [0, 1]]), indices, values)[:, :width]


class ReplacedTokenDetection(Objective):
    """`rtd`: trains generator and discriminator in one step, on shared embeddings; the discriminator is saved.

    The generator learns by masked language modeling alone; the tokens that it inserts are sampled from its distribution
    (with the Gumbel trick), and a token that it predicts correctly counts as original (section 2).
    """

    name, help = "rtd", "which tokens a small generator has replaced (ELECTRA)"
    flags = {"generator_size": (0.25, "width of the generator as a fraction of the discriminator's")}
    head, corrupts, preset = "replaced_token_detection", True, "electra-small-discriminator"

    def __init__(self, setting, factor=None):
        super().__init__(setting, DISCRIMINATOR_WEIGHT if factor is None else factor)

    @classmethod
    def check_architecture(cls, config):
        super().check_architecture(config)
        if all(row[0] != "rtd_out" for row in registry.family(config.model_type).names.heads):
            raise ValueError(f"model_type is {config.model_type}, but rtd trains ELECTRA's discriminator: use a preset "
                             "of electra, such as --preset electra-small-discriminator")

    def check(self):
        self.setting.vocabulary.need("mask")

    def parts(self):
        return [Part("generator", "masked_lm_ids", "masked_lm_weights", self.setting.config.vocab_size),
                Part("rtd", None, "rtd_weights", 2, self.factor)]

    def noise(self, batch, rng):
        masking = dataclasses.replace(self.masking_of(batch), mask_share=0.85, random_share=0.0)
        special = self.setting.vocabulary.is_special(batch["input_ids"])
        noisy = mask_tokens(self.with_phrases(batch), rng, self.setting.vocabulary, masking)
        return {**noisy, "rtd_weights": batch["attention_mask"] * ~special}

    def build(self, model):
        config = generator_config(model.config, self.flags["generator_size"])
        self.generator = Generator(config, model, dtype=model.dtype_policy, name="generator")
        self.layers = [self.generator]
        self.seed = self.generator.sampling_seed = keras.random.SeedGenerator(name="sampling")

    def predict(self, forward):
        batch, training = forward.batch, forward.training
        labels, weights = batch["masked_lm_ids"], batch["masked_lm_weights"]
        logits = self.generator(batch, training=training)  # [B,P,V]
        positions = batch["masked_lm_positions"]
        original = put_at(batch["input_ids"], positions, labels, weights)
        replaced = put_at(batch["input_ids"], positions, self.sample(tf.stop_gradient(logits), training), weights)
        forward.batch = {**batch, "input_ids": replaced}
        found = forward.head()
        return {"generator": (logits, labels, weights),
                "rtd": (found, tf.cast(tf.not_equal(original, replaced), tf.int32), batch["rtd_weights"])}

    def sample(self, logits, training: bool):
        """Token ids int32 [B,P], sampled with the Gumbel trick; outside of training always with the same seed."""
        seed = tf.cast(self.seed.next(), tf.int32) if training else tf.constant([0, 0])
        uniform = tf.random.stateless_uniform(tf.shape(logits), seed, minval=1e-9, maxval=1.0)
        return tf.argmax(logits - tf.math.log(-tf.math.log(uniform)), -1, tf.int32)
