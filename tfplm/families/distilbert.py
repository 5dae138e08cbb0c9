"""DistilBERT (Sanh et al. 2019): BERT with half the layers, without segments and pooler."""

from tfplm.core.keys import Keys
from tfplm.core.weight_names import Names
from tfplm.families import bert

MODEL_TYPE = "distilbert"
CLASS = "DistilBert"
CONFIG = {
    "num_hidden_layers": 6, "type_vocab_size": 0, "pooler": False, "classifier_dropout": 0.2,
    "classifier_pooling": "first", "classifier_act": "relu", "choice_pooling": "first", "choice_act": "relu",
}
PRESETS = {
    "distilbert-base-uncased": {},
    "distilbert-base-cased": {"vocab_size": 28996},
    "distilbert-base-multilingual-cased": {"vocab_size": 119547},
}
_HF = "transformer.layer.{n}."
BLOCKS = (
    ("encoder/block_{n}/attention/query", _HF + "attention.q_lin", None),
    ("encoder/block_{n}/attention/key", _HF + "attention.k_lin", None),
    ("encoder/block_{n}/attention/value", _HF + "attention.v_lin", None),
    ("encoder/block_{n}/attention/out", _HF + "attention.out_lin", None),
    ("encoder/block_{n}/attention_residual/norm", _HF + "sa_layer_norm", None),
    ("encoder/block_{n}/ffn/up", _HF + "ffn.lin1", None),
    ("encoder/block_{n}/ffn/down", _HF + "ffn.lin2", None),
    ("encoder/block_{n}/ffn_residual/norm", _HF + "output_layer_norm", None),
)
HEADS = (
    ("lm_transform", "vocab_transform", None),
    ("lm_norm", "vocab_layer_norm", None),
    ("lm_bias", "vocab_projector.bias", None),
    ("lm_decoder", "vocab_projector", None),
    ("classifier_dense", "pre_classifier", None),
    ("classifier", "classifier", None),
    ("choice_dense", "pre_classifier", None),
    ("choice", "classifier", None),
    ("token_classifier", "classifier", None),
    ("qa", "qa_outputs", None),
)
NAMES = Names(bert.EMBEDDINGS + BLOCKS, HEADS, hf_prefix="distilbert.")


def _read(values: dict, layout: str) -> dict:
    if "sinusoidal_pos_embds" in values:
        values["position_type"] = "sinusoidal" if values.pop("sinusoidal_pos_embds") else "learned"
    return values


def _write(values: dict, config, layout: str) -> dict:
    values["sinusoidal_pos_embds"] = values.pop("position_type", config.position_type) == "sinusoidal"
    return values


KEYS = Keys({
    "hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads",
    "intermediate_size": "hidden_dim", "hidden_act": "activation", "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout", "classifier_dropout": "seq_classif_dropout",
}, _read, _write)
TOKENIZER = bert.TOKENIZER.with_("distilbert", segments=False, tokenizer_class="DistilBertTokenizer")
