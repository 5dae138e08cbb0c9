"""mT5 (Xue et al. 2020): T5 v1.1 for 101 languages."""

import dataclasses

from tfplm.families import t5

MODEL_TYPE = "mt5"
CLASS = "MT5"
CONFIG = {**t5.CONFIG, **t5.V1_1, "vocab_size": 250112}
PRESETS = {
    "mt5-small": t5.size(512, 8, 6, 1024), "mt5-base": t5.size(768, 12, 12, 2048),
    "mt5-large": t5.size(1024, 24, 16, 2816), "mt5-xl": t5.size(2048, 24, 32, 5120),
    "mt5-xxl": t5.size(4096, 24, 64, 10240),
}
NAMES = t5.NAMES


def _read(values: dict, layout: str) -> dict:
    """transformers 5 writes `tie_word_embeddings: true` to every file, and never scales the outputs."""
    return t5.KEYS.read({"scale_decoder_outputs": values.pop("lm_scale", False), **values}, layout)


KEYS = dataclasses.replace(t5.KEYS, read=_read)
TOKENIZER = t5.TOKENIZER.with_("mt5", extra=(), tail=(), also=("umt5",))
