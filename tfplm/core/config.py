"""The configuration of all models: flat and frozen, with the keys of BERT's `bert_config.json` where BERT has them.

Families differ in the values of orthogonal fields, never by name: `model_type` only selects the table of weight names.
"""

import dataclasses
import json
import os
import typing
from pathlib import Path
from typing import Any, Literal

from tfplm.core.files import write_text
from tfplm.core.limits.values import check_relations, check_value
from tfplm.core.suggest import nearest

Activation = Literal["gelu", "gelu_new", "relu", "silu", "tanh", "quick_gelu"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The architecture of a model. The defaults are those of BERT-base (Devlin et al. 2019, section 3).

    All sizes are numbers of units, all `*_prob` are probabilities in [0, 1). A size of `None` is derived:
    `embedding_size` and `intermediate_size` from `hidden_size`, the sizes of the decoder from those of the encoder.

    Raises:
        ValueError: a value that its field does not allow, or sizes that do not match.
    """

    model_type: str = "bert"
    # "textcnn" and "bilstm" are baselines without pre-training
    architecture: Literal["encoder", "decoder", "seq2seq", "textcnn", "bilstm"] = "encoder"
    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int | None = None
    head_dim: int | None = None  # width of one attention head; in T5 it is independent of hidden_size / heads
    num_decoder_layers: int | None = None
    decoder_attention_heads: int | None = None
    decoder_intermediate_size: int | None = None

    # feed-forward: act(x W1 + b1) W2 + b2, gated: (act(x W1) * x V) W2
    hidden_act: Activation = "gelu"
    ffn_gated: bool = False
    ffn_bias: bool = True

    # attention
    attention_bias: bool = True
    attention_scale: bool = True  # divide scores by sqrt(head_dim); T5 includes it in its initialization
    # "sparse" means "causal" with the pattern global, local (GPT-3, section 2.1)
    attention_type: Literal["full", "causal", "causal_reverse", "prefix", "sparse"] = "full"
    # "global" layers attend to all tokens, "local" ones to nearby tokens; the pattern is repeated over the layers
    layer_pattern: list[str] | None = None
    # of local layers: causal: the last tokens, including the token itself; two-sided: half of the window on each side
    attention_window: int = 256

    # widths of the convolutions of "textcnn", in tokens; hidden_size is divided equally among them
    kernel_sizes: list[int] | None = None

    # norms
    norm_placement: Literal["post", "pre"] = "post"
    norm_type: Literal["layer_norm", "rms_norm"] = "layer_norm"
    norm_bias: bool = True
    first_norm: bool = True  # False: the first block's attention has no norm (ModernBERT)
    embedding_norm: bool = True
    final_norm: bool = False
    layer_norm_eps: float = 1e-12

    # embeddings and positions
    embedding_size: int | None = None  # factorized embeddings V x E + E x H (ALBERT, section 3.1)
    scale_embedding: bool = False  # multiply by sqrt(hidden_size)
    type_vocab_size: int = 2
    task_type_vocab_size: int = 0  # ERNIE 2.0
    position_type: Literal["learned", "sinusoidal", "bucketed", "rotary", "none"] = "learned"
    position_offset: int = 0  # rows of the position table before position 0 (RoBERTa, BART: 2)
    positions_from_ids: bool = False  # positions count only ids that are not padding (RoBERTa)
    max_position_embeddings: int = 512
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    rope_theta: float = 10000.0  # of "rotary": the longest wavelength is about 2 pi times as many tokens
    local_rope_theta: float | None = None  # of local layers, if it differs
    rope_interleaved: bool = False  # rotate pairs of neighbors (RoFormer, GPT-J), not of halves (GPT-NeoX, LLaMA)

    # sharing of weights between layers (ALBERT, section 3.1)
    share: Literal["none", "attention", "ffn", "all"] = "none"
    num_hidden_groups: int = 1
    inner_group_num: int = 1

    # regularization
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    embedding_dropout_prob: float | None = None
    activation_dropout_prob: float = 0.0
    final_dropout: bool = False  # dropout after the final norm (T5)
    classifier_dropout: float | None = None
    layerdrop: float = 0.0  # LayerDrop (Fan et al. 2019)

    # initialization
    initializer_range: float = 0.02
    # normal(0, range); "depth": range / sqrt(2 N) for residual projections (GPT-2); "fan_in": range / sqrt(fan in) (T5)
    initializer_scheme: Literal["flat", "depth", "fan_in"] = "flat"

    # heads
    pooler: bool = True
    tie_word_embeddings: bool = True
    lm_transform: bool = True  # dense + activation + norm before the output embeddings
    lm_transform_act: Activation | None = None
    lm_bias: bool = True
    lm_scale: bool = False  # hidden / sqrt(hidden_size) before tied embeddings (T5)
    head_act: Activation | None = None  # with it every head starts with a dense layer and a norm (ModernBERT)
    head_bias: bool = True  # bias of that dense layer
    classifier_pooling: Literal["pooler", "first", "last", "eos", "mean"] = "pooler"
    classifier_act: Activation | None = None  # with it the classification head has a hidden layer
    classifier_bias: bool = True
    choice_pooling: Literal["pooler", "first", "last", "mean"] = "pooler"
    choice_act: Activation | None = None
    crf: bool = False  # a conditional random field over the tags of token classification
    problem_type: str | None = None
    id2label: dict | None = None

    # special ids
    pad_token_id: int | None = 0
    bos_token_id: int | None = None
    eos_token_id: int | None = None
    decoder_start_token_id: int | None = None
    language_code_first: bool = False  # mBART: a language code starts the decoder, unless decoder_start_token_id is set
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | None = None

    def __post_init__(self):
        self._normalize()
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            check_value(field.name, getattr(self, field.name), hints[field.name])
        check_relations(self)

    def _normalize(self) -> None:
        """Reduces equivalent values to one form."""
        if self.attention_type == "sparse":
            object.__setattr__(self, "attention_type", "causal")
            object.__setattr__(self, "layer_pattern", self.layer_pattern or ["global", "local"])
        if isinstance(self.layer_pattern, tuple):
            object.__setattr__(self, "layer_pattern", list(self.layer_pattern))

    @property
    def layer_kinds(self) -> tuple[str, ...]:
        """"global" and "local" for the first layers; the other layers repeat this pattern."""
        return tuple(self.layer_pattern or ("global",))

    @property
    def attention_head_dim(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def ffn_size(self) -> int:
        return self.intermediate_size or 4 * self.hidden_size

    @property
    def num_labels(self) -> int:
        """Number of labels: of the model that has this configuration, otherwise of `id2label`, or 2."""
        return getattr(self, "_num_labels", None) or len(self.id2label or ()) or 2

    @property
    def position_limit(self) -> int | None:
        """Maximum number of tokens of a row; None if positions are relative or rotary, which have no limit."""
        if self.position_type not in ("learned", "sinusoidal"):
            return None
        return self.max_position_embeddings - (self.position_offset if self.positions_from_ids else 0)

    def row_limit(self, other: int | None) -> int | None:
        """The minimum of `position_limit` and another limit; None if there is neither."""
        return min((limit for limit in (self.position_limit, other) if limit is not None), default=None)

    @property
    def language_head(self) -> str:
        """The language model's head for this architecture."""
        if self.architecture == "seq2seq":
            return "seq2seq_lm"
        return "causal_lm" if self.architecture == "decoder" or self.attention_type == "causal" else "masked_lm"

    @property
    def word_embedding_size(self) -> int:
        return self.embedding_size or self.hidden_size

    @property
    def embedding_dropout(self) -> float:
        rate = self.embedding_dropout_prob
        return self.hidden_dropout_prob if rate is None else rate

    @property
    def head_dropout(self) -> float:
        rate = self.classifier_dropout
        return self.hidden_dropout_prob if rate is None else rate

    def decoder(self) -> "Config":
        """The configuration of the decoder stack of an encoder-decoder."""
        return self.replace(
            architecture="decoder", attention_type="causal",
            num_hidden_layers=self.num_decoder_layers or self.num_hidden_layers,
            num_attention_heads=self.decoder_attention_heads or self.num_attention_heads,
            intermediate_size=self.decoder_intermediate_size or self.intermediate_size,
        )

    def replace(self, **changes) -> "Config":
        """A copy with changed fields; raises ValueError for unknown ones, with the nearest known name."""
        reject_unknown(changes, {field.name for field in dataclasses.fields(self)}, "configuration field")
        return dataclasses.replace(self, **changes)

    def with_labels(self, count: int) -> "Config":
        """A copy whose `num_labels` is the number of labels of a model; it is not a field, and `replace` drops it."""
        copy = dataclasses.replace(self)
        object.__setattr__(copy, "_num_labels", count)
        return copy

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Config":
        reject_unknown(values, {field.name for field in dataclasses.fields(cls)}, "configuration field")
        values = dict(values)
        if values.get("id2label"):  # JSON turns the integer keys into strings
            values["id2label"] = _labels(values["id2label"])
        return cls(**values)


def _labels(names: Any) -> Any:
    """Converts the keys of id2label to integers, and numbers to names; others are left for the check of the values."""
    if not isinstance(names, dict):
        return names
    return {int(key) if isinstance(key, str) and key.isdecimal() and len(key) < 10 else key:
            str(label) if isinstance(label, int | float) else label
            for key, label in names.items()}


def reject_unknown(values, known: set[str], kind: str) -> None:
    """Raises ValueError for keys of `values` that are not in `known`, with the nearest known names."""
    messages = []
    for key in sorted(set(values) - known):
        near = nearest(key, known)
        messages.append(f"'{key}'" + (f" (did you mean '{near[0]}'?)" if near else ""))
    if messages:
        raise ValueError(f"unknown {kind}: {', '.join(messages)}")


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a JSON object from a file in UTF-8, UTF-16 or UTF-32, with or without a byte-order mark.

    Raises ValueError with the name of the file and the line.
    """
    return _read(path, dict)


def read_json_list(path: str | os.PathLike) -> list[Any]:
    """`read_json` for a file with a JSON array."""
    return _read(path, list)


def _read(path: str | os.PathLike, kind: type) -> Any:
    try:
        values = json.loads(Path(path).read_bytes())  # of bytes, the encoding is detected
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not valid JSON (line {error.lineno}: {error.msg}): fetch it again") from None
    except (ValueError, RecursionError) as error:  # not Unicode, nested too deeply, a number of thousands of digits
        raise ValueError(f"{path} is not valid JSON ({type(error).__name__}: {error}): fetch it again") from None
    if not isinstance(values, kind):
        raise ValueError(f"{path} contains a {type(values).__name__}, expected a JSON "
                         f"{'object' if kind is dict else 'array'}")
    return values


def write_json(path: str | os.PathLike, values: dict[str, Any]) -> None:
    """Writes a JSON file atomically: a reader gets either the old file or the complete new one."""
    write_text(path, json.dumps(values, indent=2, ensure_ascii=False) + "\n")
