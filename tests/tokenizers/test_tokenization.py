"""The names of google-research/bert's `tokenization.py`."""

import pytest

from tfplm.tokenizers import tokenization

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Go", "go", "##es", "好"]


@pytest.fixture
def vocab(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(TOKENS) + "\n", encoding="utf-8")
    return tmp_path / "vocab.txt"


def test_convert_to_unicode():
    assert tokenization.convert_to_unicode("好") == tokenization.convert_to_unicode("好".encode()) == "好"
    assert tokenization.convert_to_unicode(b"a\xffb") == "ab" and tokenization.printable_text(b"a") == "a"
    with pytest.raises(ValueError, match=r"found a int \(3\); expected str or bytes: convert it with str\(\) first"):
        tokenization.convert_to_unicode(3)


def test_full_tokenizer(vocab):
    lower, cased = tokenization.FullTokenizer(vocab), tokenization.FullTokenizer(str(vocab), do_lower_case=False)
    assert lower.tokenize("Goes 好x") == ["go", "##es", "好", "[UNK]"]
    assert cased.tokenize("Goes 好".encode()) == ["Go", "##es", "好"]
    assert lower.convert_tokens_to_ids(["[CLS]", "好"]) == [2, 8] and lower.convert_ids_to_tokens([2, 8]) == ["[CLS]", "好"]
    assert lower.vocab["go"] == 6 and lower.inv_vocab[6] == "go"
    with pytest.raises(KeyError, match="nothing"):
        lower.convert_tokens_to_ids(["nothing"])
    with pytest.raises(KeyError):
        lower.convert_ids_to_tokens([len(TOKENS)])
