"""What can be exported: sentence vectors, and models with or without a head."""

import abc
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.adapt.finetune.data import read_split
from tfplm.adapt.finetune.inference import Inference
from tfplm.adapt.finetune.result import has_task, open_task, save_task
from tfplm.adapt.finetune.training import has_labels
from tfplm.adapt.tasks.encoding import gpt_frame
from tfplm.embed.commands.sts_eval import correlations, read_pairs, texts_of
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.sentence_transformers import write_recipe
from tfplm.export.vectors import can_write_modules, portable_encoder, recipe_of
from tfplm.models.model import PretrainedModel
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.session import Session
from tfplm.models.portable.signatures import portable_model
from tfplm.models.pretrained.api import save_config
from tfplm.models.pretrained.source import Source
from tfplm.options.export import ExportOptions
from tfplm.tokenizers import Tokenizer

_OF_TOKENS = {"last_hidden_state", "start_logits", "end_logits", "prediction_logits", "token_embeddings"}
_ROWS = 8  # texts of a batch
_LOGITS_OF_TOKENS = ("masked_lm", "causal_lm", "token_classification", "replaced_token_detection")


class Exported(abc.ABC):
    """A model that is exported.

    Attributes:
        what: what it gives, for people.
        name: of the format.
        model, tokenizer, max_length: the model, its tokenizer, and the tokens to which a text is truncated.
        portable: the function that is written.
        inside: False if other programs cannot make a batch of a text by the tokenizer alone.
    """

    what: str
    portable: Portable
    inside = True

    def __init__(self, name: str, model: PretrainedModel, tokenizer: Tokenizer, max_length: int | None):
        self.name, self.model, self.tokenizer, self.max_length = name, model, tokenizer, max_length

    @property
    def of_tokens(self) -> set[str]:
        """The outputs with a value for each token."""
        also = {"logits"} if self.model.head_name in _LOGITS_OF_TOKENS else set()
        return (_OF_TOKENS | also) & set(self.portable.outputs)

    def has_tokens(self, text: str) -> bool:
        """Returns False for an empty text, if the tokenizer adds no special token to it."""
        return len(self.tokenizer(text, padding=False, truncation=False)["input_ids"][0]) > 0

    def tokenize(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """The batch of texts, as other programs make it."""
        return self.tokenizer(list(texts), max_length=self.max_length,
                              truncation="longest_first" if self.max_length else False)

    @abc.abstractmethod
    def reference(self, texts: Sequence[str], batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What the model itself gives, by the names of the outputs."""

    @abc.abstractmethod
    def run(self, texts: Sequence[str]) -> None:
        """Runs the model on texts as this library does, for a comparison of speeds."""

    @abc.abstractmethod
    def scores(self, options: ExportOptions, session: Session) -> dict[str, dict[str, float]]:
        """The scores of the model and of the export on the labelled data of the options."""

    def save_companions(self, folder: Path) -> None:
        """Writes configuration and tokenizer, with the limit of the length where other programs look for it."""
        save_config(self.model, folder)
        limit, self.tokenizer.model_max_length = self.tokenizer.model_max_length, self.max_length
        try:
            self.tokenizer.save_pretrained(folder)
        finally:
            self.tokenizer.model_max_length = limit


class ExportedVectors(Exported):
    """A sentence encoder: `sentence_embedding`, and `last_hidden_state` for programs that pool it themselves."""

    what = "sentence vectors"

    def __init__(self, name: str, encoder: SentenceEncoder):
        super().__init__(name, encoder.model, encoder.tokenizer, encoder.recipe.max_length)
        self.encoder, self.portable = encoder, portable_encoder(encoder)

    def tokenize(self, texts):
        return super().tokenize([text.lower() for text in texts] if self.encoder.recipe.lowercase else texts)

    def reference(self, texts, batch):
        vectors = self.encoder.encode(list(texts), prompt="", show_progress=False)
        vectors = dict.fromkeys(self.portable.outputs, vectors)
        if "last_hidden_state" in vectors:
            vectors["last_hidden_state"] = np.asarray(self.model(batch, training=False)["sequence_output"])
        return vectors

    def run(self, texts):
        self.encoder.encode(list(texts), prompt="", show_progress=False)

    def scores(self, options, session):
        examples = read_pairs(options.data, encoding=options.encoding)
        texts = [text or " " for text in texts_of(examples)]
        order, name = np.argsort([len(text) for text in texts]), self.portable.outputs[-1]
        parts = [session(self.tokenize([texts[index] for index in order[start:start + 32]]))[name]
                 for start in range(0, len(order), 32)]
        found = np.empty((len(texts), parts[0].shape[1]), np.float32)
        found[order] = np.concatenate(parts)
        expected = self.encoder.encode(texts, prompt="", show_progress=False)
        return {each: dict(zip(("spearman", "pearson"), correlations(vectors, examples)))
                for each, vectors in (("tensorflow", expected), (self.name, found))}

    def save_companions(self, folder):
        super().save_companions(folder)
        if can_write_modules(self.encoder.recipe):
            write_recipe(folder, recipe_of(self.encoder), self.model.config.hidden_size)


class ExportedModel(Exported):
    """A model with or without head; of a folder of `tfplm finetune` also its task."""

    def __init__(self, name: str, model: PretrainedModel, source: Source, max_length: int | None):
        self.task = open_task(source) if has_task(source) else None
        tokenizer = source.tokenizer()
        limit = max_length or (self.task.settings.max_length if self.task else None)
        super().__init__(name, model, tokenizer, limit or model.config.row_limit(tokenizer.model_max_length))
        self.what = "hidden states" if model.head_name is None else f"head {model.head_name}"
        self.portable = portable_model(model, bool(self.task and self.task.settings.both_orders))
        self.inside = gpt_frame(tokenizer) is None and "decoder_input_ids" not in self.portable.inputs

    @property
    def _versions(self) -> bool:
        return len(self.portable.inputs["input_ids"].shape) == 3

    def tokenize(self, texts):
        batch = super().tokenize(texts)
        if "decoder_input_ids" in self.portable.inputs:  # of a text that repeats its source
            return {**batch, "decoder_input_ids": np.asarray(self.model.shift_right(batch["input_ids"])),
                    "decoder_attention_mask": batch["attention_mask"]}
        if self._versions:  # each text twice: two choices, or both orders
            return {name: np.stack([array, array], axis=1) for name, array in batch.items()}
        return batch

    @functools.cached_property
    def _graph(self):
        function = tf.function(self.portable.function, autograph=False, input_signature=[
            dict(self.portable.inputs)])
        return lambda batch: {name: value.numpy() for name, value in function(
            {name: tf.constant(batch[name], tf.int32) for name in self.portable.inputs}).items()}

    def reference(self, texts, batch):
        return self._graph(batch)

    def run(self, texts):
        for start in range(0, len(texts), _ROWS):
            self._graph(self.tokenize(texts[start:start + _ROWS]))

    def scores(self, options, session):
        if self.task is None:
            raise ValueError(f"{options.source} is no model of tfplm finetune, so that nothing says how to score it; "
                             "expected one with --data: leave --data out")
        examples = read_split(options.data, self.task.kind, options, None)
        if not has_labels(examples):
            raise ValueError(f"{options.data}: the examples have no labels; expected a label for each, to score against: "
                             "add them, or leave --data out")
        inferences = {"tensorflow": Inference(self.model, self.task.pads),
                      self.name: Inference(self.model, self.task.pads, session=session)}
        return {name: self.task.score(self.task.predict(self.model, examples, each), examples)
                for name, each in inferences.items()}

    def save_companions(self, folder):
        super().save_companions(folder)
        if self.task is not None:
            save_task(self.task, folder)
