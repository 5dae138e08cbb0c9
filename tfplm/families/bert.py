"""BERT (Devlin et al. 2019), and models with its layout: Chinese BERT-wwm and RoBERTa-wwm-ext (Cui et al. 2019),
MacBERT and RBT (first layers only), SpanBERT (Joshi et al. 2019), MiniLM, TinyBERT, UniLM (Dong et al. 2019, prefix
mask).
"""

from tfplm.core.keys import Keys
from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.core.weight_names import Names
from tfplm.families.registry import TF1Release

MODEL_TYPE = "bert"
CLASS = "Bert"
CONFIG: dict = {}

_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
_CHINESE = {"vocab_size": 21128}


def _small(layers: int, hidden: int) -> dict:
    return {"num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": hidden // 64}


PRESETS = {
    "bert-base-uncased": {},
    "bert-base-cased": {"vocab_size": 28996},
    "bert-base-chinese": _CHINESE,
    "bert-base-multilingual-cased": {"vocab_size": 119547},
    "bert-large-uncased": _LARGE,
    # not released: the larger model that is worse than bert-large (ALBERT, table 1 and section 1)
    "bert-xlarge": {"vocab_size": 30000, "hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 32,
                    "intermediate_size": 8192},
    "bert-large-cased": {**_LARGE, "vocab_size": 28996},
    "bert-tiny": _small(2, 128), "bert-mini": _small(4, 256), "bert-small": _small(4, 512),
    "bert-medium": _small(8, 512),
    "chinese-bert-wwm": _CHINESE, "chinese-bert-wwm-ext": _CHINESE,
    "chinese-roberta-wwm-ext": _CHINESE, "chinese-roberta-wwm-ext-large": {**_LARGE, **_CHINESE},
    "chinese-macbert-base": _CHINESE, "chinese-macbert-large": {**_LARGE, **_CHINESE},
    "rbt3": {**_CHINESE, "num_hidden_layers": 3}, "rbt4": {**_CHINESE, "num_hidden_layers": 4},
    "rbt6": {**_CHINESE, "num_hidden_layers": 6}, "rbtl3": {**_LARGE, **_CHINESE, "num_hidden_layers": 3},
    "spanbert-base-cased": {"vocab_size": 28996}, "spanbert-large-cased": {**_LARGE, "vocab_size": 28996},
    "minilm-l12-h384": {"hidden_size": 384, "intermediate_size": 1536},
    "minilm-l6-h384": {"num_hidden_layers": 6, "hidden_size": 384, "intermediate_size": 1536},
    "tinybert-4l-312d": {"num_hidden_layers": 4, "hidden_size": 312, "intermediate_size": 1200},
    "tinybert-6l-768d": {"num_hidden_layers": 6},
    "unilm-base-cased": {"vocab_size": 28996, "attention_type": "prefix"},
    "unilm-large-cased": {**_LARGE, "vocab_size": 28996, "attention_type": "prefix"},
}

_HF, _TF1 = "encoder.layer.{n}.", "encoder/layer_{n}/"
EMBEDDINGS = (
    ("embeddings/word", "embeddings.word_embeddings", "embeddings/word_embeddings"),
    ("embeddings/position", "embeddings.position_embeddings", "embeddings/position_embeddings"),
    ("embeddings/token_type", "embeddings.token_type_embeddings", "embeddings/token_type_embeddings"),
    ("embeddings/norm", "embeddings.LayerNorm", "embeddings/LayerNorm"),
    (None, "embeddings.position_ids", None),
    (None, "embeddings.token_type_ids", None),
)
BLOCKS = (
    ("encoder/block_{n}/attention/query", _HF + "attention.self.query", _TF1 + "attention/self/query"),
    ("encoder/block_{n}/attention/key", _HF + "attention.self.key", _TF1 + "attention/self/key"),
    ("encoder/block_{n}/attention/value", _HF + "attention.self.value", _TF1 + "attention/self/value"),
    ("encoder/block_{n}/attention/out", _HF + "attention.output.dense", _TF1 + "attention/output/dense"),
    ("encoder/block_{n}/attention_residual/norm", _HF + "attention.output.LayerNorm",
     _TF1 + "attention/output/LayerNorm"),
    ("encoder/block_{n}/ffn/up", _HF + "intermediate.dense", _TF1 + "intermediate/dense"),
    ("encoder/block_{n}/ffn/down", _HF + "output.dense", _TF1 + "output/dense"),
    ("encoder/block_{n}/ffn_residual/norm", _HF + "output.LayerNorm", _TF1 + "output/LayerNorm"),
)
POOLER = (("pooler", "pooler.dense", "pooler/dense"),)
PREDICTIONS = (
    ("lm_transform", "cls.predictions.transform.dense", "cls/predictions/transform/dense"),
    ("lm_norm", "cls.predictions.transform.LayerNorm", "cls/predictions/transform/LayerNorm"),
    ("lm_bias", "cls.predictions.bias", "cls/predictions/output_bias"),
    ("lm_bias", "cls.predictions.decoder.bias", None),
    ("lm_decoder", "cls.predictions.decoder", None),
    ("next_sentence/kernel", "cls.seq_relationship.weight", "cls/seq_relationship/output_weights", "transpose"),
    ("next_sentence/bias", "cls.seq_relationship.bias", "cls/seq_relationship/output_bias"),
)
# in TF1 the names of the classifier are those of run_classifier.py, and those of the answer span of run_squad.py
LABELS = (
    ("classifier/kernel", "classifier.weight", "output_weights", "transpose"),
    ("classifier/bias", "classifier.bias", "output_bias"),
    ("choice", "classifier", None),
    ("token_classifier", "classifier", None),
    ("qa/kernel", "qa_outputs.weight", "cls/squad/output_weights", "transpose"),
    ("qa/bias", "qa_outputs.bias", "cls/squad/output_bias"),
)
NAMES = Names(EMBEDDINGS + BLOCKS + POOLER, PREDICTIONS + LABELS, hf_prefix="bert.", tf1_prefix="bert/")
TF1 = TF1Release("bert_config.json", "bert_model.ckpt", ("bert/",))
CLASSES = {"causal_lm": "LMHeadModel"}


def _read(values: dict, layout: str) -> dict:
    if values.pop("is_decoder", False):
        values["attention_type"] = "causal"
    return values


def _write(values: dict, config, layout: str) -> dict:
    if values.get("attention_type") == "causal":
        values["is_decoder"] = values.pop("attention_type") == "causal"
    return values


KEYS = Keys(read=_read, write=_write)
TOKENIZER = TokenizerRules(
    "bert", "wordpiece", {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"},
    "{cls} $A {sep}", "{cls} $A {sep} $B:1 {sep}:1", segments=True, tokenizer_class="BertTokenizer",
    also=("mobilebert", "megatron-bert", "spanbert", "tinybert", "minilm", "unilm"), default_for=("reading", "learning"))
