"""A small BERT vocabulary for tests that need no real one."""

import pytest

import tfplm

WORDS = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "##s", "on", "mat", "un",
         "##happy", "我", "们", "爱", "猫", ",", ".", "。"]


@pytest.fixture
def vocab_file(tmp_path):
    path = tmp_path / "vocab" / "vocab.txt"
    path.parent.mkdir()
    path.write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def tokenizer(vocab_file):
    return tfplm.Tokenizer.from_vocab(vocab_file)
