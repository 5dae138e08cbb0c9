"""RoBERTa (Liu et al. 2019): BERT's layout, positions counted from the padding id, a different head."""

from collections.abc import Collection
from pathlib import Path

from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.families import bert
from tfplm.families.registry import TF1Release

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
TF1 = TF1Release("roberta_config.json", "roberta_model.ckpt", ("roberta/",))
KEYS = bert.KEYS
# in the order of fairseq's ids, also in a learned vocabulary, as positions are counted from the id of <pad>
TOKENS = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "sep": "</s>", "cls": "<s>", "mask": "<mask>"}
TOKENIZER = TokenizerRules(
    "roberta", "byte_bpe", TOKENS, "{cls} $A {sep}", "{cls} $A {sep} {sep} $B {sep}", reserved_positions=2,
    decoder_start="eos", tokenizer_class="RobertaTokenizer", also=("longformer",), signs=("<s>", "</s>", "<mask>"),
    default_for=("learning",))


def true_type(tensors: Collection[str], directory: Path) -> str | None:
    """BERT's model type for Chinese RoBERTa-wwm-ext (Cui et al. 2019), whose config has roberta; otherwise None."""
    prefixes = {prefix for prefix in (bert.NAMES.hf_prefix, NAMES.hf_prefix)
                if any(name.startswith(prefix) for name in tensors)}
    wordpiece = (directory / "vocab.txt").exists() and not (directory / "merges.txt").exists()
    return bert.MODEL_TYPE if bert.NAMES.hf_prefix in prefixes or (not prefixes and wordpiece) else None
