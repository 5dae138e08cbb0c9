"""Tiny models with a real tokenizer, and example texts."""

import keras

import tfplm
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "the", "cat", "sleeps", "on", "warm", "stone", "s", "##s",
         "dog", "run", "##ning", "query", ":", "rates", "rose", "again", ".", "我", "们", "下", "午", "去", "公", "园",
         "散", "步", "。", "天", "气", "好", "3", "1", "4"]
TINY = {"vocab_size": len(WORDS), "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3,
        "intermediate_size": 19, "max_position_embeddings": 40, "initializer_range": 0.3}
TEXTS = ["the cat sleeps on the warm stone.", "我们下午去公园散步。", "", "a dog", "天气好", "rates rose again. " * 30,
         "🙂👩‍👩‍👧 a dog 🎉", "3.14", "running dogs " * 3, "我" * 25]


def tokenizer(folder):
    path = folder / "vocab.txt"
    path.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return tfplm.Tokenizer.from_vocab(path)


def model(head=None, preset="bert-base-uncased", **changes):
    keras.utils.set_random_seed(3)
    labels = changes.pop("num_labels", None)
    dtype = changes.pop("dtype", None)
    return tfplm.from_config(preset, head, num_labels=labels, dtype=dtype, **{**TINY, **changes})


def encoder(folder, recipe=None, **changes) -> SentenceEncoder:
    return SentenceEncoder(model(**changes), tokenizer(folder), recipe)
