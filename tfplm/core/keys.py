"""Other libraries' names for the fields of `Config`, in one table, and the translation in both directions.

Reading accepts a family's dialect and our own names. A key that is neither understood nor known to be harmless is an
error, because ignoring it silently gives a model that differs from the original.
"""

from collections.abc import Mapping
from typing import Any

from tfplm.core.config import Config, refuse_unknown

_GPT = {
    "hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions", "layer_norm_eps": "layer_norm_epsilon",
    "hidden_dropout_prob": "resid_pdrop", "embedding_dropout_prob": "embd_pdrop",
    "attention_probs_dropout_prob": "attn_pdrop",
}
# our field -> the name in that dialect, for the fields whose names differ
DIALECTS: dict[str, dict[str, str]] = {
    "bert": {},
    "albert": {"classifier_dropout": "classifier_dropout_prob"},
    "gpt": {**_GPT, "hidden_act": "afn"},
    "gpt2": {**_GPT, "hidden_act": "activation_function", "intermediate_size": "n_inner"},
    "distilbert": {
        "hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim", "hidden_act": "activation", "hidden_dropout_prob": "dropout",
        "attention_probs_dropout_prob": "attention_dropout", "classifier_dropout": "seq_classif_dropout",
    },
    "bart": {
        "hidden_size": "d_model", "num_hidden_layers": "encoder_layers", "intermediate_size": "encoder_ffn_dim",
        "num_attention_heads": "encoder_attention_heads", "num_decoder_layers": "decoder_layers",
        "decoder_intermediate_size": "decoder_ffn_dim", "hidden_act": "activation_function",
        "hidden_dropout_prob": "dropout", "attention_probs_dropout_prob": "attention_dropout",
        "activation_dropout_prob": "activation_dropout", "initializer_range": "init_std",
        "layerdrop": "encoder_layerdrop", "embedding_norm": "normalize_embedding",
    },
    "t5": {
        "hidden_size": "d_model", "head_dim": "d_kv", "intermediate_size": "d_ff", "num_hidden_layers": "num_layers",
        "num_attention_heads": "num_heads", "hidden_dropout_prob": "dropout_rate",
        "layer_norm_eps": "layer_norm_epsilon", "initializer_range": "initializer_factor",
    },
}

# Keys of published config files that do not change what a model computes: generation settings, bookkeeping, and
# leftovers of training code.
HARMLESS = frozenset("""
    _commit_hash _name_or_path add_bias_logits architectures attn_implementation auto_map bad_words_ids
    begin_suppress_tokens cell chunk_size_feed_forward classif_dropout cls_token_id decoder_layerdrop dense_act_fn
    directionality diversity_penalty do_sample down_scale_factor dtype early_stopping emb_size
    encoder_no_repeat_ngram_size exponential_decay_length_penalty extra_pos_embeddings finetuning_task
    force_bos_token_to_be_generated gap_size gradient_checkpointing is_encoder_decoder is_gated_act label2id
    layers_to_keep length_penalty max_length min_length model_type n_ctx n_positions n_special net_structure_type
    net_type no_repeat_ngram_size num_beam_groups num_beams num_labels num_memory_blocks num_return_sequences
    output_attentions output_hidden_states output_past output_scores pooler_fc_size pooler_num_attention_heads
    pooler_num_fc_layers pooler_size_per_head pooler_type pre_trained predict_special_tokens prefix pruned_heads
    qa_dropout remove_invalid_values reorder_and_upcast_attn repetition_penalty return_dict return_dict_in_generate
    scale_decoder_outputs sep_token_id structure summary_activation summary_first_dropout summary_last_dropout
    summary_proj_to_labels summary_type summary_use_proj suppress_tokens task_specific_params temperature
    tf_legacy_loss tie_encoder_decoder tie_weights_ tokenizer_class top_k top_p torch_dtype torchscript training
    transformers_version typical_p unk_token_id use_bfloat16 use_cache
""".split())

# Keys that change the computation, with the only value for which this library computes the same.
MUST_BE: dict[str, Any] = {
    "add_cross_attention": False, "position_embedding_type": "absolute", "scale_attn_by_inverse_layer_idx": False,
    "scale_attn_weights": True, "static_position_embeddings": False,
}

# Our fields that a published config of any family may hold under our own names.
_PUBLISHED = frozenset("""
    vocab_size hidden_size num_hidden_layers num_attention_heads intermediate_size hidden_act hidden_dropout_prob
    attention_probs_dropout_prob max_position_embeddings type_vocab_size initializer_range layer_norm_eps
    tie_word_embeddings pad_token_id bos_token_id eos_token_id problem_type id2label classifier_dropout
""".split())
# ... and the published configs of some family only.
_SOMEWHERE = frozenset("""
    attention_type decoder_start_token_id embedding_size ffn_gated forced_bos_token_id forced_eos_token_id
    inner_group_num lm_scale num_hidden_groups position_type relative_attention_max_distance
    relative_attention_num_buckets scale_embedding task_type_vocab_size
""".split())


def read_config(values: Mapping[str, Any], base: Mapping[str, Any], dialect: str, layout: str = "hf") -> Config:
    """A published `config.json` (already parsed) -> `Config`.

    Args:
        values: the file's content, in the dialect's names or ours.
        base: our fields' values for this family where the file is silent.
        dialect: a key of `DIALECTS`. layout: "hf", or "tf1" for the config of a TF1 release.

    Raises:
        ValueError: a key that is not understood, or one whose value asks for another computation.
    """
    ours_of = {theirs: ours for ours, theirs in DIALECTS[dialect].items()}
    fields = Config.__dataclass_fields__
    own, translated, unknown = {}, {}, []
    for key, value in _fold(values, dialect, layout).items():
        if key in MUST_BE:
            if value != MUST_BE[key]:
                raise ValueError(f"the model's config has {key} = {value!r}; only {MUST_BE[key]!r} can be computed")
        elif key in ours_of:
            translated[ours_of[key]] = value
        elif key in fields and key != "model_type":
            own[key] = value
        elif key not in HARMLESS:
            unknown.append(key)
    refuse_unknown(unknown, set(fields) | set(ours_of), "key in the model's config")
    given = {**own, **translated}  # BART's files hold both `num_hidden_layers` and `encoder_layers`
    if missing := [name for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
                   if name not in given]:
        theirs = [DIALECTS[dialect].get(name, name) for name in missing]
        raise ValueError(f"the model's config lacks {', '.join(theirs)}: it does not tell the model's size")
    return Config.from_dict({**base, **given})


# fields that a config may lose on the way to Google's or OpenAI's code: they do not change what a trained model computes
_LOSSES = ("_dropout_prob", "_token_id", "initializer_range", "classifier_dropout", "layerdrop", "id2label",
           "problem_type")


def write_config(config: Config, base: Mapping[str, Any], dialect: str,
                 layout: str = "hf") -> tuple[dict[str, Any], list[str]]:
    """`Config` -> (the content of a published `config.json`, our fields in it that only this library understands).

    Raises:
        ValueError: the code that reads layout "tf1" would compute something else; names the fields.
    """
    if layout == "tf1":
        values = _tf1_config(config, base, dialect)
        back, ours = (one.replace(intermediate_size=one.ffn_size).to_dict()
                      for one in (read_config(values, base, dialect, layout), config))
        lost = [f"{name} = {value!r}" for name, value in ours.items()
                if value != back[name] and not name.endswith(_LOSSES)]
        if lost:
            raise ValueError(f"a TF1 config cannot say {', '.join(lost)}: save with format='hf'")
        return values, []
    table, defaults = DIALECTS[dialect], Config(**base)
    # "derived" means the same in OpenAI's dialects; elsewhere the size is written
    resolved = {} if dialect in ("gpt", "gpt2") else {"intermediate_size": config.ffn_size}
    if config.architecture == "seq2seq":
        decoder = config.decoder()
        resolved |= {"num_decoder_layers": decoder.num_hidden_layers, "decoder_intermediate_size": decoder.ffn_size,
                     "decoder_attention_heads": decoder.num_attention_heads}
    if config.embedding_size or defaults.embedding_size:
        resolved["embedding_size"] = config.word_embedding_size
    values = {name: resolved.get(name, value) for name, value in config.to_dict().items()}
    changed = {name for name, value in values.items() if value != getattr(defaults, name)} - {"model_type"}
    result, foreign = {}, changed - _PUBLISHED - _SOMEWHERE - set(table) - set(resolved) - {"architecture"}
    if dialect == "gpt" and config.ffn_size != 4 * config.hidden_size:
        foreign.add("intermediate_size")
    # what is usual in the family need not be the other library's default
    for name in [*table, *(_PUBLISHED | (_SOMEWHERE & set(base)) | changed | set(resolved)) - set(table)]:
        result[table.get(name, name)] = values[name]
    result = _unfold(result, config, dialect)
    return result, sorted(name for name in foreign if name in result)


def _tf1_config(config: Config, base: Mapping[str, Any], dialect: str) -> dict[str, Any]:
    if dialect == "gpt2":  # OpenAI's hparams.json holds nothing else
        return {"n_vocab": config.vocab_size, "n_ctx": config.max_position_embeddings, "n_embd": config.hidden_size,
                "n_head": config.num_attention_heads, "n_layer": config.num_hidden_layers}
    values, _ = write_config(config, base, dialect)
    if dialect == "albert" and config.hidden_act in ("gelu", "gelu_new"):
        values["hidden_act"] = "gelu"
    return values


def _fold(values: Mapping[str, Any], dialect: str, layout: str) -> dict[str, Any]:
    """Turns the keys whose *values* are spelled in another way into our fields."""
    values = dict(values)
    if dialect == "albert" and layout == "tf1" and values.get("hidden_act") == "gelu":
        values["hidden_act"] = "gelu_new"  # Google's ALBERT code means the tanh form
    if dialect == "t5" and "ffn_gated" not in values:
        form = values.pop("feed_forward_proj", "relu")
        activation = form.removeprefix("gated-")
        values |= {"ffn_gated": form != activation,  # "gated-gelu" means the tanh form there
                   "hidden_act": "gelu_new" if form == "gated-gelu" else activation}
        # since its version 5, transformers writes "tie" beside untied weights, and tells by the scale
        tied = bool(values.pop("scale_decoder_outputs", values.get("tie_word_embeddings", True)))
        if str((values.get("architectures") or [""])[0]).endswith("EncoderModel"):
            values["architecture"] = "encoder"
        values |= {"lm_scale": values.get("lm_scale", tied), "tie_word_embeddings": tied}
    if dialect == "gpt" and values.get("afn") == "gelu":
        values["afn"] = "gelu_new"  # GPT's code means the tanh form
    if dialect == "distilbert" and "sinusoidal_pos_embds" in values:
        values["position_type"] = "sinusoidal" if values.pop("sinusoidal_pos_embds") else "learned"
    if "n_ctx" in values and "n_vocab" in values:  # OpenAI's hparams.json
        values |= {"n_positions": values.pop("n_ctx"), "vocab_size": values.pop("n_vocab")}
    if "use_task_id" in values:
        size = values.get("task_type_vocab_size", 3)
        values["task_type_vocab_size"] = size if values.pop("use_task_id") else 0
    if values.pop("is_decoder", False) and dialect == "bert":
        values["attention_type"] = "causal"
    if dialect == "bart":
        if "normalize_before" in values:
            values["norm_placement"] = "pre" if values.pop("normalize_before") else "post"
        if "add_final_layer_norm" in values:
            values["final_norm"] = values.pop("add_final_layer_norm")
    if values.get("hidden_act") == "swish":
        values["hidden_act"] = "silu"
    return values


def _unfold(values: dict[str, Any], config: Config, dialect: str) -> dict[str, Any]:
    """The inverse of `_fold`, for writing."""
    if dialect == "t5":
        form = "gelu" if config.hidden_act == "gelu_new" and config.ffn_gated else config.hidden_act
        values["feed_forward_proj"] = ("gated-" if config.ffn_gated else "") + form
        silent = ["ffn_gated", "hidden_act"]  # what the other keys tell
        silent += ["lm_scale"] if config.lm_scale == config.tie_word_embeddings else []
        silent += ["decoder_attention_heads"] if config.decoder_attention_heads is None else []
        silent += ["decoder_intermediate_size"] if config.decoder_intermediate_size is None else []
        for name in silent:
            values.pop(name, None)
    if dialect == "gpt" and values["afn"] == "gelu_new":
        values["afn"] = "gelu"
    if dialect == "distilbert":
        values["sinusoidal_pos_embds"] = values.pop("position_type", config.position_type) == "sinusoidal"
    if dialect == "bert" and values.get("attention_type") == "causal":
        values["is_decoder"] = values.pop("attention_type") == "causal"
    if config.task_type_vocab_size:
        values |= {"use_task_id": True, "task_type_vocab_size": config.task_type_vocab_size}
    if values.get("id2label"):
        values["label2id"] = {label: index for index, label in values["id2label"].items()}
    return {name: value for name, value in values.items() if value is not None}
