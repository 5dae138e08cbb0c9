"""T5 and T5 v1.1 (Raffel et al. 2020): pre-norm encoder-decoder, RMS norms, bucketed relative positions, no biases."""

from tfplm.core.keys import Keys
from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.core.weight_names import Names

MODEL_TYPE = "t5"
CLASS = "T5"
CONFIG = {
    "architecture": "seq2seq", "vocab_size": 32128, "hidden_size": 512, "head_dim": 64, "num_hidden_layers": 6,
    "num_attention_heads": 8, "intermediate_size": 2048, "hidden_act": "relu", "ffn_bias": False,
    "attention_bias": False, "attention_scale": False, "norm_placement": "pre", "norm_type": "rms_norm",
    "embedding_norm": False, "final_norm": True, "layer_norm_eps": 1e-6, "type_vocab_size": 0,
    "position_type": "bucketed", "activation_dropout_prob": 0.1, "final_dropout": True, "initializer_range": 1.0,
    "initializer_scheme": "fan_in", "pooler": False, "lm_transform": False, "lm_bias": False, "lm_scale": True,
    "classifier_dropout": 0.0, "classifier_pooling": "eos", "classifier_act": "tanh", "eos_token_id": 1,
    "decoder_start_token_id": 0,
}


def size(hidden: int, layers: int, heads: int, inner: int, **more) -> dict:
    return {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
            "intermediate_size": inner, **more}


V1_1 = {"hidden_act": "gelu_new", "ffn_gated": True, "tie_word_embeddings": False, "lm_scale": False}
PRESETS = {
    "t5-small": {}, "t5-base": size(768, 12, 12, 3072), "t5-large": size(1024, 24, 16, 4096),
    "t5-3b": size(1024, 24, 32, 16384, head_dim=128), "t5-11b": size(1024, 24, 128, 65536, head_dim=128),
    "t5-v1_1-small": size(512, 8, 6, 1024, **V1_1), "t5-v1_1-base": size(768, 12, 12, 2048, **V1_1),
    "t5-v1_1-large": size(1024, 24, 16, 2816, **V1_1), "t5-v1_1-xl": size(2048, 24, 32, 5120, **V1_1),
    "t5-v1_1-xxl": size(4096, 24, 64, 10240, **V1_1),
}


def _stack(side: str, ffn: int) -> tuple:
    """The rows common to encoder and decoder; `ffn`: the index of the feed-forward layer in their blocks."""
    ours, block = side + "/block_{n}/", side + ".block.{n}.layer."
    return (
        (side + "/norm", side + ".final_layer_norm", None),
        (side + "/relative_bias", side + ".block.0.layer.0.SelfAttention.relative_attention_bias", None),
        (ours + "attention/query", block + "0.SelfAttention.q", None),
        (ours + "attention/key", block + "0.SelfAttention.k", None),
        (ours + "attention/value", block + "0.SelfAttention.v", None),
        (ours + "attention/out", block + "0.SelfAttention.o", None),
        (ours + "attention_residual/norm", block + "0.layer_norm", None),
        (ours + "ffn/up", block + f"{ffn}.DenseReluDense.wi", None),
        (ours + "ffn/gate", block + f"{ffn}.DenseReluDense.wi_0", None),
        (ours + "ffn/linear", block + f"{ffn}.DenseReluDense.wi_1", None),
        (ours + "ffn/down", block + f"{ffn}.DenseReluDense.wo", None),
        (ours + "ffn_residual/norm", block + f"{ffn}.layer_norm", None),
        (None, side + ".embed_tokens", None),
    )


CROSS = (
    ("decoder/block_{n}/cross/query", "decoder.block.{n}.layer.1.EncDecAttention.q", None),
    ("decoder/block_{n}/cross/key", "decoder.block.{n}.layer.1.EncDecAttention.k", None),
    ("decoder/block_{n}/cross/value", "decoder.block.{n}.layer.1.EncDecAttention.v", None),
    ("decoder/block_{n}/cross/out", "decoder.block.{n}.layer.1.EncDecAttention.o", None),
    ("decoder/block_{n}/cross_residual/norm", "decoder.block.{n}.layer.1.layer_norm", None),
    (None, "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias", None),
)
HEADS = (
    ("lm_decoder", "lm_head", None),
    ("classifier_dense", "classification_head.dense", None),
    ("classifier", "classification_head.out_proj", None),
    ("token_classifier", "classifier", None),
    ("qa", "qa_outputs", None),
)
NAMES = Names((("embeddings/word", "shared", None), *_stack("encoder", 1), *_stack("decoder", 2), *CROSS), HEADS)


def _read(values: dict, layout: str) -> dict:
    if "ffn_gated" not in values:
        form = values.pop("feed_forward_proj", "relu")
        activation = form.removeprefix("gated-")
        values |= {"ffn_gated": form != activation,  # in T5 "gated-gelu" is the tanh form
                   "hidden_act": "gelu_new" if form == "gated-gelu" else activation}
    if str((values.get("architectures") or [""])[0]).endswith("EncoderModel"):
        values["architecture"] = "encoder"
    if not {"scale_decoder_outputs", "lm_scale"} & set(values):  # transformers 4 has one key for both
        values["scale_decoder_outputs"] = bool(values.get("tie_word_embeddings", True))
    return values


def _write(values: dict, config, layout: str) -> dict:
    form = "gelu" if config.hidden_act == "gelu_new" and config.ffn_gated else config.hidden_act
    values["feed_forward_proj"] = ("gated-" if config.ffn_gated else "") + form
    silent = ["ffn_gated", "hidden_act"]  # feed_forward_proj contains both
    silent += [name for name in ("decoder_attention_heads", "decoder_intermediate_size") if getattr(config, name) is None]
    return {name: value for name, value in values.items() if name not in silent}


KEYS = Keys({
    "hidden_size": "d_model", "head_dim": "d_kv", "intermediate_size": "d_ff", "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads", "hidden_dropout_prob": "dropout_rate", "layer_norm_eps": "layer_norm_epsilon",
    "initializer_range": "initializer_factor", "lm_scale": "scale_decoder_outputs",
}, _read, _write)
_SENTINELS = tuple(f"<extra_id_{i}>" for i in reversed(range(100)))
TOKENIZER = TokenizerRules(
    "t5", "sentencepiece", {"eos": "</s>", "unk": "<unk>", "pad": "<pad>"}, "$A {eos}", "$A {eos} $B {eos}",
    extra=_SENTINELS, tail=_SENTINELS, positions=False, tokenizer_class="T5Tokenizer", file_name="spiece.model",
    default_for=("reading",), extra_ids=True, without_extra_ids="mt5",
    layout={"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1})
