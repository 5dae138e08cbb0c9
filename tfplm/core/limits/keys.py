"""Keys of the config files of other libraries that have no field of `Config`: the lists that decide about them.

    HARMLESS, HARMLESS_NAMES   cannot change the outputs of a trained model; they are skipped, those that are only known by
                               a part of their name with a warning
    MUST_BE                    can change the outputs; accepted with the listed values, which are those of the family
    KINDS                      the JSON types of keys that are converted before they reach a field

A key in none of them is an error, as skipping it could result in a model that differs from the original. A key with the
value null is skipped: in all libraries it means "not set".
"""

import re
import reprlib
from collections.abc import Mapping
from typing import Any

from tfplm.core.limits.values import MAX_LAYERS

# Transformers 2 to 5: metadata, how it computes, and which outputs it returns
_TRANSFORMERS = """
    _attn_implementation _attn_implementation_autoset _commit_hash _name_or_path _num_labels _output_attentions
    adapters add_pooling_layer architectures attn_implementation auto_map chunk_size_feed_forward dtype finetuning_task
    flash_attention fused_bias_fc gradient_checkpointing is_encoder_decoder label2id layers_to_keep model_type num_labels
    output_attentions output_hidden_states output_past prefix pruned_heads_history remove_invalid_values
    reorder_and_upcast_attn return_all_logits return_dict sentence_transformers task_specific_params
    sbert_ce_default_activation_function tf_legacy_loss tie_encoder_decoder tie_weights_ tokenizer_class
    tokenizer_config torch_dtype torchscript training transformers_version transformers_weights use_bfloat16 use_cache
    use_return_dict vocab_size_or_config_json_file xla_device xla_device_ids is_decoder n_positions n_ctx n_special
    is_gated_act dense_act_fn use_flash_attn use_flash_attention use_memory_efficient_attention use_sdpa
    mlm_probability mask_token_id cls_token_id sep_token_id unk_token_id pad_token eos_token bos_token unk_token
    cls_token sep_token mask_token additional_special_tokens
"""
# Settings of generation, which once were in config.json
_GENERATION = """
    bad_words_ids begin_suppress_tokens cache_implementation diversity_penalty do_sample early_stopping
    encoder_no_repeat_ngram_size encoder_repetition_penalty epsilon_cutoff eta_cutoff exponential_decay_length_penalty
    force_words_ids forced_decoder_ids generation_config guidance_scale length_penalty max_length max_new_tokens max_time
    min_length min_new_tokens no_repeat_ngram_size num_beam_groups num_beams num_return_sequences output_scores
    output_logits penalty_alpha renormalize_logits repetition_penalty return_dict_in_generate sequence_bias
    suppress_tokens temperature top_k top_p typical_p eos_token_ids pad_token_ids
"""
# Google's TF1 releases of BERT, ALBERT and ELECTRA, and brightmart's ALBERT
_GOOGLE = """
    directionality down_scale_factor emb_size gap_size net_structure_type net_type num_memory_blocks pooler_fc_size
    pooler_num_attention_heads pooler_num_fc_layers pooler_size_per_head pooler_type structure use_one_hot_embeddings
    use_tpu init_checkpoint bert_config_file albert_config_file
"""
# GPT's and XLNet's heads; summaries by a trained pooler are in the weights
_HEADS = """
    cell predict_special_tokens qa_dropout summary_activation summary_first_dropout summary_last_dropout
    summary_proj_to_labels summary_type summary_use_proj start_n_top end_n_top
"""
# fairseq: training, and how its checkpoints were converted
_FAIRSEQ = """
    add_bias_logits classif_dropout decoder_layerdrop extra_pos_embeddings force_bos_token_to_be_generated pre_trained
    pooler_dropout quant_noise_pq quant_noise_pq_block_size quant_noise_scalar attention_dropout_prob relu_dropout
    max_source_positions max_target_positions tokens_per_sample sample_break_mode mask_prob leave_unmasked_prob
    random_token_prob mask_whole_words shorten_method arch criterion task
"""
# NVIDIA's and Microsoft's BERT: fused kernels and mixed precision
_NVIDIA = """
    apply_query_key_layer_scaling bf16 bias_dropout_fusion bias_gelu_fusion checkpoint_activations dense_seq_output
    distributed_training enable_stream fp16 fp32_residual_connection fuse_bias fuse_dropout fuse_mask fuse_qkv fuse_scale
    fused_bias_mha fused_dropout_add fused_gelu_bias fused_mha gelu_checkpoint make_vocab_size_divisible_by
    masked_softmax_fusion next_sentence_task onnx_safe pad pad_fmha padded_vocab_size pipeline_model_parallel_size
    sequence_parallel stochastic_mode tensor_model_parallel_size unpad unpad_fmha use_ddp_type attn_dropout_checkpoint
    normalize_invertible dropout_rng_seed
"""
# bert4keras, keras-bert, bert-for-tf2, UER: how the model is built and trained
_KERAS = """
    mask_zero output_all_encoded_layers pad_token_label_id return_keras_model
    seq_len seq_length sequence_length trainable with_mlm with_nsp with_pool autoresize
"""
HARMLESS = frozenset(" ".join(
    (_TRANSFORMERS, _GENERATION, _GOOGLE, _HEADS, _FAIRSEQ, _NVIDIA, _KERAS)).split())

# what training programs leave: dropout, initialization, rates, steps, sizes of batches, paths, names, dates; private keys
HARMLESS_NAMES = re.compile(
    r"_.*|\w*(dropout|drop_prob|drop_rate|pdrop|layerdrop)\w*|init(ializer)?_(std|factor|scale|range|method\w*)|(train|eval|test|valid|dev|save|log|logging|wandb|optimizer|optim|adam|lr|learning_rate|warmup|weight_decay|"
    r"num_train|num_epochs?|epochs?|max_steps|total_steps|gradient|grad|loss|label_smoothing|early_stop|distill\w*|"
    r"teacher|tokenizer|dataset|data|corpus|trainer)(_\w+)?|"
    r"\w*(_batch_size|_bsz|_seed|_dir|_path|_file|_filename|_url|_version|_date|_steps|_epochs|_learning_rate|_tokenizer)|"
    r"seed|random_seed|version|date|author|license|language|languages|lang|name|model_name\w*|description|comment|tags|"
    r"library_name|pipeline_tag|base_model|do_(lower_case|train|eval|predict|whole_word_mask|basic_tokenize)|lower_?case|"
    r"lowercase|(max_)?(seq|sequence|query|passage|predictions)_(len|length|per_seq)|max_(len|seq_len|seq_length|"
    r"sequence_length|predictions_per_seq)|model_max_length|max_(query|answer|doc\w*)_length|dupe_factor|n_gpu|local_rank|"
    r"device|no_cuda|amp|fp16_\w+|bf16_\w+|tpu\w*|num_(workers|classes|gpus|tpu_cores)|classes|labels|label_list|"
    r"transformers\.js_config|problem|task_name|notes?|git_\w+|commit\w*|created\w*|hostname|user")

NONE = (None,)
# can change the outputs -> the accepted values
MUST_BE: dict[str, tuple] = {
    "add_cross_attention": (False,), "cross_attention_hidden_size": NONE,
    "position_embedding_type": ("absolute",), "max_relative_position": NONE, "max_relative_positions": (-1,),
    "relative_attention": (False,), "position_biased_input": (True,), "pos_att_type": ("", []),
    "use_relative_position": (False,), "use_relative_positions": (False,), "rotary_value": (False,),
    "rope_scaling": NONE, "alibi": (False,), "use_alibi": (False,), "rotary_emb_fraction": (0, 0.0),
    "ln_type": ("postln",),  # brightmart's ALBERT; "preln" in its xxlarge
    "normalization_type": ("layer_norm",), "layer_norm_type": ("layer_norm", "layernorm"), "use_rms_norm": (False,),
    "pre_norm": (False,), "prenorm": (False,), "pre_layer_norm": (False,), "apply_residual_connection_post_layernorm":
    (False,), "encoder_normalize_before": (False,), "emb_layer_norm_before": (False,), "token_dropout": (False,),
    "embedding_layer_norm": (True,), "layernorm_embedding": (True,), "sandwich_norm": (False,),
    "normalize_output": (False,), "use_bias": (True,), "qkv_bias": (True,), "mlp_bias": (True,), "bias": (True,),
    "trigram_input": (False,), "use_bottleneck": (False,), "num_feedforward_networks": (1,),
    "key_query_shared_bottleneck": (False,), "use_mlp_bias": (True,), "moe": (False,), "num_experts": (0, 1),
    "untie_weights_roberta": (False,), "no_token_positional_embeddings": (False,), "encoder_learned_pos": (True,),
    "spectral_norm_classification_head": (False,), "pooler_activation_fn": ("tanh",), "pooler_act": ("tanh",),
    "pooler_activation": ("tanh",), "share_all_embeddings": (True,), "share_decoder_input_output_embed": (True,),
    "quantization_config": ({},), "quantization": (False,), "is_quantized": (False,), "quant_mode": (False,),
    "pruned_heads": ({}, []), "conv_kernel_size": (0,), "head_ratio": (1,), "num_groups": (1,),
    "use_task_embedding": (False,), "use_lang_emb": (False,), "use_language_embedding": (False,),
    "shared_segment_embeddings": (False,), "layer_norm_cond": NONE, "compound_tokens": NONE, "use_glu": (False,),
    "attention_key_size": NONE, "attention_head_size": NONE, "gated_mlp": (False,), "ffn_type": ("ffn", "mlp"),
    "sparse_attention": (False,), "causal": (False,), "use_causal_mask": (False,),
    "logit_scale": (1, 1.0), "scale_embeddings": (False,), "embedding_multiplier": (1, 1.0),
}
# keys that are converted before they reach a field -> their types
KINDS: dict[str, tuple[type, ...]] = {
    "model_type": (str,), "architectures": (list,), "layer_types": (list,), "rope_parameters": (dict,),
    "feed_forward_proj": (str,), "is_decoder": (bool,), "hidden_act": (str,), "tie_word_embeddings": (bool,),
    "global_attn_every_n_layers": (int,), "use_task_id": (bool,), "sinusoidal_pos_embds": (bool,),
    "normalize_before": (bool,), "add_final_layer_norm": (bool,), "normalize_embedding": (bool,), "id2label": (dict,),
    "afn": (str,), "activation_function": (str,), "activation": (str,),
}
WHERE = "tfplm.core.limits.keys"


def check_kinds(values: Mapping[str, Any]) -> None:
    """Raises ValueError for a key of KINDS with another type; null is allowed."""
    for key, kinds in KINDS.items():
        value = values.get(key)
        if value is not None and (type(value) not in kinds or (
                isinstance(value, list) and not all(isinstance(item, str) for item in value))):
            expected = " or ".join(kind.__name__ for kind in kinds) + (" of strings" if list in kinds else "")
            raise ValueError(f"the model's config has {key} = {reprlib.repr(value)}, expected {expected}")
    for key, size in (("global_attn_every_n_layers", values.get("global_attn_every_n_layers")),
                      ("layer_types", len(values.get("layer_types") or ()))):
        if size is not None and size > MAX_LAYERS:
            raise ValueError(f"the model's config has {key} for {size} layers, expected at most {MAX_LAYERS}")


def check_must_be(key: str, value: Any, allowed: tuple) -> None:
    """Raises ValueError for another value than those that are supported, by the list that decides."""
    if value is not None and not any(value == one and type(value) is type(one) for one in allowed):
        expected = " or ".join(repr(one) for one in allowed)
        raise ValueError(f"the model's config has {key} = {reprlib.repr(value)}; only {expected} is supported, as other "
                         f"values change the outputs ({WHERE}.MUST_BE)")


def is_harmless(key: str) -> bool:
    """Returns True if a key cannot change the outputs of a trained model."""
    return key in HARMLESS or HARMLESS_NAMES.fullmatch(key) is not None


def is_misspelled_perhaps(key: str) -> bool:
    """Returns True for a harmless key that is not known as a whole, such as `hiden_dropout_prob`."""
    return is_harmless(key) and key not in HARMLESS and not key.startswith("_")
