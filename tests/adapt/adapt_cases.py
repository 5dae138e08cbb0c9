"""Tiny models, small labelled files, and a quick, silent call of `finetune`."""

import json
from pathlib import Path

import tfplm
from tfplm.adapt.finetune.run import finetune
from tfplm.tokenizers import Tokenizer

GOOD = ["这部电影非常好看", "演员的表演很精彩", "故事感人,值得推荐", "音乐优美,画面漂亮", "我很喜欢这个结局",
        "导演的水平真高", "全家人都看得开心", "今年最好的片子"]
BAD = ["这部电影太难看了", "演员的表演很糟糕", "故事无聊,不值得看", "音乐刺耳,画面粗糙", "我讨厌这个结局",
       "导演的水平真差", "看到一半就睡着了", "今年最烂的片子"]
SENTENCES = [("我在北京大学学习", "OOBIIIOO"), ("上海是一个大城市", "BIOOOOOO"), ("他去了广州", "OOOBI"),
             ("南京的天气很热", "BIOOOOO"), ("明天我们到成都", "OOOOOBI"), ("今天下雨", "OOOO")]
PARAGRAPHS = [("鲁迅于1881年出生于浙江绍兴,他的本名是周树人,是中国著名的文学家。",
               [("鲁迅出生于哪里?", "浙江绍兴"), ("鲁迅的本名是什么?", "周树人"), ("鲁迅是什么人?", "文学家")]),
              ("长江是中国最长的河流,全长约6300公里,发源于青藏高原。",
               [("长江有多长?", "约6300公里"), ("长江发源于哪里?", "青藏高原")])]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TINY = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64,
        "max_position_embeddings": 64, "initializer_range": 0.1, "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0}


def characters() -> list[str]:
    """All characters of the texts in this file, and ASCII."""
    texts = [*GOOD, *BAD, *(words for words, _ in SENTENCES)]
    for context, questions in PARAGRAPHS:
        texts += [context, *(question for question, _ in questions)]
    plain = {chr(code) for code in range(33, 127) if not chr(code).isupper()}
    return sorted(plain | {character for text in texts for character in text if not character.isspace()})


def save_bert(folder: Path, preset: str = "bert-tiny", **changes) -> Path:
    """Saves a tiny, newly initialized model (default: BERT) and its vocabulary."""
    import keras

    folder.mkdir(parents=True, exist_ok=True)
    pieces = [f"##{character}" for character in "abcdefghijklmnopqrstuvwxyz0123456789"]
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *characters(), *pieces]) + "\n", encoding="utf-8")
    tokenizer = Tokenizer.from_pretrained(folder)
    keras.utils.set_random_seed(1)
    model = tfplm.from_config(preset, **{**TINY, "vocab_size": len(tokenizer), **changes})
    tfplm.save_pretrained(model, folder, tokenizer)
    return folder


def train(init, output: Path, **options):
    """`finetune` without output; the defaults overfit a few examples that the training file repeats."""
    options = {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "max_length": 32, "quiet": True, "summary_every": 0,
               "warmup_ratio": 0.0, **options}
    if "preset" not in options:
        options["init"] = str(init)
    return finetune(output=str(output), log_dir=str(output.with_name(output.name + "-log")), **options)


def write_texts(folder: Path, splits=("train", "dev", "test"), rows=None, repeat: int = 15) -> Path:
    """Writes the same rows, `text<TAB>label`, for each split; the training file repeats them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = rows or [*((text, "好评") for text in GOOD), *((text, "差评") for text in BAD)]
    header = {2: "text\tlabel\n", 3: "sentence1\tsentence2\tlabel\n"}[len(rows[0])]
    for split in splits:
        lines = "".join("\t".join(row) + "\n" for row in rows) * (repeat if split == "train" else 1)
        (folder / f"{split}.tsv").write_text(header + lines, encoding="utf-8")
    return folder


def write_tags(folder: Path, splits=("train", "dev"), sentences=None, repeat: int = 15) -> Path:
    """Writes CoNLL files with BIO tags of LOC; `repeat` as in `write_texts`."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = ["\n".join(f"{character}\t{tag if tag == 'O' else tag + '-LOC'}" for character, tag in zip(words, tags))
              for words, tags in sentences or SENTENCES]
    for split in splits:
        text = "\n\n".join(blocks * (repeat if split == "train" else 1)) + "\n"
        (folder / f"{split}.conll").write_text(text, encoding="utf-8")
    return folder


def write_questions(folder: Path, splits=("train", "dev"), impossible: bool = False, repeat: int = 30) -> Path:
    """Writes SQuAD's JSON; with `impossible` in the 2.0 layout, with one question without an answer per paragraph."""
    folder.mkdir(parents=True, exist_ok=True)
    paragraphs = []
    for paragraph, (context, questions) in enumerate(PARAGRAPHS):
        qas = [{"id": f"{paragraph}-{index}", "question": question,
                "answers": [{"text": answer, "answer_start": context.index(answer)}]}
               for index, (question, answer) in enumerate(questions)]
        if impossible:
            for row in qas:
                row["is_impossible"] = False
            qas.append({"id": f"{paragraph}-none", "question": "今天的天气怎么样?", "answers": [], "is_impossible": True})
        paragraphs.append({"context": context, "qas": qas})
    for split in splits:
        (folder / f"{split}.json").write_text(
            json.dumps({"data": [{"paragraphs": paragraphs * (repeat if split == "train" else 1)}]}, ensure_ascii=False),
            encoding="utf-8")
    return folder
