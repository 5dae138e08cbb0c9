"""A language model with its tokenizer, opened for scoring by fill-mask, Gibbs sampling and perplexity."""

import dataclasses
import os

import numpy as np
import tensorflow as tf

from tfplm.core.rounding import round_up
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.api import from_pretrained
from tfplm.models.pretrained.source import open_source
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.frame import Frame

MASKED, CAUSAL, SEQ2SEQ = "masked", "causal", "seq2seq"
_KINDS = {"masked_lm": MASKED, "pretraining": MASKED, "causal_lm": CAUSAL, "seq2seq_lm": SEQ2SEQ}
_HEADS = {MASKED: "masked_lm", CAUSAL: "causal_lm", SEQ2SEQ: "seq2seq_lm"}


@dataclasses.dataclass
class LanguageModel:
    """A language model and its tokenizer.

    Attributes:
        kind: "masked", "causal" or "seq2seq".
        prefix, suffix: ids of the special tokens that the tokenizer adds before and after a text.
    """

    model: PretrainedModel
    tokenizer: Tokenizer
    kind: str

    def __post_init__(self):
        frame = Frame.of(self.tokenizer)
        self.prefix, self.suffix = frame.prefix[0].tolist(), frame.suffix[0].tolist()
        self._call = tf.function(self._logits, autograph=False, reduce_retracing=True)
        self._score = tf.function(self._log_probabilities, autograph=False, reduce_retracing=True)

    def _logits(self, batch: dict):
        result = self.model(batch, training=False)
        return result["masked_lm"] if isinstance(result, dict) else result

    def logits(self, batch: dict[str, np.ndarray]):
        """Scores of the vocabulary, float32 `[B,P,V]`, at the `masked_lm_positions` `[B,P]` of the batch."""
        return self._call({name: tf.convert_to_tensor(values) for name, values in batch.items()})

    def _log_probabilities(self, batch: dict, targets):
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(targets, self._logits(batch))

    def log_probabilities(self, batch: dict[str, np.ndarray], targets: np.ndarray):
        """Log-probabilities (nats, float32 `[B,P]`) of `targets` `[B,P]` at the `masked_lm_positions` of the batch."""
        return self._score({name: tf.convert_to_tensor(values) for name, values in batch.items()},
                           tf.convert_to_tensor(targets))

    @property
    def limit(self) -> int | None:
        """Maximum number of tokens of a row, including special ones; None if there is no limit."""
        return self.model.config.row_limit(self.tokenizer.model_max_length)

    def rows(self, bodies: list[np.ndarray], framed: bool = True) -> dict[str, np.ndarray]:
        """Builds int32 `input_ids` and `attention_mask` `[B,T]`, padded on the right, from ids without special tokens.

        framed: add the special tokens `prefix` and `suffix`.
        """
        before, after = (self.prefix, self.suffix) if framed else ([], [])
        rows = [np.array([*before, *body, *after], np.int32) for body in bodies]
        width = round_up(max(map(len, rows)), 8)  # few widths: each is traced once
        width = max(map(len, rows)) if self.limit is not None and width > self.limit else width
        ids = np.full((len(rows), width), self.tokenizer.pad_token_id or 0, np.int32)
        real = np.zeros_like(ids)
        for index, row in enumerate(rows):
            ids[index, :len(row)], real[index, :len(row)] = row, 1
        return {"input_ids": ids, "attention_mask": real}


def open_language_model(source: "str | os.PathLike | PretrainedModel | LanguageModel",
                        tokenizer: Tokenizer | None = None, kind: str | None = None, dtype: str | None = None
                        ) -> LanguageModel:
    """Opens a model with a language model's head, and its tokenizer.

    Args:
        source: a directory, a hub name, an open source, or a model with a language model's head.
        tokenizer: required with a model; default: the tokenizer in the directory.
        kind: "masked", "causal" or "seq2seq", for models that can be masked or causal (default: by the attention type
            of the configuration).
        dtype: dtype of weights and computation.

    Raises:
        ValueError: the source has no language model's head (random weights would predict noise), or a model was passed
            without a tokenizer.
    """
    if isinstance(source, LanguageModel):
        return source
    if isinstance(source, PretrainedModel):
        if tokenizer is None:
            raise ValueError("the source is a model, but tokenizer is None; expected its tokenizer: pass "
                             "tokenizer=tfplm.Tokenizer.from_pretrained(...), or the directory of both as source")
        return _checked(LanguageModel(source, tokenizer, _kind(source, source.config, "the model")))
    source = open_source(source)
    if source.layout == "keras":  # the file defines the head
        model = from_pretrained(source, source.head, dtype=dtype)
        kind = _kind(model, model.config, str(source))
    else:
        kind = kind or _KINDS[source.config.language_head]
        model = from_pretrained(source, _HEADS[kind], dtype=dtype)
        fresh = [name for name in model.loading_report.fresh if name.startswith("lm_")]
        if fresh:
            raise ValueError(f"{source} has no {kind} language model's head ({', '.join(fresh)} not in the "
                             "checkpoint), and random weights would predict noise: use a checkpoint saved with the "
                             f"head, such as one from pre-training, or train the head '{_HEADS[kind]}' first")
    return _checked(LanguageModel(model, tokenizer or source.tokenizer(), kind))


def _kind(model: PretrainedModel, config, name: str) -> str:
    if model.head_name not in _KINDS:
        raise ValueError(f"{name} has the head {model.head_name!r}; expected the head of a language model: "
                         f"{', '.join(_KINDS)}")
    return _KINDS[model.head_name if model.head_name != "masked_lm" else config.language_head]


def _checked(opened: LanguageModel) -> LanguageModel:
    rows, tokens = opened.model.config.vocab_size, len(opened.tokenizer)
    if tokens > rows:
        raise ValueError(f"the tokenizer has {tokens} tokens, but the vocabulary of the model has {rows}; expected at "
                         "most as many: use the tokenizer of this model")
    return opened
