"""Conversion between `Config` and the `config.json` of other libraries; the files of families define their `Keys`.

Reading accepts the names of a family and our names. About all other keys the lists of `limits.keys` decide.
"""

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

from tfplm.core.config import Config, reject_unknown
from tfplm.core.limits.keys import (
    KINDS,
    MUST_BE,
    WHERE,
    check_kinds,
    check_must_be,
    is_harmless,
    is_misspelled_perhaps,
)

Layout = Literal["hf", "tf1"]


def _as_read(values: dict[str, Any], layout: str) -> dict[str, Any]:
    return values


def _as_written(values: dict[str, Any], config: Config, layout: str) -> dict[str, Any]:
    return values


@dataclasses.dataclass(frozen=True)
class Keys:
    """The keys of the `config.json` of a family for the fields of `Config`.

    Args:
        names: our field -> their key, for the fields whose names differ.
        read: (a copy of the content of the file, its layout) -> the content in which keys with different *values* are
            replaced by our fields.
        write: (the content with their names, the configuration, the layout) -> the content of the file; inverse of
            `read`.
        ffn_size: how the width of the feed-forward layers is written: as a number, as null if it is 4 x hidden_size, or
            never, if their code supports no other width.
        harmless: keys that do not change the computation of a model, in addition to `HARMLESS`.
        must_be: keys that change the computation -> the only supported value, in addition to `MUST_BE`.
    """

    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    read: Callable[[dict[str, Any], str], dict[str, Any]] = _as_read
    write: Callable[[dict[str, Any], Config, str], dict[str, Any]] = _as_written
    ffn_size: Literal["number", "null", "never"] = "number"
    harmless: frozenset[str] = frozenset()
    must_be: Mapping[str, Any] = dataclasses.field(default_factory=dict)


# Our fields that published configs of all families can have with our names.
_PUBLISHED = frozenset("""
    vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act hidden_dropout_prob
    attention_probs_dropout_prob max_position_embeddings type_vocab_size initializer_range layer_norm_eps
    tie_word_embeddings pad_token_id bos_token_id eos_token_id problem_type id2label classifier_dropout
""".split())
# ... and published configs of some families only.
_SOMEWHERE = frozenset("""
    attention_type decoder_start_token_id embedding_size ffn_gated forced_bos_token_id forced_eos_token_id
    inner_group_num lm_scale num_hidden_groups position_type relative_attention_max_distance
    relative_attention_num_buckets scale_embedding task_type_vocab_size
""".split())


# names of activations in other libraries, or in other versions of them
_ACTIVATIONS = {"swish": "silu", "gelu_python": "gelu", "gelu_erf": "gelu", "gelu_exact": "gelu", "gelu_tanh": "gelu_new",
                "gelu_pytorch_tanh": "gelu_new", "gelu_python_tanh": "gelu_new", "gelu_fast": "gelu_new",
                "gelu_accurate": "gelu_new", "gelu_approximate": "gelu_new"}
_ACTIVATED = {"hidden_act", "lm_transform_act", "head_act", "classifier_act", "choice_act"}
_KINDS = {"full_attention": "global", "sliding_attention": "local"}  # kinds of layers in transformers


def _read_kinds(values: dict[str, Any]) -> dict[str, Any]:
    """Converts kinds of layers and their rotary bases from the form of transformers 5 to our fields, for all families.

    `layer_types` lists all layers; the pattern is the shortest prefix whose repetition equals the list.
    """
    if types := [_KINDS.get(name, name) for name in values.pop("layer_types", None) or ()]:
        values["layer_pattern"] = next(types[:length] for length in range(1, len(types) + 1) if all(
            kind == types[layer % length] for layer, kind in enumerate(types)))
    for name, rope in (values.pop("rope_parameters", None) or {}).items():
        if name not in _KINDS or rope.get("rope_type", "default") != "default":
            raise ValueError(f"the model's config has rope_parameters {name} = {rope!r}; only {' and '.join(_KINDS)} of "
                             "rope_type 'default' are supported")
        values["rope_theta" if _KINDS[name] == "global" else "local_rope_theta"] = rope["rope_theta"]
    return values


def _write_kinds(values: dict[str, Any], config: Config) -> dict[str, Any]:
    """Converts the pattern to the list that transformers 5 reads."""
    names, kinds = {ours: theirs for theirs, ours in _KINDS.items()}, config.layer_kinds
    types = [names[kinds[layer % len(kinds)]] for layer in range(config.num_hidden_layers)]
    return {"layer_types" if name == "layer_pattern" else name: types if name == "layer_pattern" else value
            for name, value in values.items()}


def read_config(values: Mapping[str, Any], base: Mapping[str, Any], keys: Keys, layout: Layout = "hf") -> Config:
    """Converts a published `config.json` (already parsed) to `Config`.

    Args:
        values: the content of the file, with the names of the family or ours.
        base: values of our fields for this family, if the file does not have them.
        keys: the keys of the family.
        layout: "hf", or "tf1" for the config of a TF1 release.

    Raises:
        ValueError: an unknown key, or a value that would require a different computation.
    """
    ours_of = {theirs: ours for ours, theirs in keys.names.items()}
    must_be = {**MUST_BE, **keys.must_be}
    fields = Config.__dataclass_fields__
    values = _converted(values, keys, layout)
    own, translated, unknown = {}, {}, []
    for key, value in values.items():
        if key in ours_of:
            translated[ours_of[key]] = value
        elif key in fields and key != "model_type":
            own[key] = value
        elif key in must_be:
            check_must_be(key, value, must_be[key] if isinstance(must_be[key], tuple) else (must_be[key],))
        elif value is not None and key not in keys.harmless and not is_harmless(key):
            unknown.append(key)
    _reject(unknown, set(fields) | set(ours_of))
    given = {**own, **translated}  # BART's files contain both `num_hidden_layers` and `encoder_layers`
    for name in given.keys() & _ACTIVATED:
        given[name] = _ACTIVATIONS.get(given[name], given[name]) if isinstance(given[name], str) else given[name]
    if missing := [name for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
                   if name not in given]:
        theirs = [keys.names.get(name, name) for name in missing]
        raise ValueError(f"the model's config has no {', '.join(theirs)}; expected the sizes of the model: fetch the "
                         "config of the original model")
    _check_ids(given, base, keys)
    return Config.from_dict({**base, **given})


def skipped_keys(values: Mapping[str, Any], keys: Keys) -> list[str]:
    """The keys of a config.json that are skipped by a part of their name, so that a misspelled one is noticed."""
    known = {*Config.__dataclass_fields__, *keys.names.values(), *keys.harmless, *keys.must_be, *MUST_BE, *KINDS}
    return sorted(key for key in values if key not in known and is_misspelled_perhaps(key))


def _converted(values: Mapping[str, Any], keys: Keys, layout: Layout) -> dict[str, Any]:
    """The content of a config.json with our fields for keys with different values, and with integers for 12.0."""
    check_kinds(values)
    try:
        values = keys.read(_read_kinds(dict(values)), layout)
    except (TypeError, AttributeError, LookupError, ArithmeticError) as error:
        raise ValueError(f"the model's config has a value of an unexpected type ({type(error).__name__}: {error}): fetch "
                         "the config of the original model") from None
    if "vocab_size" not in values and type(values.get("vocab_size_or_config_json_file")) is int:
        values["vocab_size"] = values["vocab_size_or_config_json_file"]  # the first versions of transformers
    integers = {spelled for name, field in Config.__dataclass_fields__.items()
                if int in (field.type, *typing.get_args(field.type)) for spelled in (name, keys.names.get(name))}
    return {key: int(value) if isinstance(value, float) and value.is_integer() and key in integers else value
            for key, value in values.items()}


def _reject(unknown: list[str], known: set[str]) -> None:
    try:
        reject_unknown(unknown, known, "key in the model's config")
    except ValueError as error:
        raise ValueError(f"{error}. It could change the outputs: of the keys without a field, only those listed in {WHERE} "
                         "are accepted; remove it from the config if the model does not need it") from None


def _check_ids(given: Mapping[str, Any], base: Mapping[str, Any], keys: Keys) -> None:
    """Raises ValueError for special ids outside the vocabulary, except those that a smaller preset still has."""
    size = given["vocab_size"]
    for name, value in given.items():
        if name.endswith("_token_id") and type(value) is type(size) is int and value != base.get(name) \
                and not 0 <= value < size:
            raise ValueError(f"the model's config has {keys.names.get(name, name)} = {value}, expected an id of the "
                             f"vocabulary, 0 to {size - 1}, or null")


# fields that are not written for Google's or OpenAI's code, as they do not change the computation of a trained model
_LOSSES = ("_dropout_prob", "_token_id", "initializer_range", "classifier_dropout", "layerdrop", "id2label",
           "problem_type")


def write_config(config: Config, base: Mapping[str, Any], keys: Keys,
                 layout: Layout = "hf") -> tuple[dict[str, Any], list[str]]:
    """Converts `Config` to (the content of a `config.json`, our fields in it that only this library understands).

    Raises ValueError if the code that reads layout "tf1" would compute something else; the message has the fields.
    """
    values, foreign = _written(config, base, keys, layout)
    if layout != "tf1":
        return values, foreign
    back, ours = (one.replace(intermediate_size=one.ffn_size).to_dict()
                  for one in (read_config(values, base, keys, layout), config))
    lost = [f"{name} = {value!r}" for name, value in ours.items()
            if value != back[name] and not name.endswith(_LOSSES)]
    if lost:
        raise ValueError(f"a TF1 config cannot express {', '.join(lost)}: save with format='hf'")
    return values, []


def _written(config: Config, base: Mapping[str, Any], keys: Keys, layout: Layout) -> tuple[dict[str, Any], list[str]]:
    names, defaults = keys.names, Config(**base)
    resolved = {"intermediate_size": config.ffn_size} if keys.ffn_size == "number" else {}
    if config.architecture == "seq2seq":
        decoder = config.decoder()
        resolved |= {"num_decoder_layers": decoder.num_hidden_layers, "decoder_intermediate_size": decoder.ffn_size,
                     "decoder_attention_heads": decoder.num_attention_heads}
    if config.embedding_size or defaults.embedding_size:
        resolved["embedding_size"] = config.word_embedding_size
    values = {name: resolved.get(name, value) for name, value in config.to_dict().items()}
    changed = {name for name, value in values.items() if value != getattr(defaults, name)} - {"model_type"}
    foreign = changed - _PUBLISHED - _SOMEWHERE - set(names) - set(resolved) - {"architecture"}
    if keys.ffn_size == "never" and config.ffn_size != 4 * config.hidden_size:
        foreign.add("intermediate_size")
    # values of the family can differ from the defaults of the other library, so they are written
    result = {names.get(name, name): values[name] for name in
              [*names, *sorted((_PUBLISHED | (_SOMEWHERE & set(base)) | changed | set(resolved)) - set(names))]}
    result = keys.write(_write_kinds(result, config) if "layer_pattern" in base else result, config, layout)
    if result.get("id2label"):
        result["label2id"] = {label: index for index, label in result["id2label"].items()}
    # null keeps a value from becoming the family's default again when it is read
    absent = {names.get(name, name) for name, value in values.items()
              if value is None and getattr(defaults, name) is not None}
    result = {name: value for name, value in result.items() if value is not None or name in absent}
    return result, sorted(name for name in foreign if name in result)
