"""Vocabularies and their companions as editors, scripts and other libraries leave them."""

import json
import logging

import pytest

import tfplm
from tests.tokenizers.cases import GOLDEN
from tests.tokenizers.conftest import WORDS
from tfplm.tokenizers.files import read_lines, read_merges, read_vocab

TEXT = "\n".join(WORDS) + "\n"
IDS = {word: index for index, word in enumerate(WORDS)}


def load(path):
    return tfplm.Tokenizer.from_pretrained(path)


@pytest.mark.parametrize("content", [
    TEXT, TEXT[:-1], "\ufeff" + TEXT, TEXT.replace("\n", "\r\n"), TEXT.replace("\n", "\r"), TEXT + "\n\n  \n",
    "\ufeff" + TEXT.replace("\n", "\r\n") + "\r\n", TEXT.replace("\n", " \t\n"), TEXT.replace("\n", "\u3000\n"),
    "".join(f"{word}\t{index}\n" for index, word in enumerate(WORDS)),
    "".join(f"{word}\t{index}\r\n" for index, word in reversed(list(enumerate(WORDS)))),
    "".join(f"{word} {index}\n" for index, word in enumerate(WORDS)),
    "".join(f"{index}\t{word}\n" for index, word in enumerate(WORDS)),
], ids=repr)
def test_files_that_are_right(tmp_path, content, caplog):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content.encode())
    with caplog.at_level(logging.WARNING):
        assert read_vocab(path) == IDS
        tokenizer = load(path)
        assert tokenizer(["cats", "cat"], ["我", "我"])["input_ids"].tolist() == [
            [3, 7, 9, 4, 14, 4], [3, 7, 4, 14, 4, 0]]
    assert tokenizer.pad_token_id == 0 and len(tokenizer) == len(WORDS)
    assert caplog.text == ""


@pytest.mark.parametrize("content, changed, message", [
    (TEXT.replace("cat\n", "cat\n\n \n"), {"": 9, "[duplicate 8]": 8, "sat": 10, "。": 22},
     "has 2 blank lines, which take an id each (the first on line 9); ids are the numbers of the lines"),
    (TEXT + "the\ncat\n", {"the": 21, "cat": 22, "[duplicate 6]": 6},
     "has 2 tokens that an earlier line has too, of which the last counts (the first on line 22)"),
    (TEXT + "new york\n", {"new york": 21},
     "has 1 tokens with white space inside, which match no text (the first on line 22)"),
    ("".join(f"{word}\t{9 - index // 3}\n" for index, word in enumerate(WORDS)), {},
     "has 21 lines with a number beside the token ('9'), which is taken for a count and ignored (the first on line 1)"),
    ("[PAD]\n" + "".join(f"{word} -{index}.25\n" for index, word in list(enumerate(WORDS))[1:]), {},
     "has 20 lines with a number beside the token ('-1.25'), which is taken for a count and ignored (the first on line 2)"),
    ("".join(f"{99 - index:7d} {word}\n" for index, word in enumerate(WORDS)), {},
     "has 21 lines with a number beside the token ('99'), which is taken for a count and ignored (the first on line 1)"),
])
def test_findings_are_logged_in_one_line(tmp_path, caplog, content, changed, message):
    path = tmp_path / "vocab.txt"
    path.write_text(content, encoding="utf-8", newline="")
    with caplog.at_level(logging.WARNING):
        found = read_vocab(path)
    assert {token: found[token] for token in changed} == changed
    assert changed or found == IDS
    assert [record.message.startswith(f"{path} {message}") for record in caplog.records] == [True]
    assert "\n" not in caplog.records[0].message


@pytest.mark.parametrize("content, message", [
    (TEXT.encode("utf-16"), "is UTF-16 text .*UTF-8 is expected: convert it, for example with iconv -f UTF-16 -t UTF-8"),
    ("\ufeff".encode("utf-16-be") + TEXT.encode("utf-16-be"), "is UTF-16 text"),
    (TEXT.encode("utf-32"), "is UTF-32 text"),
    (TEXT.encode("utf-16-le"), "is not UTF-8 text .*many zero bytes.*convert it"),
    ((TEXT + "café\n").encode("utf-8").replace("é".encode(), b"\xe9"),
     "is not UTF-8 text .* 0xe9.*Latin-1 or GBK: convert the file to UTF-8"),
    (b"", r"the vocabulary of \d tokens has no \[UNK\]"),
    (TEXT.replace("[UNK]", "<unk>").encode(), r"has no \[UNK\].*if '<unk>' is that token, pass unk_token='<unk>'"),
    (TEXT.replace("[SEP]", "[sep]").encode(), r"special token\(s\) \[SEP\] are not in the vocabulary"),
])
@pytest.mark.parametrize("name", ["vocab.txt", "my-vocab.txt"])
def test_files_that_are_refused(tmp_path, content, message, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json",
                                  "added_tokens.json", "config.json"])
def test_every_file_of_a_folder_may_have_a_mark_but_not_another_encoding(tmp_path, name):
    ids = json.loads((GOLDEN / "tiny_byte_bpe" / "vocab.json").read_text(encoding="utf-8"))
    files = {"vocab.json": json.dumps(ids), "config.json": json.dumps({"model_type": "roberta"}),
             "merges.txt": (GOLDEN / "tiny_byte_bpe" / "merges.txt").read_text(encoding="utf-8"),
             "tokenizer_config.json": json.dumps({"model_max_length": 99}),
             "special_tokens_map.json": json.dumps({"mask_token": "<mask>"}),
             "added_tokens.json": json.dumps({"[NEW]": max(ids.values()) + 1})}
    for file, content in files.items():
        (tmp_path / file).write_bytes(content.encode())
    expected = load(tmp_path)("the [NEW] cat")["input_ids"].tolist()
    (tmp_path / name).write_bytes(("\ufeff" + files[name]).replace("\n", "\r\n").encode())
    again = load(tmp_path)
    assert again("the [NEW] cat")["input_ids"].tolist() == expected and again.model_max_length == 99
    (tmp_path / name).write_bytes(files[name].encode("utf-16"))
    with pytest.raises(ValueError, match=f"{name} is UTF-16 text"):
        load(tmp_path)


def test_a_tokenizer_json_with_a_mark(vocab_file, tmp_path):
    load(vocab_file).save_pretrained(tmp_path / "saved")
    path = tmp_path / "saved" / "tokenizer.json"
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert load(path.parent)("我们")["input_ids"].tolist() == [[3, 14, 15, 4]]


@pytest.mark.parametrize("file, content, message", [
    ("added_tokens.json", {"[E]": "21"}, r"added_tokens.json: the token '\[E\]' has '21', expected its id, an integer"),
    ("added_tokens.json", ["[E]"], "added_tokens.json: expected a JSON object, found list"),
    ("special_tokens_map.json", {"mask_token": 5}, "a special token is 5, expected a string or an object"),
    ("tokenizer_config.json", {"added_tokens_decoder": {"21": {"lstrip": True}}}, "a special token is .*lstrip"),
])
def test_companions_that_do_not_fit(vocab_file, file, content, message):
    vocab_file.with_name(file).write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load(vocab_file.parent)


def test_ids_that_are_none(tmp_path):
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1.5}')
    (tmp_path / "merges.txt").write_text("a b\n")
    with pytest.raises(ValueError, match=r"vocab.json: the token 'b' has 1.5, expected its id, an integer from 0"):
        load(tmp_path)


@pytest.mark.parametrize("content", [
    "#version: 0.2\na b\nab c\n", "\ufeff#version: 0.2\r\na b\r\nab c\r\n", "a b \nab c\t\n\n", "a b\rab c",
    "a b 90\nab c 12"])
def test_merges(tmp_path, content):
    (tmp_path / "merges.txt").write_bytes(content.encode())
    assert read_merges(tmp_path / "merges.txt") == [("a", "b"), ("ab", "c")]


@pytest.mark.parametrize("content", ["a b\na b c\n", "a\n", "a  b\n", " a\n", "a\tb\n"])
def test_wrong_merges(tmp_path, content):
    (tmp_path / "merges.txt").write_text(content)
    with pytest.raises(ValueError, match="merges.txt, line [12]: expected two pieces separated by a space, found"):
        read_merges(tmp_path / "merges.txt")


def test_lines(tmp_path):
    for content, lines in [("", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\r\rb\r", ["a", "", "b"]), ("a\rb\n", ["a\rb"])]:
        (tmp_path / "lines").write_bytes(content.encode())
        assert read_lines(tmp_path / "lines") == lines


def test_missing_special_tokens_are_named(tmp_path, caplog):
    path = tmp_path / "vocab.txt"
    path.write_text(TEXT.replace("[PAD]", "<pad>").replace("[MASK]", "<mask>"), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert load(path).pad_token == "[UNK]"
        assert "the vocabulary of 21 tokens has no [PAD] and no [MASK]: rows are padded with the token for" in caplog.text
        caplog.clear()
        tokenizer = tfplm.Tokenizer.from_vocab(path, pad_token="<pad>", mask_token="<mask>")
        assert caplog.text == "" and (tokenizer.pad_token_id, tokenizer.mask_token_id) == (0, 5)
    (tmp_path / "vocab.txt").write_text(TEXT.replace("[UNK]", "<unk>"), encoding="utf-8")
    (tmp_path / "special_tokens_map.json").write_text('{"unk_token": "<unk>"}')
    assert load(tmp_path).tokenize("cat dog \ue001") == ["cat", "<unk>", "<unk>"]
