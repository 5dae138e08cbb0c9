"""GPT-2 (Radford et al. 2019): pre-norm, initial residual projections that decrease with depth, byte-level BPE.

GPT-3 (Brown et al. 2020) is the same with alternating dense and banded attention; its weights were never published.
"""

from tfplm.core.keys import Keys
from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.core.weight_names import Names
from tfplm.families.registry import TF1Release

MODEL_TYPE = "gpt2"
CLASS = "GPT2"
CONFIG = {
    "architecture": "decoder", "vocab_size": 50257, "max_position_embeddings": 1024, "type_vocab_size": 0,
    "hidden_act": "gelu_new", "attention_type": "causal", "norm_placement": "pre", "embedding_norm": False,
    "final_norm": True, "layer_norm_eps": 1e-5, "initializer_scheme": "depth", "pooler": False, "lm_transform": False,
    "lm_bias": False, "classifier_pooling": "last", "choice_pooling": "last", "classifier_bias": False, "pad_token_id": None,
    "bos_token_id": 50256, "eos_token_id": 50256,
}


def _size(hidden: int, layers: int, heads: int, **more) -> dict:
    return {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, **more}


_GPT3 = {"max_position_embeddings": 2048, "attention_type": "sparse"}
PRESETS = {
    "gpt2": {}, "gpt2-medium": _size(1024, 24, 16), "gpt2-large": _size(1280, 36, 20), "gpt2-xl": _size(1600, 48, 25),
    "gpt3-small": _GPT3, "gpt3-medium": _size(1024, 24, 16, **_GPT3), "gpt3-large": _size(1536, 24, 16, **_GPT3),
    "gpt3-xl": _size(2048, 24, 16, **_GPT3), "gpt3-2.7b": _size(2560, 32, 32, **_GPT3),
    "gpt3-6.7b": _size(4096, 32, 32, **_GPT3), "gpt3-13b": _size(5120, 40, 40, **_GPT3),
    "gpt3-175b": _size(12288, 96, 96, **_GPT3),
}
_HF, _TF1 = "h.{n}.", "h{n}/"
BLOCKS = (
    ("decoder/block_{n}/attention/query", _HF + "attn.c_attn", _TF1 + "attn/c_attn", "part 0 of 3"),
    ("decoder/block_{n}/attention/key", _HF + "attn.c_attn", _TF1 + "attn/c_attn", "part 1 of 3"),
    ("decoder/block_{n}/attention/value", _HF + "attn.c_attn", _TF1 + "attn/c_attn", "part 2 of 3"),
    ("decoder/block_{n}/attention/out", _HF + "attn.c_proj", _TF1 + "attn/c_proj"),
    ("decoder/block_{n}/attention_residual/norm", _HF + "ln_1", _TF1 + "ln_1"),
    ("decoder/block_{n}/ffn/up", _HF + "mlp.c_fc", _TF1 + "mlp/c_fc"),
    ("decoder/block_{n}/ffn/down", _HF + "mlp.c_proj", _TF1 + "mlp/c_proj"),
    ("decoder/block_{n}/ffn_residual/norm", _HF + "ln_2", _TF1 + "ln_2"),
    (None, _HF + "attn.bias", None),
    (None, _HF + "attn.masked_bias", None),
)
EMBEDDINGS = (
    ("embeddings/word", "wte", "wte"),
    ("embeddings/position", "wpe", "wpe"),
    ("decoder/norm", "ln_f", "ln_f"),
)
HEADS = (
    ("classifier/kernel", "score.weight", None, "transpose"),
    ("choice", "multiple_choice_head.summary", None, "transpose"),
    ("lm_decoder", "lm_head", None, "transpose"),
    ("token_classifier", "classifier", None, "transpose"),
    ("qa", "qa_outputs", None, "transpose"),
)
LEAVES = {"kernel": ("w",), "bias": ("b",), "gamma": ("g",), "beta": ("b",), "embeddings": ("",)}
NAMES = Names(EMBEDDINGS + BLOCKS, HEADS, hf_prefix="transformer.", tf1_prefix="model/", hf_transposed=False,
              tf1_leaves=LEAVES)
TF1 = TF1Release("hparams.json", "model.ckpt", ("model/h0/",))
CLASSES = {"causal_lm": "LMHeadModel"}


def _read(values: dict, layout: str) -> dict:
    if "n_ctx" in values and "n_vocab" in values:  # OpenAI's hparams.json
        values |= {"n_positions": values.pop("n_ctx"), "vocab_size": values.pop("n_vocab")}
    return values


def _write(values: dict, config, layout: str) -> dict:
    if layout == "tf1":  # OpenAI's hparams.json has no other keys
        return {"n_vocab": config.vocab_size, "n_ctx": config.max_position_embeddings, "n_embd": config.hidden_size,
                "n_head": config.num_attention_heads, "n_layer": config.num_hidden_layers}
    return values


OPENAI = {
    "hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions", "layer_norm_eps": "layer_norm_epsilon",
    "hidden_dropout_prob": "resid_pdrop", "embedding_dropout_prob": "embd_pdrop",
    "attention_probs_dropout_prob": "attn_pdrop",
}
KEYS = Keys({**OPENAI, "hidden_act": "activation_function", "intermediate_size": "n_inner"}, _read, _write, "null",
            must_be={"scale_attn_by_inverse_layer_idx": False, "scale_attn_weights": True})
TOKENIZER = TokenizerRules("gpt2", "byte_bpe", dict.fromkeys(("bos", "eos", "unk"), "<|endoftext|>"),
                           tokenizer_class="GPT2Tokenizer", also=("gpt3",), default_for=("reading",))
