"""RoBERTa (Liu et al. 2019): BERT's layout, positions counted from the padding id, a head of its own."""

from tfplm.families import bert

MODEL_TYPE = "roberta"
CLASS = "Roberta"
CONFIG = {
    "vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5,
    "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "position_offset": 2, "positions_from_ids": True,
    "lm_transform_act": "gelu", "classifier_pooling": "first", "classifier_act": "tanh",
}
PRESETS = {
    "roberta-base": {},
    "roberta-large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
}
HEADS = (
    ("lm_transform", "lm_head.dense", None),
    ("lm_norm", "lm_head.layer_norm", None),
    ("lm_bias", "lm_head.bias", None),
    ("lm_bias", "lm_head.decoder.bias", None),
    ("lm_decoder", "lm_head.decoder", None),
    ("classifier_dense", "classifier.dense", None),
    ("classifier", "classifier.out_proj", None),
    ("choice", "classifier", None),
    ("token_classifier", "classifier", None),
    ("qa", "qa_outputs", None),
)
NAMES = bert.NAMES.with_(heads=HEADS, hf_prefix="roberta.", tf1_prefix="roberta/")
