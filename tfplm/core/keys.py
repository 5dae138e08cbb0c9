"""Conversion between `Config` and the `config.json` of other libraries; the files of families define their `Keys`.

Reading accepts the names of a family and our names. A key that is neither understood nor known to be harmless is an
error, as ignoring it could result in a model that differs from the original.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

from tfplm.core.config import Config, reject_unknown

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


# Keys of published config files that do not change the computation of a model: settings of generation, metadata, and
# remains of training code.
HARMLESS = frozenset("""
    _commit_hash _name_or_path add_bias_logits architectures attn_implementation auto_map bad_words_ids
    begin_suppress_tokens cell chunk_size_feed_forward classif_dropout cls_token_id decoder_layerdrop dense_act_fn
    directionality diversity_penalty do_sample down_scale_factor dtype early_stopping emb_size
    encoder_no_repeat_ngram_size exponential_decay_length_penalty extra_pos_embeddings finetuning_task
    force_bos_token_to_be_generated gap_size gradient_checkpointing is_decoder is_encoder_decoder is_gated_act label2id
    layers_to_keep length_penalty max_length min_length model_type n_ctx n_positions n_special net_structure_type
    net_type no_repeat_ngram_size num_beam_groups num_beams num_labels num_memory_blocks num_return_sequences
    output_attentions output_hidden_states output_past output_scores pooler_fc_size pooler_num_attention_heads
    pooler_num_fc_layers pooler_size_per_head pooler_type pre_trained predict_special_tokens prefix pruned_heads
    qa_dropout remove_invalid_values reorder_and_upcast_attn repetition_penalty return_dict return_dict_in_generate
    sep_token_id structure summary_activation summary_first_dropout summary_last_dropout
    summary_proj_to_labels summary_type summary_use_proj suppress_tokens task_specific_params temperature
    tf_legacy_loss tie_encoder_decoder tie_weights_ tokenizer_class top_k top_p torch_dtype torchscript training
    transformers_version typical_p unk_token_id use_bfloat16 use_cache
""".split())

# Keys that change the computation, with the only supported value.
MUST_BE: dict[str, Any] = {"add_cross_attention": False, "position_embedding_type": "absolute"}

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
    values = keys.read(_read_kinds(dict(values)), layout)
    if values.get("hidden_act") == "swish":
        values["hidden_act"] = "silu"
    own, translated, unknown = {}, {}, []
    for key, value in values.items():
        if key in must_be:
            if value != must_be[key]:
                raise ValueError(f"the model's config has {key} = {value!r}; only {must_be[key]!r} is supported")
        elif key in ours_of:
            translated[ours_of[key]] = value
        elif key in fields and key != "model_type":
            own[key] = value
        elif key not in HARMLESS | keys.harmless:
            unknown.append(key)
    reject_unknown(unknown, set(fields) | set(ours_of), "key in the model's config")
    given = {**own, **translated}  # BART's files contain both `num_hidden_layers` and `encoder_layers`
    if missing := [name for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
                   if name not in given]:
        theirs = [keys.names.get(name, name) for name in missing]
        raise ValueError(f"the model's config has no {', '.join(theirs)}; expected the sizes of the model: fetch the "
                         "config of the original model")
    return Config.from_dict({**base, **given})


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
              [*names, *(_PUBLISHED | (_SOMEWHERE & set(base)) | changed | set(resolved)) - set(names)]}
    result = keys.write(_write_kinds(result, config) if "layer_pattern" in base else result, config, layout)
    if result.get("id2label"):
        result["label2id"] = {label: index for index, label in result["id2label"].items()}
    # null keeps a value from becoming the family's default again when it is read
    absent = {names.get(name, name) for name, value in values.items()
              if value is None and getattr(defaults, name) is not None}
    result = {name: value for name, value in result.items() if value is not None or name in absent}
    return result, sorted(name for name in foreign if name in result)
