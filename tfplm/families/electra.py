"""ELECTRA (Clark et al. 2020): BERT's layout, trained as a discriminator (replaced tokens) with a small generator."""

from tfplm.core.weight_names import Names
from tfplm.families import bert
from tfplm.families.registry import TF1Release

MODEL_TYPE = "electra"
CLASS = "Electra"
CONFIG = {
    "pooler": False, "lm_transform_act": "gelu", "classifier_pooling": "first", "classifier_act": "gelu",
    "choice_pooling": "first", "choice_act": "gelu",
}
_SMALL = {"hidden_size": 256, "embedding_size": 128, "num_attention_heads": 4, "intermediate_size": 1024}
_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
PRESETS = {
    "electra-small-discriminator": _SMALL,
    "electra-small-generator": _SMALL,
    "electra-base-discriminator": {},
    "electra-base-generator": {**_SMALL, "embedding_size": 768},
    "electra-large-discriminator": _LARGE,
    "electra-large-generator": {"hidden_size": 256, "embedding_size": 1024, "num_hidden_layers": 24,
                                "num_attention_heads": 4, "intermediate_size": 1024},
    "chinese-electra-180g-small-discriminator": {**_SMALL, "vocab_size": 21128},
    "chinese-electra-180g-base-discriminator": {"vocab_size": 21128},
}
HEADS = (
    ("lm_transform", "generator_predictions.dense", "generator_predictions/dense"),
    ("lm_norm", "generator_predictions.LayerNorm", "generator_predictions/LayerNorm"),
    ("lm_bias", "generator_lm_head.bias", "generator_predictions/output_bias"),
    ("lm_decoder", "generator_lm_head", None),
    ("rtd_dense", "discriminator_predictions.dense", "discriminator_predictions/dense"),
    ("rtd_out", "discriminator_predictions.dense_prediction", "discriminator_predictions/dense_1"),
    ("classifier_dense", "classifier.dense", None),
    ("classifier", "classifier.out_proj", None),
    ("choice_dense", "sequence_summary.summary", None),
    ("choice", "classifier", None),
    ("token_classifier", "classifier", None),
    ("qa", "qa_outputs", None),
)
PROJECTION = (("embeddings/project", "embeddings_project", "embeddings_project"),)
# a TF1 checkpoint contains discriminator and generator, which share the embeddings
NAMES = Names(bert.EMBEDDINGS + PROJECTION + bert.BLOCKS, HEADS, hf_prefix="electra.", tf1_prefix="electra/",
              ignored=("generator/", "generator_predictions/"))


def _generator(rows: tuple, scope: str) -> tuple:
    return tuple((ours, theirs, name and scope + name) for ours, theirs, name in rows)


_GENERATOR = NAMES.with_(
    base=_generator(bert.EMBEDDINGS, "electra/") + _generator(PROJECTION + bert.BLOCKS, "generator/"), tf1_prefix="",
    ignored=("electra/encoder/", "electra/embeddings_project/", "discriminator_predictions/"))
TF1 = TF1Release("electra_config.json", "electra_model.ckpt", ("electra/",), {"masked_lm": _GENERATOR})
CLASSES = {"replaced_token_detection": "ForPreTraining"}
KEYS, TOKENIZER = bert.KEYS, bert.TOKENIZER
