"""XLNet (Yang et al. 2019): only its tokenizer; the model is not supported."""

from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.families import roberta
from tfplm.families.registry import TF1Release

MODEL_TYPE = "xlnet"
CLASS = "XLNet"
TF1 = TF1Release("xlnet_config.json", "xlnet_model.ckpt")
TOKENIZER = TokenizerRules(
    "xlnet", "sentencepiece", {**roberta.TOKENS, "sep": "<sep>", "cls": "<cls>"}, "$A {sep} {cls}:2",
    "$A {sep} $B:1 {sep}:1 {cls}:2", segments=True, pad_segment=3, padding_side="left", extra=("<eop>", "<eod>"),
    clean=True, positions=False, tokenizer_class="XLNetTokenizer", file_name="spiece.model",
    signs=("<s>", "<cls>", "<sep>"),
    layout={"unk_id": 0, "bos_id": 1, "eos_id": 2,
            "control_symbols": ["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"]})
