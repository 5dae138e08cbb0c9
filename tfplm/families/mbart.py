"""mBART (Liu et al. 2020): BART with pre-norm blocks on 25 languages; texts carry a language code."""

from tfplm.families import bart

MODEL_TYPE = "mbart"
CLASS = "MBart"
DIALECT = "bart"
CONFIG = {
    **bart.CONFIG, "vocab_size": 250027, "norm_placement": "pre", "final_norm": True, "scale_embedding": True,
    "decoder_start_token_id": None,
}
PRESETS = {"mbart-large-cc25": {}}
NAMES = bart.NAMES
