"""DistilBERT (Sanh et al. 2019): BERT with half the layers, no segments and no pooler."""

from tfplm.core.weight_names import Names
from tfplm.families import bert

MODEL_TYPE = "distilbert"
CLASS = "DistilBert"
DIALECT = "distilbert"
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
