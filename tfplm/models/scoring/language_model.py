"""A language model with its tokenizer, opened for scoring: what fill-mask, Gibbs sampling and perplexity share."""

import dataclasses
import os

import keras
import numpy as np
import tensorflow as tf

from tfplm.core.sources import layout_of, resolve
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.api import from_pretrained, source_config
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.frame import Frame

MASKED, CAUSAL, SEQ2SEQ = "masked", "causal", "seq2seq"
_HEADS = {MASKED: "masked_lm", CAUSAL: "causal_lm", SEQ2SEQ: "seq2seq_lm"}


@dataclasses.dataclass
class LanguageModel:
    """`kind`: masked, causal or seq2seq. `prefix`, `suffix`: the special tokens that the tokenizer puts around a text.
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
        """float32 `[B,P,V]`: scores of the vocabulary at the places `masked_lm_positions` `[B,P]` of the batch."""
        return self._call({name: tf.convert_to_tensor(values) for name, values in batch.items()})

    def _log_probabilities(self, batch: dict, targets):
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(targets, self._logits(batch))

    def log_probabilities(self, batch: dict[str, np.ndarray], targets: np.ndarray):
        """float32 `[B,P]`: of the tokens `targets` `[B,P]` at the places `masked_lm_positions` of the batch, nats."""
        return self._score({name: tf.convert_to_tensor(values) for name, values in batch.items()},
                           tf.convert_to_tensor(targets))

    @property
    def limit(self) -> int | None:
        """The most tokens of a row, special ones included; None for any number."""
        return self.model.config.row_limit(self.tokenizer.model_max_length)

    def rows(self, bodies: list[np.ndarray], framed: bool = True) -> dict[str, np.ndarray]:
        """Token ids without special tokens -> int32 `input_ids` and `attention_mask` `[B,T]`, padded on the right."""
        before, after = (self.prefix, self.suffix) if framed else ([], [])
        rows = [np.array([*before, *body, *after], np.int32) for body in bodies]
        width = -(-max(map(len, rows)) // 8) * 8  # few widths: each is traced once
        width = max(map(len, rows)) if self.limit is not None and width > self.limit else width
        ids = np.full((len(rows), width), self.tokenizer.pad_token_id or 0, np.int32)
        real = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, :len(row)], real[number, :len(row)] = row, 1
        return {"input_ids": ids, "attention_mask": real}


def open_language_model(source: "str | os.PathLike | PretrainedModel | LanguageModel",
                        tokenizer: Tokenizer | None = None, kind: str | None = None, dtype: str | None = None
                        ) -> LanguageModel:
    """A model with its vocabulary's scores.

    Args:
        source: a directory or hub name, or a model made with a language model's head.
        tokenizer: of a model; default: the one that lies in the directory.
        kind: of models that could be both masked and causal; default: as the configuration's attention is.

    Raises:
        ValueError: a source without a language model's head (fresh weights would give garbage), or a model without a
            tokenizer.
    """
    if isinstance(source, LanguageModel):
        return source
    if isinstance(source, PretrainedModel):
        if tokenizer is None:
            raise ValueError("a model was given without its tokenizer: pass tokenizer=tfplm.Tokenizer.from_pretrained("
                             "...), or the directory of both in place of the model")
        return _checked(LanguageModel(source, tokenizer, _kind(source, source.config, "the model")))
    path = resolve(source)
    if layout_of(path) == "keras":  # it knows itself which head it has
        file = path if path.suffix == ".keras" else next(path.glob("*.keras"))
        model = from_pretrained(path, getattr(keras.models.load_model(file), "head_name", None), dtype=dtype)
        kind = _kind(model, model.config, str(source))
    else:
        kind = kind or _by_attention(source_config(path))
        model = from_pretrained(path, _HEADS[kind], dtype=dtype)
        fresh = [name for name in model.loading_report.fresh if name.startswith("lm_")]
        if fresh:
            raise ValueError(f"{source} has no {kind} language model's head ({', '.join(fresh)} not in the "
                             "checkpoint); fresh weights would give garbage: use a checkpoint that was saved with the "
                             f"head, such as what pre-training writes, or train it first (head '{_HEADS[kind]}')")
    return _checked(LanguageModel(model, tokenizer or Tokenizer.from_pretrained(path), kind))


def _by_attention(config) -> str:
    if config.architecture == "seq2seq":
        return SEQ2SEQ
    if config.architecture == "decoder" or config.attention_type in ("causal", "sparse"):
        return CAUSAL
    return MASKED


def _kind(model: PretrainedModel, config, name: str) -> str:
    kinds = {"masked_lm": MASKED, "pretraining": MASKED, "causal_lm": CAUSAL, "seq2seq_lm": SEQ2SEQ}
    if model.head_name not in kinds:
        raise ValueError(f"{name} has the head {model.head_name!r}, expected one of a language model: "
                         f"{', '.join(kinds)}")
    return kinds[model.head_name] if model.head_name != "masked_lm" else _by_attention(config)


def _checked(opened: LanguageModel) -> LanguageModel:
    rows, tokens = opened.model.config.vocab_size, len(opened.tokenizer)
    if tokens > rows:
        raise ValueError(f"the tokenizer has {tokens} tokens, but the model's vocabulary {rows}: they do not belong "
                         "together")
    return opened
