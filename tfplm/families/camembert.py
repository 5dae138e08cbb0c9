"""CamemBERT (Martin et al. 2019): RoBERTa for French, with a SentencePiece vocabulary."""

from tfplm.families import bert, roberta, xlm_roberta

MODEL_TYPE = "camembert"
CLASS = "Camembert"
CONFIG = {**roberta.CONFIG, "vocab_size": 32005}
PRESETS: dict[str, dict] = {"camembert-base": {}}
NAMES = roberta.NAMES
KEYS = bert.KEYS
TOKENIZER = xlm_roberta.TOKENIZER.with_(
    "camembert", head=("<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>", "<unk>NOTUSED"), skip=1,
    extra=("<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"), tokenizer_class="CamembertTokenizer")
