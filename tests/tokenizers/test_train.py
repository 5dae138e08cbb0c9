"""Training of vocabularies on a corpus."""

import logging
import re

import pytest

import tfplm
from tfplm.tokenizers.train import train_vocabulary, unknown_share

KINDS = ["wordpiece", "bpe", "byte_bpe", "sentencepiece"]


@pytest.fixture(scope="module")
def corpus(data):
    """Lines of Chinese and English text."""
    chinese = data("zh_novels", "xiyou_ji.txt").read_text(encoding="utf-8").split("\n")[:150]
    english = data("wikitext2", "valid.txt").read_text(encoding="utf-8").split("\n")[:300]
    return chinese + english


@pytest.mark.parametrize("kind", KINDS)
def test_learned_from_both_languages(corpus, kind, tmp_path):
    tokenizer = train_vocabulary(corpus, kind, 2500, special_tokens=("[E]",), unused_tokens=3,
                                 character_coverage=0.999)
    assert 2480 <= len(tokenizer) <= 2500
    assert {"[unused1]", "[unused3]", "[E]"} <= set(tokenizer.vocab)
    assert "[E]" in tokenizer.all_special_tokens
    assert tokenizer.tokenize("a[E]b").count("[E]") == 1
    text = "天地猴王 of the world"
    ids = tokenizer(text)["input_ids"]
    assert (ids != tokenizer.unk_token_id).all()
    assert len(tokenizer.tokenize("the the the")) <= 6  # frequent words are one piece
    tokenizer.save_pretrained(tmp_path)
    assert tfplm.Tokenizer.from_pretrained(tmp_path)(text)["input_ids"].tolist() == ids.tolist()
    again = train_vocabulary(iter(corpus), kind, 2500, special_tokens=("[E]",), unused_tokens=3,
                             character_coverage=0.999)
    assert again.vocab == tokenizer.vocab


def test_chinese_wordpiece_has_single_characters_only(corpus):
    tokenizer = train_vocabulary(corpus[:150], "wordpiece", 5000)
    assert not [token for token in tokenizer.vocab if len(token.removeprefix("##")) > 1 and "\u4e00" <= token[-1]
                <= "\u9fff"]
    assert not [token for token in tokenizer.vocab if token.startswith("##") and "\u4e00" <= token[2] <= "\u9fff"]


def test_order_of_the_special_tokens(corpus):
    bert = train_vocabulary(corpus, "wordpiece", 500, unused_tokens=2)
    assert bert.convert_ids_to_tokens(range(7))[:7] == [
        "[PAD]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    roberta = train_vocabulary(corpus, "byte_bpe", 500)
    assert roberta.convert_ids_to_tokens(range(5)) == ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


@pytest.mark.parametrize("model_type, kind, template", [
    ("gpt2", "byte_bpe", []), ("bart", "byte_bpe", ["<s>", "</s>"]), ("t5", "sentencepiece", ["</s>"]),
    ("xlnet", "sentencepiece", ["<sep>", "<cls>"]), ("xlm-roberta", "sentencepiece", ["<s>", "</s>"]),
    ("electra", "wordpiece", ["[CLS]", "[SEP]"])])
def test_families(corpus, model_type, kind, template):
    tokenizer = train_vocabulary(corpus[150:], kind, 700, model_type=model_type)
    ids = tokenizer("the")["input_ids"][0]
    assert [token for token in tokenizer.convert_ids_to_tokens(ids) if token[0] in "<["] == template
    assert 680 <= len(tokenizer) <= 700


def test_case_and_rare_characters():
    lines = ["The cat", "the dog", "The end", "ß"] * 3 + ["囧"]
    assert "The" in train_vocabulary(lines, lowercase=False).vocab
    assert "The" not in train_vocabulary(lines).vocab
    assert "囧" in train_vocabulary(lines).vocab
    rare = train_vocabulary(lines, character_coverage=0.98)
    assert "囧" not in rare.vocab and rare.tokenize("囧") == ["[UNK]"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_small_corpus_gives_a_small_vocabulary(kind, caplog):
    with caplog.at_level(logging.WARNING):
        tokenizer = train_vocabulary(["one line of text"], kind, 5000)
    assert len(tokenizer) < 400
    assert f"supports a vocabulary of {len(tokenizer)} tokens, fewer than the 5000 asked for" in caplog.text
    assert tokenizer.decode(tokenizer("one line")["input_ids"][0]) == "one line"


def test_a_long_line_counts_like_a_short_one(corpus):
    english = " ".join(line for line in corpus[150:] if line.strip())
    tokenizer = train_vocabulary([english * 5], "sentencepiece", 1000)
    assert tokenizer.tokenize("the") == ["▁the"]


@pytest.mark.parametrize("arguments, message", [
    ({"lines": []}, "the corpus has no text to learn a vocabulary from"),
    ({"lines": iter(["", " \n"]), "kind": "sentencepiece"}, "the corpus has no text"),
    ({"lines": ["a"], "kind": "word"}, "kind='word': expected wordpiece, bpe, byte_bpe, sentencepiece"),
    ({"lines": ["a"], "vocab_size": 6}, "vocab_size=6 leaves room for 0 tokens besides the special tokens"),
    ({"lines": ["a"], "vocab_size": 200, "kind": "byte_bpe"}, "byte_bpe needs 256 or more"),
    ({"lines": ["a"], "model_type": "t5"}, "model type 't5' has a sentencepiece vocabulary, not wordpiece"),
    ({"lines": ["a"], "character_coverage": 0}, "character_coverage=0: expected a share"),
    ({"lines": ["a"], "kind": "byte_bpe", "lowercase": True}, "byte-level BPE is cased"),
])
def test_wrong_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        train_vocabulary(**arguments)


MANY = ["".join(chr(0x4e00 + 7 * line + column) for column in range(30)) for line in range(90)] * 2  # 653 characters


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "sentencepiece"])
def test_too_many_unknown_tokens_name_the_size_that_is_enough(kind, caplog):
    with caplog.at_level(logging.WARNING):
        small = train_vocabulary(MANY, kind, 300)
        assert unknown_share(small, MANY) > 0.01
        assert re.search(r"(\d\d\.\d\d)% of the tokens of the corpus are unknown, expected at most 1%; raise --vocab-size "
                         r"\(vocab_size\) from 300 to", caplog.text)
        assert "the corpus supports" not in caplog.text  # although there may be one token less
        enough = int(re.search(r"from 300 to ([\d,]+), where all of its 653 characters", caplog.text)[1].replace(",", ""))
        caplog.clear()
        large = train_vocabulary(MANY, kind, enough)
        assert unknown_share(large, MANY) == 0 and len(large) <= enough and "unknown" not in caplog.text
        assert 300 < enough < 1400


def test_unknown_tokens_because_of_the_coverage(caplog):
    with caplog.at_level(logging.WARNING):
        train_vocabulary(["天地玄黄宇宙洪荒"] * 9 + ["饕餮饕餮"], "wordpiece", 500, character_coverage=0.9)
        assert "raise --character-coverage (character_coverage) from 0.9" in caplog.text
        caplog.clear()
        train_vocabulary(["天地玄黄宇宙洪荒"] * 99 + ["饕"], "wordpiece", 500, character_coverage=0.999)
    assert "unknown" not in caplog.text


def test_rare_characters_are_learned_as_they_are_read():
    lines = ["a\ue001b \U0002b8a2c", "\u03a3\u0391\u03a3"] * 3
    tokenizer = train_vocabulary(lines, "wordpiece", 100)
    assert unknown_share(tokenizer, lines) == 0
    assert {"\ue001", "\U0002b8a2"} & set("".join(tokenizer.vocab)) == {"\ue001", "\U0002b8a2"}
    assert "##\U0002b8a2" not in tokenizer.vocab
