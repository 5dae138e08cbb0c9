"""WordPiece against Google's own rules, and the vocab.txt written for Google's repository."""

import pytest

import tfplm
from tests.tokenizers import google_bert
from tests.tokenizers.cases import lines_of

CORPORA = ["zh_novels/honglou_meng.txt", "stsb_zh/sts-b-dev.txt", "wikitext2/test.txt", "wnut17/train.conll"]


@pytest.mark.parametrize("name", ["chinese", "uncased", "cased"])
def test_saved_vocabulary_in_googles_code(name, data, tmp_path):
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", f"bert_base_{name}_vocab.txt"))
    tokenizer.save_pretrained(tmp_path)
    vocab = google_bert.load_vocab(tmp_path / "vocab.txt")
    assert len(vocab) == len(tokenizer)
    lines = [line for corpus in CORPORA for line in lines_of(data(*corpus.split("/")), 200)]
    rows = tokenizer(lines, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
    for line, row in zip(lines, rows):
        assert row.tolist() == [vocab[t] for t in google_bert.tokenize(line, vocab, name != "cased")], line
