"""What the tokenizers of the model families differ in: special tokens, templates, padding side, SentencePiece layout.

A template names roles in braces: `{cls} $A {sep}`; `:1` is the segment (token type) of a piece, 0 when not written.
"""

import dataclasses
from typing import Literal

ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
Kind = Literal["wordpiece", "byte_bpe", "bpe", "sentencepiece"]


@dataclasses.dataclass(frozen=True)
class Family:
    """The rules of one family.

    `head`, `skip` and `tail` turn the pieces of a SentencePiece file into the vocabulary: `head + pieces[skip:] +
    tail`. fairseq's models (XLM-R, mBART, CamemBERT) have their own special tokens before SentencePiece's.
    """

    kind: Kind
    tokens: dict[str, str]  # role -> token
    single: str = "$A"
    pair: str = "$A $B"
    segments: bool = False  # token type ids have a meaning
    pad_segment: int = 0
    padding_side: Literal["left", "right"] = "right"
    extra: tuple[str, ...] = ()  # special tokens without a role
    head: tuple[str, ...] = ()
    skip: int = 0
    tail: tuple[str, ...] = ()
    clean: bool = False  # XLNet's and ALBERT's own normalization, before SentencePiece's
    lower_case: bool = False
    positions: bool = True  # False: relative positions, so no text is too long
    reserved_positions: int = 0  # rows of the position table that no token uses
    tokenizer_class: str = "PreTrainedTokenizerFast"  # the name in Hugging Face's tokenizer_config.json
    file_name: str = ""  # of the SentencePiece model


# in the order of fairseq's ids, which a learned vocabulary keeps: RoBERTa's positions count from the id of <pad>
_SLASH = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "sep": "</s>", "cls": "<s>", "mask": "<mask>"}
_FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")
_LANGUAGES = (
    "ar_AR", "cs_CZ", "de_DE", "en_XX", "es_XX", "et_EE", "fi_FI", "fr_XX", "gu_IN", "hi_IN", "it_IT", "ja_XX",
    "kk_KZ", "ko_KR", "lt_LT", "lv_LV", "my_MM", "ne_NP", "nl_XX", "ro_RO", "ru_RU", "si_LK", "tr_TR", "vi_VN",
    "zh_CN",
)
_LANGUAGES_50 = (
    *_LANGUAGES, "af_ZA", "az_AZ", "bn_IN", "fa_IR", "he_IL", "hr_HR", "id_ID", "ka_GE", "km_KH", "mk_MK", "ml_IN",
    "mn_MN", "mr_IN", "pl_PL", "ps_AF", "pt_XX", "sv_SE", "sw_KE", "ta_IN", "te_IN", "th_TH", "tl_XX", "uk_UA",
    "ur_PK", "xh_ZA", "gl_ES", "sl_SI",
)
_SENTINELS = tuple(f"<extra_id_{i}>" for i in reversed(range(100)))

_BERT = Family("wordpiece", {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"},
               "{cls} $A {sep}", "{cls} $A {sep} $B:1 {sep}:1", segments=True, tokenizer_class="BertTokenizer")
_ROBERTA = Family("byte_bpe", _SLASH, "{cls} $A {sep}", "{cls} $A {sep} {sep} $B {sep}", reserved_positions=2,
                  tokenizer_class="RobertaTokenizer")
_XLM_R = dataclasses.replace(_ROBERTA, kind="sentencepiece", head=_FAIRSEQ, skip=3, tail=("<mask>",),
                             tokenizer_class="XLMRobertaTokenizer", file_name="sentencepiece.bpe.model")
_MBART = dataclasses.replace(_XLM_R, single="$A {eos} {lang}", pair="$A $B {eos} {lang}", extra=_LANGUAGES,
                             tail=(*_LANGUAGES, "<mask>"), reserved_positions=0, tokenizer_class="MBartTokenizer")
_T5 = Family("sentencepiece", {"eos": "</s>", "unk": "<unk>", "pad": "<pad>"}, "$A {eos}", "$A {eos} $B {eos}",
             extra=_SENTINELS, tail=_SENTINELS, positions=False, tokenizer_class="T5Tokenizer",
             file_name="spiece.model")
_ALBERT = Family("sentencepiece", {"bos": "[CLS]", "eos": "[SEP]", "unk": "<unk>", "sep": "[SEP]", "pad": "<pad>",
                                   "cls": "[CLS]", "mask": "[MASK]"}, _BERT.single, _BERT.pair, segments=True,
                 clean=True, lower_case=True, tokenizer_class="AlbertTokenizer", file_name="spiece.model")

# keys are the `model_type` of config.json
FAMILIES: dict[str, Family] = {
    "bert": _BERT,
    "distilbert": dataclasses.replace(_BERT, segments=False, tokenizer_class="DistilBertTokenizer"),
    "roberta": _ROBERTA,
    "bart": dataclasses.replace(_ROBERTA, reserved_positions=0, tokenizer_class="BartTokenizer"),
    "gpt2": Family("byte_bpe", dict.fromkeys(("bos", "eos", "unk"), "<|endoftext|>"), tokenizer_class="GPT2Tokenizer"),
    "openai-gpt": Family("bpe", {"unk": "<unk>"}, tokenizer_class="OpenAIGPTTokenizer"),
    "t5": _T5,
    "mt5": dataclasses.replace(_T5, extra=(), tail=()),
    "albert": _ALBERT,
    "xlnet": Family("sentencepiece", {**_SLASH, "sep": "<sep>", "cls": "<cls>"}, "$A {sep} {cls}:2",
                    "$A {sep} $B:1 {sep}:1 {cls}:2", segments=True, pad_segment=3, padding_side="left",
                    extra=("<eop>", "<eod>"), clean=True, positions=False, tokenizer_class="XLNetTokenizer",
                    file_name="spiece.model"),
    "xlm-roberta": _XLM_R,
    "camembert": dataclasses.replace(_XLM_R, head=("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"),
                                     skip=1, extra=("<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"),
                                     tokenizer_class="CamembertTokenizer"),
    "mbart": _MBART,
    "mbart50": dataclasses.replace(_MBART, single="{lang} $A {eos}", pair="{lang} $A $B {eos}", extra=_LANGUAGES_50,
                                   tail=(*_LANGUAGES_50, "<mask>"), tokenizer_class="MBart50Tokenizer"),
}

# model types whose tokenizer is another family's
SAME_AS = {"electra": "bert", "ernie": "bert", "mobilebert": "bert", "megatron-bert": "bert", "spanbert": "bert",
           "tinybert": "bert", "minilm": "bert", "unilm": "bert", "xlm-roberta-xl": "xlm-roberta", "gpt": "openai-gpt",
           "gpt3": "gpt2", "longformer": "roberta", "umt5": "mt5"}

# what a directory without a config.json is taken for
DEFAULTS: dict[Kind, str] = {"wordpiece": "bert", "byte_bpe": "gpt2", "bpe": "openai-gpt", "sentencepiece": "t5"}


def find(name: str) -> str:
    """The family of a `model_type`, or a ValueError that lists the known ones."""
    name = SAME_AS.get(name, name)
    if name not in FAMILIES:
        raise ValueError(f"no tokenizer rules for model type '{name}'; known are {', '.join([*FAMILIES, *SAME_AS])}")
    return name


def of_class(tokenizer_class: str | None) -> str | None:
    """`"BertTokenizerFast"` -> `"bert"`; None for a class without a family."""
    wanted = (tokenizer_class or "").removesuffix("Fast")
    if wanted == "ElectraTokenizer":
        return "bert"
    return next((name for name, family in FAMILIES.items() if family.tokenizer_class == wanted), None)
