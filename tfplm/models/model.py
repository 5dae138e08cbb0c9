"""The base class of all models: construction from a configuration, heads, checks of batches, saving."""

import keras
import numpy as np
from keras import ops

from tfplm.core.config import Config
from tfplm.core.keras_internals import Checkpointed, flat_layers, set_path, show_shape
from tfplm.layers.dense import Dense
from tfplm.layers.initializers import kernel_initializer, skip_initialization
from tfplm.layers.precision import dtype_policy
from tfplm.models.heads import head_class, make_head
from tfplm.models.inputs import EMBEDDINGS, HEAD_MASKS, IDS, check_keys, readable, readable_data, readable_labels
from tfplm.models.pretrained.weights import named_variables
from tfplm.models.saving import check_format, check_not_h5, objects_to_save, set_trainable_parts, trainable_parts


class PretrainedModel(Checkpointed, keras.Model):
    """A Keras model built from a `Config`, with or without a head. Subclasses: `Encoder`, `Decoder`, `Seq2Seq`.

    Args:
        config: the architecture, a `Config` or its dict.
        head: a key of `tfplm.models.heads.HEADS`, or None for the hidden states.
        num_labels: number of labels of a classification head (default: that of `config.id2label`, or 2).
        dtype: a Keras dtype policy or its name (default: the global policy of Keras).
    """

    # properties that other code uses instead of the configuration or the class
    is_seq2seq = False  # it has a decoder that attends to an encoder
    can_exit_early = False  # `features` accepts `depth`, the number of layers to compute
    heads_read_states = False  # its heads need only `sequence_output` and the pooler
    can_pack = False  # texts can share a row, separated by an `attention_mask` `[B,T,T]` and `position_ids`
    is_causal = False  # no token attends to a later one
    backbone_roots = frozenset()  # first parts of the paths of all weights except those of the pooler and the head

    def __init__(self, config: Config | dict, head: str | None = None, num_labels: int | None = None, dtype=None,
                 name: str | None = None):
        config = Config.from_dict(config) if isinstance(config, dict) else config
        needs_pooler = head is None and config.pooler
        if (kind := head_class(head)) is not None:
            needs_pooler = config.pooler and kind.needs_pooler(config)
        with dtype_policy(dtype) as policy:
            super().__init__(name=name or config.model_type.replace("-", "_"), dtype=policy)
            self.config, self.head_name = config, head
            # id2label has the names of classes, not of sentence relations
            self.num_labels = num_labels or (len(config.id2label or ()) if head != "pretraining" else 0) or 2
            if config.id2label and len(config.id2label) != self.num_labels:  # the names of other labels
                self.config = config = config.replace(id2label=None)
            self.config = config = config.with_labels(self.num_labels)
            self.build_backbone()
            self.pooler = None
            if needs_pooler:
                self.pooler = Dense(config.hidden_size, config.hidden_size, "tanh", name="pooler",
                                    kernel_initializer=kernel_initializer(config, config.hidden_size))
            with skip_initialization(False):  # a checkpoint may not contain the head
                self.head = None if head is None else make_head(head, config, self, self.num_labels)
        self.built = True
        for path, variable in named_variables(self).items():
            set_path(variable, f"{self.name}/{path}")  # Keras' own paths omit the outer layers, and so are ambiguous
        for layer in flat_layers(self):
            if hasattr(layer, "output_shape"):
                show_shape(layer)

    @property
    def id2label(self) -> dict[int, str]:
        """Number of a label -> its name; LABEL_0, LABEL_1, ... if the labels have no names."""
        return dict(self.config.id2label or {index: f"LABEL_{index}" for index in range(self.num_labels)})

    def build_backbone(self):
        """Creates the embeddings and stacks."""
        raise TypeError(f"{type(self).__name__} is abstract: use tfplm.from_config or tfplm.from_pretrained")

    def features(self, batch: dict, training=False, taps=()) -> dict:
        """The outputs of the model without head."""
        raise TypeError(f"{type(self).__name__} is abstract: use tfplm.from_config or tfplm.from_pretrained")

    def unused_layers(self, depth: int) -> list[keras.layers.Layer]:
        """The layers that `features` with this `depth` does not use."""
        return []

    def __call__(self, *arguments, **keywords):
        """`call`, after the conversion of lists and of arrays of other types than int32, see `tfplm.models.inputs`."""
        for name in ("batch", "inputs"):  # the second one is the name in other libraries
            if name in keywords:
                arguments = (keywords.pop(name), *arguments)
        if arguments:
            arguments = (readable(arguments[0]), *arguments[1:])
            self.check_arrays(arguments[0])
        return super().__call__(*arguments, **keywords)

    def call(self, batch, training=False, output_hidden_states=False, output_attentions=False):
        """Computes the outputs of a batch.

        Args:
            batch: dict of int32 tensors: `input_ids` `[B,T]` and the other inputs of the family (`attention_mask`,
                `token_type_ids`, `position_ids`, ...), or only the `input_ids`. `[B,K,T]` for multiple choice, and for
                the classification of texts in K versions, such as a pair in both orders. `inputs_embeds` float
                `[B,T,E]` can replace ids; `head_mask` float `[N]` or `[L,N]` scales the attention of heads
                (encoder-decoders: also `decoder_inputs_embeds`, `decoder_head_mask`, `cross_attn_head_mask`). Lists and
                arrays of other types are converted.
            output_hidden_states, output_attentions: also return the tuples `hidden_states` and `attentions`.

        Returns:
            Without a head a dict: `sequence_output` `[B,T,H]`, `pooled_output` `[B,H]` if there is a pooler, and the
            requested tuples. With a head the tensor(s) of the head; with hidden states or attentions, the dict of the
            model without head, and the output of the head as `head`.

        Raises ValueError for what is not a batch of ids: texts, rows of different lengths, ids outside the vocabulary,
        masks of a wrong shape, misspelled keys.
        """
        batch = as_batch(batch)
        batch, shape = flattened(batch)
        if shape is not None and self.head_name not in (None, "multiple_choice", "sequence_classification"):
            raise ValueError(f"the ids have 3 axes, [batch, versions, length]; expected [batch, length] for the head "
                             f"'{self.head_name}': reshape them")
        taps = tuple(name for name, requested in (("hidden_states", output_hidden_states),
                                                  ("attentions", output_attentions)) if requested)
        features = self.features(batch, training=training, taps=taps)
        if self.head is None:
            return features
        result = self.head(features, batch, training=training)
        if shape is not None:
            result = self.regrouped(result, shape)
        return {**features, "head": result} if taps else result

    def regrouped(self, result, shape):
        """Groups a head's output `[B * K, ...]` of the K rows of each example.

        `[B,K]` for multiple choice, `[B,num_labels]` for classification, which sums the logits of the versions of a
        text (Radford et al. 2018, section 3.3).
        """
        if self.head_name == "multiple_choice":
            return ops.reshape(result, shape)
        return ops.sum(ops.reshape(result, (*shape, -1)), axis=1)

    def fit(self, x=None, y=None, *arguments, **keywords):
        """`keras.Model.fit`, after a check of NumPy batches, as compiled programs do not detect wrong ids."""
        if isinstance(validation := keywords.get("validation_data"), tuple | list):
            held_out, *labels = validation
            keywords["validation_data"] = (self.data(held_out, "validation_data"), *map(readable_labels, labels))
        return super().fit(self.data(x), readable_labels(y), *arguments, **keywords)

    def evaluate(self, x=None, y=None, *arguments, **keywords):
        """`keras.Model.evaluate`, after a check of NumPy batches."""
        return super().evaluate(self.data(x), readable_labels(y), *arguments, **keywords)

    def predict(self, x, *arguments, **keywords):
        """`keras.Model.predict`, after a check of NumPy batches."""
        return super().predict(self.data(x), *arguments, **keywords)

    def train_on_batch(self, x, y=None, *arguments, **keywords):
        """`keras.Model.train_on_batch`, after a check of NumPy batches."""
        return super().train_on_batch(self.data(x), readable_labels(y), *arguments, **keywords)

    def test_on_batch(self, x, y=None, *arguments, **keywords):
        """`keras.Model.test_on_batch`, after a check of NumPy batches."""
        return super().test_on_batch(self.data(x), readable_labels(y), *arguments, **keywords)

    def predict_on_batch(self, x):
        """`keras.Model.predict_on_batch`, after a check of NumPy batches."""
        return super().predict_on_batch(self.data(x))

    def data(self, x, what: str = "x"):
        """The data of Keras' loops: lists and NumPy arrays converted and checked, datasets and generators unchanged."""
        x = readable_data(x, what)
        self.check_arrays(x)
        return x

    def check_arrays(self, x):
        """`check_ids` for NumPy data; other data are only checked by the operations that read them."""
        config, offset = self.config, self.config.position_offset
        ranges = {"token_type_ids": (0, config.type_vocab_size), "task_type_ids": (0, config.task_type_vocab_size),
                  "position_ids": (-offset, config.position_limit)}
        for name, ids in x.items() if isinstance(x, dict) else [("input_ids", x)]:
            if not isinstance(ids, np.ndarray):
                continue
            if name in IDS:
                self.check_ids(ids, name)
            low, high = ranges.get(name, (0, None))
            if high and ids.size and (ids.min() < low or ids.max() >= high):
                wrong = ids[(ids < low) | (ids >= high)][0]
                raise ValueError(f"{name} contains {wrong}, expected {low} to {high - 1}, as the model has no others: "
                                 "change them, or omit them")

    def tokens(self, batch: dict, side: str = ""):
        """The checked ids `[B,T]` of a batch, or the embeddings `[B,T,E]` that replace them; side: "decoder_" or ""."""
        ids, embeddings = batch.get(f"{side}input_ids"), batch.get(f"{side}inputs_embeds")
        if embeddings is None:
            self.check_ids(ids, f"{side}input_ids")
            return ids
        size = self.config.word_embedding_size
        if ids is not None:
            raise ValueError(f"the batch has {side}input_ids and {side}inputs_embeds, expected one of them: remove the "
                             "ids to use the embeddings")
        if embeddings.shape[-1] != size:
            raise ValueError(f"{side}inputs_embeds has vectors of size {embeddings.shape[-1]}, expected {size}: use "
                             "vectors of the size of model.embeddings.word.embeddings")
        self.check_length(embeddings.shape[1], f"{side}inputs_embeds")
        return embeddings

    def check_length(self, length: int | None, name: str):
        """Raises ValueError for more tokens than positions."""
        limit = self.config.position_limit
        if limit is not None and length is not None and length > limit:
            raise ValueError(f"{name} has {length} tokens, but the model has {limit} positions: truncate it, "
                             f"e.g. tokenizer(text, max_length={limit})")

    def check_ids(self, ids, name: str = "input_ids"):
        """Raises ValueError for ids outside the vocabulary and for too many tokens, if values or shape are known."""
        self.check_length(ids.shape[-1], name)
        values = ids if isinstance(ids, np.ndarray) else np.asarray(ids) if hasattr(ids, "numpy") else None
        if values is not None and values.size and (values.min() < 0 or values.max() >= self.config.vocab_size):
            wrong = values[(values < 0) | (values >= self.config.vocab_size)][0]
            raise ValueError(f"{name} contains {wrong}, expected ids from 0 to {self.config.vocab_size - 1}, the "
                             "vocabulary of the model: use its tokenizer")

    def pool(self, sequence_output):
        """`[B,T,H]` -> `[B,H]`: a dense layer and tanh of the first token (Devlin et al. 2019, section 3.1)."""
        return self.pooler(sequence_output[:, 0])

    def get_config(self):
        check_not_h5()
        config = {"config": self.config.to_dict(), "head": self.head_name, "num_labels": self.num_labels,
                  "name": self.name, "dtype": keras.dtype_policies.serialize(self.dtype_policy),
                  "trainable": self.trainable}
        parts = trainable_parts(self)
        return {**config, "trainable_parts": parts} if parts else config

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        trainable, parts = config.pop("trainable", True), config.pop("trainable_parts", {})
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = keras.dtype_policies.deserialize(config["dtype"])
        model = cls(**config)
        set_trainable_parts(model, trainable, parts)
        return model

    def save(self, filepath, *arguments, **keywords):
        """`keras.Model.save`, for a path NAME.keras; raises ValueError for `.h5`, which could not be loaded.

        The file also keeps which parts are frozen (`trainable`).
        """
        check_format(filepath)
        super().save(filepath, *arguments, **keywords)

    def checkpoint_children(self) -> dict:
        """What `tf.train.Checkpoint` saves of the model: weights, dropout seeds, configuration; all by their names."""
        return objects_to_save(self, named_variables(self))

    def export(self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **keywords):
        """`keras.Model.export`, by default with the inputs of `input_signature()` and batches of any size.

        The SavedModel is what TensorFlow Serving reads: `tf.saved_model.load(filepath).serve(batch)` takes a dict of
        int32 tensors with all of these inputs.
        """
        signature = [self.input_signature()] if input_signature is None else input_signature
        super().export(filepath, format, verbose, input_signature=signature, **keywords)

    def input_signature(self) -> dict[str, keras.InputSpec]:
        """The usual inputs of the model, int32 `[batch, length]` (multiple choice: `[batch, choices, length]`).

        `input_ids`, `attention_mask`, with segments `token_type_ids`, and for encoder-decoders `decoder_input_ids` and
        `decoder_attention_mask`.
        """
        names = ["input_ids", "attention_mask", *["token_type_ids"] * bool(self.config.type_vocab_size)]
        if self.is_seq2seq:
            names += ["decoder_input_ids", "decoder_attention_mask"]
        shape = (None,) * (3 if self.head_name == "multiple_choice" else 2)
        return {name: keras.InputSpec(shape=shape, dtype="int32", name=name) for name in names}


def as_batch(batch) -> dict:
    """The batch as a dict; the user can also pass only `input_ids`."""
    if not isinstance(batch, dict):
        batch = {"input_ids": batch}
    check_keys(batch)

    def cast(name, x):
        if name in EMBEDDINGS + HEAD_MASKS:
            return ops.convert_to_tensor(x)
        return x if name.endswith("mask") and len(x.shape) > 3 else ops.cast(x, "int32")

    return {name: cast(name, x) for name, x in batch.items() if x is not None}


def flattened(batch: dict) -> tuple[dict, tuple | None]:
    """Reshapes a batch `[B,K,T]` to `[B * K,T]`, and returns also (B, K); a batch `[B,T]` is unchanged, with None."""
    name, axes = ("input_ids", 3) if "input_ids" in batch else ("inputs_embeds", 4)
    if len(batch[name].shape) != axes:
        return batch, None
    shape = ops.shape(batch[name])[:2]
    rows = {name: x if name in HEAD_MASKS else ops.reshape(x, (-1, *ops.shape(x)[2:])) for name, x in batch.items()}
    return rows, shape
