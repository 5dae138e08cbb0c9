"""Types and ranges of the values of a configuration."""

import math
import reprlib
import types
import typing
from typing import Any, Literal

MAX_LAYERS = 2048
LAYER_KINDS = ("global", "local")
_SIZE, _COUNT = (1, 1 << 20), (1, 1 << 16)
_RATE = (0.0, 1.0)  # the upper limit is excluded
_POSITIVE = (math.ulp(0.0), math.inf)
_ID = (0, (1 << 31) - 1)
# field -> (minimum, maximum); the maxima are far above those of every published model, and keep a damaged file from
# requesting all memory
RANGES: dict[str, tuple[float, float]] = {
    "vocab_size": (1, 1 << 26), "max_position_embeddings": (1, 1 << 24),
    **dict.fromkeys(("hidden_size", "intermediate_size", "head_dim", "embedding_size", "decoder_intermediate_size",
                     "attention_window", "relative_attention_max_distance"), _SIZE),
    **dict.fromkeys(("num_attention_heads", "decoder_attention_heads", "relative_attention_num_buckets"), _COUNT),
    **dict.fromkeys(("num_hidden_layers", "num_decoder_layers", "num_hidden_groups", "inner_group_num"), (1, MAX_LAYERS)),
    **dict.fromkeys(("type_vocab_size", "task_type_vocab_size", "position_offset"), (0, 1 << 16)),
    **dict.fromkeys(("hidden_dropout_prob", "attention_probs_dropout_prob", "embedding_dropout_prob", "layerdrop",
                     "activation_dropout_prob", "classifier_dropout"), _RATE),
    **dict.fromkeys(("rope_theta", "local_rope_theta"), _POSITIVE),
    "layer_norm_eps": (math.ulp(0.0), 1.0), "initializer_range": (0.0, 1e6),
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id", "forced_bos_token_id",
                     "forced_eos_token_id"), _ID),
}
_ELEMENTS = (1, 1 << 10)  # of a list of integers


def check_value(name: str, value: Any, annotation: Any) -> None:
    """Raises ValueError unless `value` is of one of the annotation's types, or one of its choices, and in its range."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    options = typing.get_args(annotation) if union else (annotation,)
    if not any(_is(value, option) for option in options):
        choices = [choice for option in options for choice in (
            typing.get_args(option) if typing.get_origin(option) is Literal else (getattr(option, "__name__", option),))]
        raise ValueError(f"{name} is {reprlib.repr(value)}, expected one of {', '.join(map(str, choices))}")
    if isinstance(value, list):
        _check_elements(name, value, options)
    elif name == "id2label" and value is not None:
        _check_labels(value)
    elif name in RANGES and value is not None:
        _check_range(name, value)


def _is(value: Any, option: Any) -> bool:
    if typing.get_origin(option) is Literal:
        return isinstance(value, str) and value in typing.get_args(option)
    if isinstance(value, bool):
        return option is bool
    return isinstance(value, int | float if option is float else typing.get_origin(option) or option)


def _check_range(name: str, value: float) -> None:
    low, high = RANGES[name]
    if RANGES[name] is _RATE and not low <= value < high:
        raise ValueError(f"{name} is {reprlib.repr(value)}, expected a probability of at least 0 and less than 1")
    if not (low <= value <= high and math.isfinite(value)):
        limits = "a finite number greater than 0" if RANGES[name] is _POSITIVE else \
            f"greater than 0 and at most {high}" if low == _POSITIVE[0] else f"{low} to {high}"
        raise ValueError(f"{name} is {reprlib.repr(value)}, expected {limits}: correct the config")


def _check_elements(name: str, values: list, options: tuple) -> None:
    kind = next((typing.get_args(option)[0] for option in options if typing.get_origin(option) is list), None)
    low, high = _ELEMENTS
    if kind not in (int, str):
        return
    if any(type(value) is not kind or (kind is int and not low <= value <= high) for value in values):
        expected = f"integers from {low} to {high}" if kind is int else "strings"
        raise ValueError(f"{name} is {reprlib.repr(values)}, expected {expected}")


def _check_labels(labels: dict) -> None:
    for index, label in labels.items():
        if type(index) is not int or index < 0 or not isinstance(label, str):
            raise ValueError(f"id2label has {reprlib.repr(index)}: {reprlib.repr(label)}, expected the number of a label "
                             "and its name")


def check_relations(config) -> None:
    """Raises ValueError for values of a `Config` that do not match each other."""
    if config.head_dim is None and config.hidden_size % config.num_attention_heads:
        raise ValueError(f"hidden_size {config.hidden_size} is not a multiple of num_attention_heads "
                         f"{config.num_attention_heads}: change one of them, or set head_dim")
    if config.num_hidden_layers % config.num_hidden_groups and config.share == "all":
        raise ValueError(f"num_hidden_layers {config.num_hidden_layers} is not a multiple of num_hidden_groups "
                         f"{config.num_hidden_groups}: change one of them")
    if unknown := sorted(set(config.layer_kinds) - set(LAYER_KINDS)):
        raise ValueError(f"layer_pattern contains {', '.join(map(repr, unknown))}, expected "
                         f"{' and '.join(LAYER_KINDS)}")
    if config.position_type == "rotary" and config.attention_head_dim % 2:
        raise ValueError(f"a head has {config.attention_head_dim} units, but rotary positions rotate pairs of units: "
                         "use an even head_dim")
    if not config.first_norm and config.share in ("attention", "all"):
        raise ValueError(f"first_norm is False, but with share={config.share!r} all blocks share the first one's "
                         "norm: change one of them")
    if (limit := config.position_limit) is not None and limit < 1:
        raise ValueError(f"max_position_embeddings is {config.max_position_embeddings}, of which position_offset reserves "
                         f"{config.position_offset}: expected more")
    buckets = config.relative_attention_num_buckets
    if config.position_type == "bucketed" and (buckets < 4 or config.relative_attention_max_distance <= buckets // 2):
        raise ValueError(f"relative_attention_num_buckets is {buckets}, relative_attention_max_distance "
                         f"{config.relative_attention_max_distance}; expected at least 4 buckets, and a distance of "
                         "more than half of them")
