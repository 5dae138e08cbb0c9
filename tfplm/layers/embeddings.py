"""Input embeddings: the sum of token, segment, task and position embeddings, with norm, dropout and projection."""

import keras
from keras import ops

from tfplm.core.config import Config
from tfplm.layers.dense import Dense, Dropout
from tfplm.layers.initializers import embedding_initializer, kernel_initializer
from tfplm.layers.kernels.rows import rows_of
from tfplm.layers.norms import make_norm
from tfplm.layers.positions import embedded_positions


class Table(keras.layers.Layer):
    """An embedding table: int32 ids `[...]` -> `[..., size]`."""

    def __init__(self, config: Config, rows: int, size: int, **keywords):
        super().__init__(**keywords)
        self.embeddings = self.add_weight(name="embeddings", shape=(rows, size),
                                          initializer=embedding_initializer(config))
        self.built = True

    def call(self, ids):
        # the rows are gathered before the cast, as casting the whole table would take longer than the first layers
        return ops.cast(rows_of(self.embeddings, ids), self.compute_dtype)


class Embeddings(keras.layers.Layer):
    """Token + segment + position (+ task type) embeddings (Devlin et al. 2019, section 3).

    With `embedding_size` E smaller than `hidden_size` H the sum is projected from E to H: a factorized embedding with
    V x E + E x H parameters instead of V x H (ALBERT, Lan et al. 2019, section 3.1).

    Args:
        config: the configuration.
        word: the token table of another `Embeddings`, to share it (in the decoder of an encoder-decoder).
    """

    def __init__(self, config: Config, word: Table | None = None, **keywords):
        super().__init__(**keywords)
        self.config, size = config, config.word_embedding_size
        self.word = word or Table(config, config.vocab_size, size, name="word")
        self.position = embedded_positions(config)
        self.token_type = Table(config, config.type_vocab_size, size, name="token_type") \
            if config.type_vocab_size else None
        self.task_type = Table(config, config.task_type_vocab_size, size, name="task_type") \
            if config.task_type_vocab_size else None
        self.norm = make_norm(config, size) if config.embedding_norm else None
        self.dropout = Dropout(config.embedding_dropout, name="dropout")
        self.project = None
        if size != config.hidden_size:
            self.project = Dense(size, config.hidden_size, name="project",
                                 kernel_initializer=kernel_initializer(config, size))
        self.built = True

    @property
    def output_shape(self):
        return None, None, self.config.hidden_size

    def position_ids(self, tokens):
        """Positions `[1,T]` or `[B,T]`: 0, 1, 2, ...

        RoBERTa counts only real tokens, and padding has the row before position 0; if embeddings replace the tokens,
        all are counted.
        """
        if self.config.positions_from_ids and len(tokens.shape) == 2:
            real = ops.cast(ops.not_equal(tokens, self.config.pad_token_id), "int32")
            return ops.cumsum(real, axis=1) * real - 1
        return ops.arange(ops.shape(tokens)[1], dtype="int32")[None, :]

    def call(self, tokens, token_type_ids=None, position_ids=None, task_type_ids=None, training=False):
        """int32 ids `[B,T]` -> `[B,T,H]`; missing segments and tasks are 0.

        tokens: ids, or embeddings that replace them, float `[B,T,E]`, already scaled if the model scales embeddings.
        """
        if len(tokens.shape) == 3:
            x = ops.cast(tokens, self.compute_dtype)
        else:
            x = self.word(tokens)
            if self.config.scale_embedding:
                x = x * ops.cast(self.config.hidden_size ** 0.5, x.dtype)
        if self.position is not None:
            x = x + self.position.embed(self.position_ids(tokens) if position_ids is None else position_ids)
        for table, ids in ((self.token_type, token_type_ids), (self.task_type, task_type_ids)):
            if table is not None:
                x = x + (table(ids) if ids is not None else ops.cast(table.embeddings[0], x.dtype))
        if self.norm is not None:
            x = self.norm(x)
        x = self.dropout(x, training=training)
        return x if self.project is None else self.project(x)
