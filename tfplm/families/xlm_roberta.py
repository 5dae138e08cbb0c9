"""XLM-R (Conneau et al. 2019): RoBERTa for 100 languages with one SentencePiece vocabulary."""

from tfplm.families import bert, roberta

MODEL_TYPE = "xlm-roberta"
CLASS = "XLMRoberta"
CONFIG = {**roberta.CONFIG, "vocab_size": 250002}
PRESETS = {
    "xlm-roberta-base": {},
    "xlm-roberta-large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
}
NAMES = roberta.NAMES
KEYS = bert.KEYS
TOKENIZER = roberta.TOKENIZER.with_(
    "xlm-roberta", kind="sentencepiece", head=("<s>", "<pad>", "</s>", "<unk>"), skip=3,
    tail=("<mask>",), decoder_start="", tokenizer_class="XLMRobertaTokenizer", file_name="sentencepiece.bpe.model",
    also=("xlm-roberta-xl",), signs=("<s>", "<mask>"), default_for=("sentencepiece.bpe.model",))
