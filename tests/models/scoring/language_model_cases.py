"""Tiny language models with their tokenizers, saved in folders."""

import dataclasses

import tfplm
from tfplm.tokenizers.train import train_vocabulary

LINES = ["The whale was white and the sea was wide.", "the ship sailed on the sea", "却说曹操引军追赶，玄德大惊。",
         "今天天气很好，明日天气不好。", "A ship, a whale, a storm!"] * 20
TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
        "max_position_embeddings": 24, "initializer_range": 0.4, "pad_token_id": 0}
# family -> kind of vocabulary, head, fields
FAMILIES = {
    "bert": ("wordpiece", "masked_lm", {}),
    "albert": ("sentencepiece", "pretraining", {"embedding_size": 8}),
    "roberta": ("byte_bpe", "masked_lm", {"max_position_embeddings": 26, "pad_token_id": 1}),
    "gpt2": ("byte_bpe", "causal_lm", {}),
    "bart": ("byte_bpe", "seq2seq_lm", {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
                                        "decoder_start_token_id": 2, "max_position_embeddings": 26}),
    "t5": ("sentencepiece", "seq2seq_lm", {"eos_token_id": 1, "decoder_start_token_id": 0, "initializer_range": 1.0}),
}


@dataclasses.dataclass
class Saved:
    """A model, its tokenizer, and the folder in which both are saved."""

    model: object
    tokenizer: object
    folder: object


def save(family: str, folder, head: str | None = "own", **fields) -> Saved:
    """Saves a randomly initialized model of a family in Hugging Face's layout."""
    kind, own, extra = FAMILIES[family]
    tokenizer = train_vocabulary(LINES, kind, 400, model_type=family)
    config = {**TINY, **extra, **fields, "model_type": family, "vocab_size": len(tokenizer)}
    model = tfplm.from_config(config, own if head == "own" else head)
    tfplm.save_pretrained(model, folder, tokenizer)
    return Saved(model, tokenizer, folder)
