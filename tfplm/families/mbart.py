"""mBART (Liu et al. 2020): BART with pre-norm blocks for 25 languages; texts have a language code."""

from tfplm.families import bart, xlm_roberta

MODEL_TYPE = "mbart"
CLASS = "MBart"
CONFIG = {
    **bart.CONFIG, "vocab_size": 250027, "norm_placement": "pre", "final_norm": True, "scale_embedding": True,
    "decoder_start_token_id": None, "language_code_first": True,
}
PRESETS: dict[str, dict] = {"mbart-large-cc25": {}}
NAMES = bart.NAMES
KEYS = bart.KEYS
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
TOKENIZER = xlm_roberta.TOKENIZER.with_(
    "mbart", single="$A {eos} {lang}", pair="$A $B {eos} {lang}", extra=_LANGUAGES,
    tail=(*_LANGUAGES, "<mask>"), reserved_positions=0, tokenizer_class="MBartTokenizer")
# the model type of mBART-50 (Tang et al. 2020) is also mbart
_MBART50 = TOKENIZER.with_(
    "mbart50", single="{lang} $A {eos}", pair="{lang} $A $B {eos}", extra=_LANGUAGES_50,
    tail=(*_LANGUAGES_50, "<mask>"), tokenizer_class="MBart50Tokenizer", class_decides=True)
MORE_TOKENIZERS = (_MBART50,)
