"""A small bilingual text and a WordPiece vocabulary for it."""

import random

from tfplm.tokenizers import Tokenizer

CHINESE = "自然语言处理是人工智能的一个重要方向我们今天去北京大学看书他喜欢机器学习和深度模型"
ENGLISH = "the model reads text and learns words from many books in a large corpus every day".split()


def make_text(documents=40, seed=0, sentences=12):
    """Text in BERT's layout: one sentence per line, a blank line between documents; every other one is Chinese."""
    rng = random.Random(seed)

    def sentence(chinese):
        if chinese:
            return "".join(rng.choices(CHINESE, k=rng.randint(4, 20))) + "。"
        return " ".join(rng.choices(ENGLISH, k=rng.randint(3, 12))).capitalize() + "."

    return "\n\n".join("\n".join(sentence(index % 2) for _ in range(rng.randint(2, sentences)))
                       for index in range(documents)) + "\n"


def write_vocabulary(path):
    """`vocab.txt` with the words of the text, some of them in two pieces."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "。", ".", *dict.fromkeys(CHINESE), "mod", "##el", "lear",
              "##ns", *ENGLISH]
    words = [piece for piece in dict.fromkeys(pieces) if piece not in ("model", "learns")]
    path.write_text("\n".join(words) + "\n", encoding="utf-8")
    return str(path)


def make_tokenizer(folder):
    return Tokenizer.from_vocab(write_vocabulary(folder / "vocab.txt"))
