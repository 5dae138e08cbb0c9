"""`tfplm vocab`: the files it writes, and its messages for an unexpected corpus."""

import random

import pytest

from tfplm.cli import add_flags
from tfplm.data.text.vocab import vocab
from tfplm.options.vocab import VocabOptions
from tfplm.tokenizers import Tokenizer

CHINESE = "却说曹操引军追赶。玄德大惊，急令关羽迎敌！云长曰：“某愿往。”\n操军不战自乱，各自逃生。\n\n次日天明，又战。\n"
ENGLISH = "The whale was white. The sea was wide, and the ship sailed on.\n\nIt was the whale that sank the ship.\n"


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text((CHINESE + ENGLISH) * 30, encoding="utf-8")
    return path


def learn(path, output, **options):
    return vocab(text=[str(path)], output=str(output), quiet=True, **options)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "byte_bpe", "sentencepiece"])
def test_every_kind_reloads_from_its_files(corpus, tmp_path, kind):
    tokenizer = learn(corpus, tmp_path / "out", kind=kind, vocab_size=400)
    again = Tokenizer.from_pretrained(tmp_path / "out")
    text = "The ship sank the whale. 却说玄德大惊。"
    assert (again(text)["input_ids"] == tokenizer(text)["input_ids"]).all()
    if kind != "byte_bpe":
        assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]


def test_wordpiece_is_read_by_hugging_face_and_by_berts_layout(corpus, tmp_path):
    transformers = pytest.importorskip("transformers")
    tokenizer = learn(corpus, tmp_path, vocab_size=200, special_tokens=["[SPEAKER]"], unused_tokens=5)
    lines = (tmp_path / "vocab.txt").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["[PAD]", "[unused1]", "[unused2]"] and "曹" in lines and "[SPEAKER]" in lines
    assert [tokenizer.vocab[token] for token in lines] == list(range(len(tokenizer)))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "[SPEAKER] 玄德 and the whale"
    assert theirs(text)["input_ids"] == tokenizer(text)["input_ids"][0].tolist()


def test_the_report_names_size_files_and_pieces(corpus, tmp_path, capsys):
    vocab(text=[str(corpus)], output=str(tmp_path / "out"), vocab_size=150)
    shown = capsys.readouterr()
    assert "tokens (wordpiece) from" in shown.out and "0.00% unknown" in shown.out
    assert "却 | 说 | 曹 | 操" in shown.out and "vocab.txt" in shown.out
    assert "learning 150 tokens" in shown.err


def test_character_coverage_drops_rare_characters(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("天地玄黄宇宙洪荒。\n" * 500 + "饕餮。\n", encoding="utf-8")
    tokenizer = learn(path, tmp_path / "out", vocab_size=100, character_coverage=0.9995)
    assert "玄" in tokenizer.vocab and "饕" not in tokenizer.vocab


def test_more_tokens_than_the_corpus_supports(corpus, tmp_path, caplog):
    tokenizer = learn(corpus, tmp_path / "out", vocab_size=50_000)
    assert len(tokenizer) < 1000
    assert f"the corpus supports a vocabulary of {len(tokenizer)} tokens, fewer than the 50000" in caplog.text


def test_one_line(tmp_path):
    path = tmp_path / "line.txt"
    path.write_text("学而时习之", encoding="utf-8")
    assert "习" in learn(path, tmp_path / "out", vocab_size=100).vocab


@pytest.mark.slow
def test_a_line_of_ten_megabytes(tmp_path):
    words = ["whale", "ship", "sea", "white", "wide", "sailed", "sank", "storm"]
    choose = random.Random(0).choices
    path = tmp_path / "long.txt"
    path.write_text(" ".join(choose(words, k=1_900_000)), encoding="utf-8")
    assert path.stat().st_size > 10_000_000
    assert "whale" in learn(path, tmp_path / "out", vocab_size=120).vocab


def test_gbk_is_reported(tmp_path):
    path = tmp_path / "gbk.txt"
    path.write_bytes((CHINESE * 50).encode("gb18030"))
    with pytest.raises(ValueError, match="looks like GBK: give --encoding gb18030"):
        learn(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert "曹" in learn(path, tmp_path / "out", vocab_size=100, encoding="gb18030").vocab


@pytest.mark.parametrize("text", ["", "\n\n  \n"])
def test_an_empty_corpus(tmp_path, text):
    path = tmp_path / "empty.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match="the corpus is empty; expected some text: name other files"):
        learn(path, tmp_path / "out")


def test_a_wrong_path_names_the_nearest(corpus, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*corpse\.txt; the nearest: .*corpus\.txt"):
        learn(tmp_path / "corpse.txt", tmp_path / "out")


def test_wrong_settings_are_reported_before_the_corpus_is_read(tmp_path):
    with pytest.raises(ValueError, match="model type 'gpt2' has a byte_bpe vocabulary, not wordpiece"):
        learn(tmp_path / "there is none", tmp_path / "out", model_type="gpt2")


def test_the_flags(capsys):
    import argparse

    parser = argparse.ArgumentParser()
    add_flags(parser, VocabOptions)
    given = parser.parse_args("a.txt b.txt --output out --kind byte_bpe --special-tokens [A] [B]".split())
    assert given.text == ["a.txt", "b.txt"] and given.special_tokens == ["[A]", "[B]"]
