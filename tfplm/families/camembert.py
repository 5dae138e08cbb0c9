"""CamemBERT (Martin et al. 2019): RoBERTa for French, with a SentencePiece vocabulary."""

from tfplm.families import roberta

MODEL_TYPE = "camembert"
CLASS = "Camembert"
CONFIG = {**roberta.CONFIG, "vocab_size": 32005}
PRESETS = {"camembert-base": {}}
NAMES = roberta.NAMES
