"""ALBERT (Lan et al. 2019): factorized embeddings, weights shared by all layers, sentence order prediction."""

from tfplm.core.keys import Keys
from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.core.weight_names import Names
from tfplm.families import bert
from tfplm.families.registry import TF1Release

MODEL_TYPE = "albert"
CLASS = "Albert"
CONFIG = {
    "vocab_size": 30000, "embedding_size": 128, "share": "all", "hidden_act": "gelu_new", "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0, "classifier_dropout": 0.1, "bos_token_id": 2, "eos_token_id": 3,
}


def _size(hidden: int, layers: int, heads: int) -> dict:
    return {"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
            "intermediate_size": 4 * hidden}


PRESETS = {
    "albert-base-v2": {**_size(768, 12, 12), "hidden_act": "gelu_new"},
    "albert-large-v2": _size(1024, 24, 16),
    "albert-xlarge-v2": _size(2048, 24, 16),
    "albert-xxlarge-v2": _size(4096, 12, 64),
    "albert-tiny-chinese": {**_size(312, 4, 12), "vocab_size": 21128, "intermediate_size": 1248},
    "albert-base-chinese": {**_size(768, 12, 12), "vocab_size": 21128, "hidden_act": "relu"},
}
_HF, _TF1 = "encoder.albert_layer_groups.{g}.albert_layers.{i}.", "encoder/transformer/group_{g}/inner_group_{i}/"
BLOCKS = (
    ("embeddings/project", "encoder.embedding_hidden_mapping_in", "encoder/embedding_hidden_mapping_in"),
    ("encoder/block_{n}/attention/query", _HF + "attention.query", _TF1 + "attention_1/self/query"),
    ("encoder/block_{n}/attention/key", _HF + "attention.key", _TF1 + "attention_1/self/key"),
    ("encoder/block_{n}/attention/value", _HF + "attention.value", _TF1 + "attention_1/self/value"),
    ("encoder/block_{n}/attention/out", _HF + "attention.dense", _TF1 + "attention_1/output/dense"),
    ("encoder/block_{n}/attention_residual/norm", _HF + "attention.LayerNorm", _TF1 + "LayerNorm"),
    ("encoder/block_{n}/ffn/up", _HF + "ffn", _TF1 + "ffn_1/intermediate/dense"),
    ("encoder/block_{n}/ffn/down", _HF + "ffn_output", _TF1 + "ffn_1/intermediate/output/dense"),
    ("encoder/block_{n}/ffn_residual/norm", _HF + "full_layer_layer_norm", _TF1 + "LayerNorm_1"),
    ("pooler", "pooler", "pooler/dense"),
)
HEADS = (
    ("lm_transform", "predictions.dense", "cls/predictions/transform/dense"),
    ("lm_norm", "predictions.LayerNorm", "cls/predictions/transform/LayerNorm"),
    ("lm_bias", "predictions.bias", "cls/predictions/output_bias"),
    ("lm_bias", "predictions.decoder.bias", None),
    ("lm_decoder", "predictions.decoder", None),
    ("next_sentence/kernel", "sop_classifier.classifier.weight", "cls/seq_relationship/output_weights", "transpose"),
    ("next_sentence/bias", "sop_classifier.classifier.bias", "cls/seq_relationship/output_bias"),
)
NAMES = Names(bert.EMBEDDINGS + BLOCKS, HEADS + bert.LABELS, hf_prefix="albert.", tf1_prefix="bert/")
TF1 = TF1Release("albert_config.json", "albert_model.ckpt", ("/transformer/group_0/",))


def _read(values: dict, layout: str) -> dict:
    if layout == "tf1" and values.get("hidden_act") == "gelu":
        values["hidden_act"] = "gelu_new"  # in Google's ALBERT code it is the tanh form
    return values


def _write(values: dict, config, layout: str) -> dict:
    if layout == "tf1" and config.hidden_act in ("gelu", "gelu_new"):
        values["hidden_act"] = "gelu"
    return values


KEYS = Keys({"classifier_dropout": "classifier_dropout_prob"}, _read, _write)
TOKENIZER = TokenizerRules(
    "albert", "sentencepiece", {"bos": "[CLS]", "eos": "[SEP]", "unk": "<unk>", "sep": "[SEP]", "pad": "<pad>",
                                "cls": "[CLS]", "mask": "[MASK]"},
    bert.TOKENIZER.single, bert.TOKENIZER.pair, segments=True, clean=True, lower_case=True,
    tokenizer_class="AlbertTokenizer", file_name="spiece.model", signs=("[CLS]", "[SEP]"), default_for=("learning",),
    layout={"pad_id": 0, "unk_id": 1, "bos_id": -1, "eos_id": -1, "control_symbols": ["[CLS]", "[SEP]", "[MASK]"]})
