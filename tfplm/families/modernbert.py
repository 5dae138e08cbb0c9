"""ModernBERT (Warner et al. 2024): rotary positions with two bases, local and global layers, GeGLU, no biases."""

from tfplm.core.keys import Keys
from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.core.weight_names import Names

MODEL_TYPE = "modernbert"
CLASS = "ModernBert"
CONFIG = {
    "vocab_size": 50368, "num_hidden_layers": 22, "intermediate_size": 1152, "ffn_gated": True, "ffn_bias": False,
    "attention_bias": False, "layer_pattern": ["global", "local", "local"], "attention_window": 128,
    "norm_placement": "pre", "norm_bias": False, "first_norm": False, "final_norm": True, "layer_norm_eps": 1e-5,
    "type_vocab_size": 0, "position_type": "rotary", "rope_theta": 160000.0, "local_rope_theta": 10000.0,
    "max_position_embeddings": 8192, "initializer_scheme": "depth", "pooler": False, "lm_transform": False,
    "head_act": "gelu", "head_bias": False, "classifier_pooling": "mean", "choice_pooling": "mean", "pad_token_id": 50283,
    "bos_token_id": 50281, "eos_token_id": 50282, "classifier_dropout": 0.0,
    **{f"{part}_dropout_prob": 0.0 for part in ("hidden", "attention_probs", "embedding")},
}
PRESETS = {"modernbert-base": {}, "modernbert-large": {
    "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16, "intermediate_size": 2624}}
_OURS, _HF = "encoder/block_{n}/", "layers.{n}."
BASE = (
    ("embeddings/word", "embeddings.tok_embeddings", None), ("embeddings/norm", "embeddings.norm", None),
    *((f"{_OURS}attention/{name}", _HF + "attn.Wqkv", None, f"part {part} of 3")
      for part, name in enumerate(("query", "key", "value"))),
    (_OURS + "attention/out", _HF + "attn.Wo", None), (_OURS + "attention_residual/norm", _HF + "attn_norm", None),
    (_OURS + "ffn/gate", _HF + "mlp.Wi", None, "part 0 of 2"), (_OURS + "ffn/linear", _HF + "mlp.Wi", None, "part 1 of 2"),
    (_OURS + "ffn/down", _HF + "mlp.Wo", None), (_OURS + "ffn_residual/norm", _HF + "mlp_norm", None),
    ("encoder/norm", "final_norm", None),
)
HEADS = tuple((ours, theirs, None) for ours, theirs in {
    "head_dense": "head.dense", "head_norm": "head.norm", "lm_decoder": "decoder", "lm_bias": "decoder.bias",
    **dict.fromkeys(("classifier", "choice", "token_classifier", "qa"), "classifier")}.items())
NAMES = Names(BASE, HEADS, hf_prefix="model.")


def _read(values: dict, layout: str) -> dict:
    pooling = values.pop("classifier_pooling", "cls").replace("cls", "first")
    pattern = ["global"] + ["local"] * (values.pop("global_attn_every_n_layers", 3) - 1)
    return {"layer_pattern": pattern, "classifier_pooling": pooling, "choice_pooling": pooling, **values}


def _write(values: dict, config, layout: str) -> dict:
    choice = None if config.choice_pooling == config.classifier_pooling else config.choice_pooling
    return {**values, "global_attn_every_n_layers": len(config.layer_kinds),  # read by transformers 4
            "classifier_pooling": config.classifier_pooling.replace("first", "cls"), "choice_pooling": choice}


KEYS = Keys({
    "hidden_act": "hidden_activation", "layer_norm_eps": "norm_eps", "attention_window": "local_attention",
    "rope_theta": "global_rope_theta", "attention_probs_dropout_prob": "attention_dropout", "ffn_bias": "mlp_bias",
    "activation_dropout_prob": "mlp_dropout", "embedding_dropout_prob": "embedding_dropout", "lm_bias": "decoder_bias",
    "head_bias": "classifier_bias", "head_act": "classifier_activation",
    **{name: name for name in ("norm_bias", "attention_bias", "local_rope_theta", "classifier_pooling")},
}, _read, _write, must_be={"rope_scaling": None}, harmless=frozenset((
    "deterministic_flash_attn initializer_cutoff_factor reference_compile repad_logits_with_grad sparse_prediction "
    "sparse_pred_ignore_index").split()))
TOKENIZER = TokenizerRules(
    "modernbert", "byte_bpe", {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "pad": "[PAD]", "mask": "[MASK]"},
    "{cls} $A {sep}", "{cls} $A {sep} $B {sep}", signs=("[CLS]", "[SEP]", "[MASK]"))
