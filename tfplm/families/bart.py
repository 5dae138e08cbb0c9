"""BART (Lewis et al. 2019): a post-norm encoder-decoder pre-trained by denoising."""

from tfplm.core.keys import Keys
from tfplm.core.weight_names import Names
from tfplm.families import roberta

MODEL_TYPE = "bart"
CLASS = "Bart"
CONFIG = {
    "architecture": "seq2seq", "vocab_size": 50265, "hidden_size": 1024, "num_attention_heads": 16,
    "max_position_embeddings": 1024, "position_offset": 2, "type_vocab_size": 0, "layer_norm_eps": 1e-5,
    "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.0, "pooler": False, "lm_transform": False,
    "classifier_pooling": "eos", "classifier_act": "tanh", "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
    "decoder_start_token_id": 2, "forced_eos_token_id": 2,
}
PRESETS = {
    "bart-base": {"hidden_size": 768, "num_hidden_layers": 6, "num_attention_heads": 12},
    "bart-large": {"forced_bos_token_id": 0},
    "bart-large-cnn": {"vocab_size": 50264, "forced_bos_token_id": 0},
}


def _stack(side: str) -> tuple:
    """The rows common to encoder and decoder."""
    ours, theirs = side + "/block_{n}/", side + ".layers.{n}."
    embeddings = "embeddings" if side == "encoder" else "decoder_embeddings"
    return (
        (f"{embeddings}/position", side + ".embed_positions", None),
        (f"{embeddings}/norm", side + ".layernorm_embedding", None),
        (f"{side}/norm", side + ".layer_norm", None),
        (ours + "attention/query", theirs + "self_attn.q_proj", None),
        (ours + "attention/key", theirs + "self_attn.k_proj", None),
        (ours + "attention/value", theirs + "self_attn.v_proj", None),
        (ours + "attention/out", theirs + "self_attn.out_proj", None),
        (ours + "attention_residual/norm", theirs + "self_attn_layer_norm", None),
        (ours + "ffn/up", theirs + "fc1", None),
        (ours + "ffn/down", theirs + "fc2", None),
        (ours + "ffn_residual/norm", theirs + "final_layer_norm", None),
        (None, side + ".embed_tokens", None),
        (None, side + ".version", None),
    )


CROSS = (
    ("decoder/block_{n}/cross/query", "decoder.layers.{n}.encoder_attn.q_proj", None),
    ("decoder/block_{n}/cross/key", "decoder.layers.{n}.encoder_attn.k_proj", None),
    ("decoder/block_{n}/cross/value", "decoder.layers.{n}.encoder_attn.v_proj", None),
    ("decoder/block_{n}/cross/out", "decoder.layers.{n}.encoder_attn.out_proj", None),
    ("decoder/block_{n}/cross_residual/norm", "decoder.layers.{n}.encoder_attn_layer_norm", None),
)
HEADS = (
    ("lm_bias", "final_logits_bias", None, "reshape"),
    ("lm_decoder", "lm_head", None),
    ("classifier_dense", "classification_head.dense", None),
    ("classifier", "classification_head.out_proj", None),
    ("qa", "qa_outputs", None),
)
NAMES = Names((("embeddings/word", "shared", None), *_stack("encoder"), *_stack("decoder"), *CROSS), HEADS,
              hf_prefix="model.")


def _read(values: dict, layout: str) -> dict:
    if "normalize_before" in values:
        values["norm_placement"] = "pre" if values.pop("normalize_before") else "post"
    if "add_final_layer_norm" in values:
        values["final_norm"] = values.pop("add_final_layer_norm")
    return values


KEYS = Keys({
    "hidden_size": "d_model", "num_hidden_layers": "encoder_layers", "intermediate_size": "encoder_ffn_dim",
    "num_attention_heads": "encoder_attention_heads", "num_decoder_layers": "decoder_layers",
    "decoder_intermediate_size": "decoder_ffn_dim", "hidden_act": "activation_function",
    "hidden_dropout_prob": "dropout", "attention_probs_dropout_prob": "attention_dropout",
    "activation_dropout_prob": "activation_dropout", "initializer_range": "init_std",
    "layerdrop": "encoder_layerdrop", "embedding_norm": "normalize_embedding",
}, _read, must_be={"static_position_embeddings": False})
TOKENIZER = roberta.TOKENIZER.with_("bart", reserved_positions=0, tokenizer_class="BartTokenizer")
