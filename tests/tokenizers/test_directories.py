"""`from_pretrained` on directories of all kinds, and its errors for files that do not fit."""

import json
import shutil

import pytest

import tfplm
from tests.tokenizers.cases import GOLDEN
from tests.tokenizers.conftest import WORDS

BPE = GOLDEN / "tiny_byte_bpe"
UNIGRAM = GOLDEN / "tiny_unigram.model"
load = tfplm.Tokenizer.from_pretrained


def write(path, **files):
    """`vocab_txt=...` -> vocab.txt; dicts become JSON."""
    path.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        stem, _, suffix = name.rpartition("_")
        text = json.dumps(content) if isinstance(content, dict) else content
        (path / f"{stem}.{suffix}").write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("config", [
    {}, {"config_json": {"model_type": "roberta"}}, {"config_json": {"model_type": "gpt2"}},
    {"bert_config_json": {"max_position_embeddings": 512}}, {"albert_config_json": {}},
    {"config_json": {"model_type": "electra"}}], ids=str)
def test_a_vocab_txt_is_bert_with_any_config(vocab_file, config):
    tokenizer = load(write(vocab_file.parent, **config))
    assert tokenizer.family == "bert"
    assert tokenizer("猫")["input_ids"].tolist() == [[3, 17, 4]]


def test_model_types_of_one_file(tmp_path):
    for model_type, ids in [("roberta", [0, "a", 2]), ("bart", [0, "a", 2]), ("gpt2", ["a"])]:
        path = tmp_path / model_type
        shutil.copytree(BPE, path)
        tokenizer = load(write(path, config_json={"model_type": model_type, "max_position_embeddings": 514}))
        assert tokenizer.family == model_type
        assert tokenizer("a")["input_ids"][0].tolist() == [tokenizer.vocab["a"] if i == "a" else i for i in ids]
        assert tokenizer.model_max_length == (512 if model_type == "roberta" else 514)
    assert load(shutil.copytree(BPE, tmp_path / "none")).family == "roberta"  # detected by its <mask> and <s>


def test_sentencepiece_names(tmp_path):
    for index, (name, config, family) in enumerate([
            ("sentencepiece.bpe.model", {}, "xlm-roberta"), ("spiece.model", {}, "t5"), ("my.model", {}, "t5"),
            ("spiece.model", {"config_json": {"model_type": "camembert"}}, "camembert"),
            ("sentencepiece.bpe.model", {"config_json": {"model_type": "bert"},
                                         "tokenizer_config_json": {"tokenizer_class": "XLMRobertaTokenizerFast"}},
             "xlm-roberta"),
            ("sentencepiece.bpe.model", {"config_json": {"model_type": "mbart"},
                                         "tokenizer_config_json": {"tokenizer_class": "MBart50Tokenizer"}}, "mbart50"),
            ("spiece.model", {"config_json": {"model_type": "mt5"}}, "mt5")]):
        path = write(tmp_path / str(index), **config)
        shutil.copyfile(UNIGRAM, path / name)
        assert load(path).family == family, (name, config)


def test_cased_or_not(tmp_path, vocab_file):
    assert load(vocab_file.parent).settings["do_lower_case"] is True
    assert load(vocab_file).tokenize("The") == ["the"]
    cased = write(tmp_path / "cased", vocab_txt="\n".join([*WORDS, "The"]))
    assert load(cased).tokenize("The the") == ["The", "the"]
    assert load(write(cased, tokenizer_config_json={"do_lower_case": True})).tokenize("The") == ["the"]


def test_tokenizer_config_wins_over_tokenizer_json(vocab_file, tmp_path):
    load(vocab_file).save_pretrained(tmp_path / "saved")
    path = write(tmp_path / "saved", tokenizer_config_json={"do_lower_case": False, "model_max_length": 9,
                                                            "padding_side": "left"})
    tokenizer = load(path)
    assert tokenizer.tokenize("The the") == ["[UNK]", "the"]
    assert (tokenizer.model_max_length, tokenizer.padding_side) == (9, "left")


def test_added_tokens_and_special_tokens_map(vocab_file):
    path = write(vocab_file.parent, added_tokens_json={"[E1]": 22, "[E0]": 21},
                 special_tokens_map_json={"mask_token": {"content": "[BLANK]", "lstrip": True},
                                          "additional_special_tokens": ["[E0]"]})
    with pytest.raises(ValueError, match=r"'\[E0\]' should have id 21, but in this vocabulary it is 22: the files do"):
        load(path)
    write(path, special_tokens_map_json={"mask_token": "[unused1]", "additional_special_tokens": ["[E0]"]})
    tokenizer = load(path)
    assert (tokenizer.mask_token_id, len(tokenizer)) == (1, 23)
    assert tokenizer.tokenize("cat [E1] [unused1]") == ["cat", "[E1]", "[unused1]"]
    assert 21 in tokenizer.all_special_ids and 22 not in tokenizer.all_special_ids


def test_vocabularies_with_tabs_and_doubles(tmp_path):
    baidu = write(tmp_path / "baidu", vocab_txt="".join(f"{w}\t{i}\n" for i, w in enumerate(WORDS)))
    assert load(baidu)("我们")["input_ids"].tolist() == [[3, 14, 15, 4]]
    double = write(tmp_path / "double", vocab_txt="\r\n".join([*WORDS, "the"]))
    assert len(load(double)) == len(WORDS) + 1
    assert load(double)("the")["input_ids"].tolist() == [[3, len(WORDS), 4]]


def test_mbart_languages(tmp_path):
    tokenizer = tfplm.Tokenizer.from_sentencepiece(UNIGRAM, "mbart", src_lang="zh_CN")
    ending = tokenizer("the")["input_ids"][0, -2:]
    assert tokenizer.convert_ids_to_tokens(ending) == ["</s>", "zh_CN"]
    tokenizer.set_language("de_DE")
    tokenizer.save_pretrained(tmp_path)
    assert load(tmp_path)("the")["input_ids"][0, -1] == tokenizer.vocab["de_DE"]
    with pytest.raises(ValueError, match=r"unknown language 'xx'; known are ar_AR, cs_CZ"):
        tokenizer.set_language("xx")


def test_published_releases(data):
    bert = load(data("tiny_checkpoints", "bert_toy"))
    assert bert("All work and no play")["input_ids"].tolist() == [[2, 5, 6, 7, 8, 9, 3]]
    gpt2 = load(data("tiny_checkpoints", "gpt2_toy"))
    assert gpt2("Power, give me more power!")["input_ids"].tolist() == [[13434, 11, 1577, 502, 517, 1176, 0]]
    assert gpt2.model_max_length == 20


@pytest.mark.parametrize("files, error, message", [
    ({}, FileNotFoundError, r"no tokenizer in .*: expected tokenizer.json, vocab.txt \(WordPiece\), .*found nothing"),
    ({"notes_md": "x"}, FileNotFoundError, "spiece.model; found notes.md"),
    ({"vocab_json": {}}, FileNotFoundError, "has vocab.json, but no merges.txt; expected both"),
    ({"vocab_txt": "the\ncat"}, ValueError, r"2 tokens has no \[UNK\].*expected BERT's vocab.txt.*\['the', 'cat'\]"),
    ({"vocab_txt": "[UNK]\ncat"}, ValueError, r"special token\(s\) \[SEP\], \[CLS\] are not in the vocabulary of 2"),
    ({"tokenizer_json": "{"}, ValueError, "tokenizer.json is not a tokenizer of the library"),
    ({"vocab_txt": "[UNK]", "config_json": "{"}, ValueError, "config.json is not JSON"),
    ({"vocab_txt": "[UNK]", "config_json": "[1]"}, ValueError, "expected a JSON object, found list"),
    ({"vocab_txt": "[UNK]", "config_json": "[" * 100_000}, ValueError, "config.json is not JSON: maximum recursion"),
    ({"vocab_json": "{'a'", "merges_txt": ""}, ValueError, "vocab.json is not JSON"),
    ({"vocab_json": {"a": 0}, "merges_txt": "#version: 0.2\na b c"}, ValueError, "merges.txt, line 2: expected two"),
    ({"a_model": "text"}, ValueError, r"a.model \(4 bytes\) is not a complete SentencePiece model"),
])
def test_files_that_do_not_fit(tmp_path, files, error, message):
    with pytest.raises(error, match=message):
        load(write(tmp_path / "source", **files))


def test_a_vocabulary_in_gbk(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("[UNK]\n我们".encode("gb18030"))
    with pytest.raises(ValueError, match=r"vocab.txt is not UTF-8 text \(invalid .* at byte 6\)"):
        load(tmp_path)


def test_wrong_special_tokens_and_families(vocab_file):
    with pytest.raises(ValueError, match=r"mask_token '\[BLANK\]' is not in the vocabulary of 21 tokens"):
        tfplm.Tokenizer.from_vocab(vocab_file, mask_token="[BLANK]")
    with pytest.raises(TypeError, match="unknown special token 'blank_token'; known are bos_token, eos_token"):
        tfplm.Tokenizer.from_vocab(vocab_file, blank_token="the")
    with pytest.raises(ValueError, match="no tokenizer rules for model type 'bird'; expected one of albert, bart,"):
        tfplm.Tokenizer.from_vocab(vocab_file, model_type="bird")
    with pytest.raises(FileNotFoundError, match="nowhere/at-all"):
        load("./nowhere/at-all")


def test_the_command(vocab_file, tmp_path, capsys):
    from tfplm.tokenizers.command import tokenize

    assert tokenize(source=str(vocab_file.parent), text=["the cat", "我们"]) == [[3, 6, 7, 4], [3, 14, 15, 4]]
    assert capsys.readouterr().out == "[CLS] the cat [SEP]\n3 6 7 4\n[CLS] 我 们 [SEP]\n3 14 15 4\n"
    (tmp_path / "lines.txt").write_text("the\tcat\ncat ||| mat sat", encoding="utf-8")
    found = tokenize(source=str(vocab_file.parent), file=str(tmp_path / "lines.txt"), pairs=True, max_length=5)
    assert found == [[3, 6, 4, 7, 4], [3, 7, 4, 11, 4]]
    with pytest.raises(ValueError, match="between the two texts of the pair: 'the'"):
        tokenize(source=str(vocab_file), text=["the"], pairs=True)
