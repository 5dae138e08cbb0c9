"""The strings of the five documents, with the tokens and ids printed beside them, against the real vocabularies.

Survey (004): lines 243-246, 282-284, 677, 801, 923-942, 948-949, 1008-1014, 1170; history (001): line 196; overview
(002): lines 19, 28, 68; transformer (003): lines 61-65, 138-152. The introduction (000) prints none.
"""

import ast
import json
import re

import numpy as np
import pytest

import tfplm
from tfplm import cli
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.tokenization import FullTokenizer

VOCABULARIES = ("bert_base_uncased", "bert_base_cased", "bert_base_chinese", "clue_zh_8k")
SERVED = (928, 932, 936, 940)  # the lines with tokens, ids and masks of bert-as-service's input


@pytest.fixture(scope="module")
def vocabulary(data):
    """A function: name of a vocabulary -> its tokenizer."""
    made = {}

    def find(name: str) -> Tokenizer:
        if name not in made:
            made[name] = Tokenizer.from_vocab(data("vocabs", f"{name}_vocab.txt"))
        return made[name]

    return find


def words(line: str) -> list[str]:
    """The tokens of a printed line, in which brackets stand apart or escaped: `[ CLS]`, `\\[SEP]`."""
    return re.sub(r"\\?\[ ?(\w+)\]", r"[\1]", line).split()


def numbers(line: str) -> list[int]:
    return [int(word) for word in line.partition(":")[2].split()]


def served(document) -> list[str]:
    """The four texts of line 923."""
    return ast.literal_eval(re.search(r"\[.*\]", document("survey").text(923, 923))[0])


def tokens_of(tokenizer: Tokenizer, text: str, pair: str | None = None) -> list[str]:
    return tokenizer.convert_ids_to_tokens(tokenizer(text, pair)["input_ids"][0])


@pytest.mark.parametrize("line", SERVED)
def test_input_of_bert_as_service(line, document, vocabulary):
    """Survey, lines 923-942: tokens, ids and mask, padded to 25."""
    tokens, ids, mask = document("survey").lines(line, line + 2)
    text = served(document)[SERVED.index(line)]
    batch = vocabulary("bert_base_chinese")(text, max_length=len(numbers(ids)), padding="max_length")
    assert len(numbers(ids)) == 25
    assert batch["input_ids"].tolist() == [numbers(ids)] and batch["attention_mask"].tolist() == [numbers(mask)]
    assert tokens_of(vocabulary("bert_base_chinese"), text) == words(tokens.partition(":")[2])


def test_input_of_bert_as_service_by_command(document, data, capsys):
    """Survey, lines 923-942, by `tfplm tokenize`; without the padding."""
    texts = served(document)
    assert cli.main(["tokenize", str(data("vocabs", "bert_base_chinese_vocab.txt")), *texts, "--json"]) == 0
    for line, row in zip(SERVED, map(json.loads, capsys.readouterr().out.splitlines()), strict=True):
        tokens, ids, mask = document("survey").lines(line, line + 2)
        assert row == {"tokens": words(tokens.partition(":")[2]), "ids": numbers(ids)[:sum(numbers(mask))]}


def test_here_is_some_text_to_encode(document, vocabulary, data):
    """Survey, lines 243-246 and 283: the text, its ids (twice) and its tokens."""
    text = re.search(r'"(.*)"', document("survey").text(243, 243))[1]
    ids = ast.literal_eval(document("survey").text(246, 246).partition(":")[2].strip())
    line = document("survey").text(283, 283)
    again, printed = re.search(r"(\[101[\d, ]+\]).*(\[ '\[ CLS\]'.*'\[ SEP\]' \])", line).groups()
    tokens = [token.replace("[ ", "[") for token in ast.literal_eval(printed)]
    tokenizer = vocabulary("bert_base_uncased")
    assert tokenizer(text)["input_ids"].tolist() == [ids] == [ast.literal_eval(again)]
    assert tokens_of(tokenizer, text) == tokens
    old = FullTokenizer(data("vocabs", "bert_base_uncased_vocab.txt"))
    assert old.tokenize(text) == tokens[1:-1]
    assert old.convert_tokens_to_ids(tokens) == ids and old.convert_ids_to_tokens(ids) == tokens


def test_vocabulary_of_bert_base_uncased(document, vocabulary):
    """Survey, lines 282-284: 30,522 words, the ids of the special tokens, unused tokens."""
    text = document("survey").text(282, 283)
    tokenizer = vocabulary("bert_base_uncased")
    assert str(len(tokenizer)) == re.search(r"(\d+)个词", text)[1]
    for index, name in re.findall(r"第(\d+)个token是\\\[(\w+)\]", text):
        assert tokenizer.convert_ids_to_tokens(int(index)) == f"[{name.upper()}]"
    assert (tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id) == (0, 101, 102)
    assert sum(bool(re.fullmatch(r"\[unused\d+\]", token)) for token in tokenizer.vocab) > 900


def test_unused_tokens_of_p_tuning(document, vocabulary):
    """Survey, line 1170: `[unused1]` to `[unused6]`, six tokens that BERT's vocabularies have."""
    first, last = map(int, re.findall(r"\[unused(\d+)\]", document("survey").text(1170, 1170))[:2])
    names = [f"[unused{index}]" for index in range(first, last + 1)]
    for name in ("bert_base_uncased", "bert_base_cased", "bert_base_chinese"):
        ids = vocabulary(name).convert_tokens_to_ids(names)
        assert ids == list(range(ids[0], ids[0] + 6)) and vocabulary(name).convert_ids_to_tokens(ids) == names


def test_unaffable(document, vocabulary, tmp_path):
    """Survey, lines 948-949: the longest pieces first. These three are the longest in Google's example, which names no
    vocabulary; the released ones have other, longer ones."""
    word, pieces = (ast.literal_eval(line.partition("=")[2].strip()) for line in document("survey").lines(948, 949))
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "u", "##n", *pieces]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    assert Tokenizer.from_vocab(tmp_path / "vocab.txt").tokenize(word) == pieces
    assert FullTokenizer(tmp_path / "vocab.txt").tokenize(word) == pieces
    assert vocabulary("bert_base_uncased").tokenize(word) == ["una", "##ffa", "##ble"]
    assert vocabulary("bert_base_cased").tokenize(word) == ["un", "##af", "##fa", "##ble"]


@pytest.mark.parametrize("line, name", [(1008, "bert_base_cased"), (1012, "bert_base_uncased")])
def test_formats_of_run_classifier(line, name, document, vocabulary):
    """Survey, lines 1007-1014: tokens and type ids of a pair and of a single sentence.

    The pieces of the pair are those of BERT-base cased for "jacksonville", as one word: pieces with ## never cross a space.
    """
    sentence, tokens, types = (row.partition(":")[2].strip() for row in document("survey").lines(line, line + 2))
    text, _, pair = sentence.replace("jackson ville", "jacksonville").partition(" || ")
    batch = vocabulary(name)(text, pair or None)
    assert tokens_of(vocabulary(name), text, pair or None) == words(tokens)
    assert batch["token_type_ids"].tolist() == [list(map(int, types.split()))]
    if pair:
        first = sentence.partition(" || ")[0]
        assert vocabulary(name).tokenize(first) == ["is", "this", "jack", "##son", "v", "##ille", "?"]


def test_a_pair_for_bert_as_service(document, data, capsys):
    """Survey, line 801: two sentences divided by |||."""
    (text,) = ast.literal_eval(re.search(r"\[.*\]", document("survey").text(801, 801))[0])
    vocab = str(data("vocabs", "bert_base_uncased_vocab.txt"))
    assert cli.main(["tokenize", vocab, text, "--pairs", "--json"]) == 0
    first, second = (part.strip().lower().split() for part in text.split("|||"))
    assert json.loads(capsys.readouterr().out)["tokens"] == ["[CLS]", *first, "[SEP]", *second, "[SEP]"]


def test_pair_of_unilm(document, vocabulary):
    """Survey, lines 677-679: the two texts, joined."""
    line = document("survey").text(677, 677)
    text, pair = re.findall(r"“(.+?)”", line)[:2]
    printed = words(re.search(r"\[ CLS\].*\[ SEP\]", line)[0])
    assert tokens_of(vocabulary("bert_base_chinese"), text, pair) == printed and len(printed) == 10
    halves = [words(part) for part in re.findall(r"(?:\[ CLS\] )?(?:\w )+\[ SEP\]", document("survey").text(679, 679))]
    assert halves == [printed[:6], printed[6:], printed[6:]]
    types = vocabulary("bert_base_chinese")(text, pair)["token_type_ids"]
    assert types.tolist() == [[0] * 6 + [1] * 4]


def test_strawberries(document, vocabulary):
    """History, line 196: a word divided into two, in both English vocabularies."""
    word, *pieces = re.findall(r"“(\w+)”", document("history").text(196, 196))
    for name in ("bert_base_uncased", "bert_base_cased"):
        assert vocabulary(name).tokenize(word) == [pieces[0], f"##{pieces[1]}"]


def test_next_sentences(document, vocabulary):
    """Overview, line 19: two pairs, with their special tokens written into the text or added to it."""
    printed = re.findall(r"\[CLS\].*?\[SEP\].*?\[SEP\]", document("overview").text(19, 19))
    tokenizer = vocabulary("bert_base_chinese")
    assert len(printed) == 2
    for text in printed:
        first, second = (part.strip() for part in text.removeprefix("[CLS]").split("[SEP]")[:2])
        assert tokens_of(tokenizer, first, second) == ["[CLS]", *first, "[SEP]", *second, "[SEP]"]
        assert tokenizer.tokenize(text) == tokens_of(tokenizer, first, second)
        assert tokenizer(first, second)["token_type_ids"].tolist() == [[0] * (len(first) + 2) + [1] * (len(second) + 1)]


def test_characters_are_tokens(document, vocabulary):
    """Overview, lines 28 and 68: a word of two characters has two vectors, and they are the same ids in any sentence."""
    tokenizer = vocabulary("bert_base_chinese")
    sentences = re.search(r"举例说明：(.*?)；(.*?)；", document("overview").text(28, 28)).groups()
    word, again = re.findall(r"<u>(.+?)</u>", document("overview").text(28, 28))
    assert word == again
    for sentence in sentences:
        plain = re.sub("</?u>", "", sentence)
        assert tokenizer.tokenize(plain) == list(plain) and word in plain
    pair = re.search("`(.)`-`(.)`", document("overview").text(68, 68)).groups()
    assert tokenizer.tokenize("".join(pair)) == list(pair)


def test_shape_of_the_output(document, vocabulary):
    """Transformer, lines 61-65: ids (of unused tokens and padding), three kinds of segments, and the output's shape."""
    lines = document("transformer").lines(61, 62)
    ids, types = (np.array(ast.literal_eval(re.search(r"\((\[\[.*\]\])\)", line)[1]), np.int32) for line in lines)
    assert vocabulary("bert_base_uncased").convert_ids_to_tokens(ids[0]) == ["[unused30]", "[unused50]", "[unused98]"]
    assert vocabulary("bert_base_uncased").convert_ids_to_tokens(ids[1]) == ["[unused14]", "[unused4]", "[PAD]"]
    model = tfplm.from_config("bert-tiny", num_hidden_layers=1, type_vocab_size=3)
    assert model({"input_ids": ids, "token_type_ids": types})["sequence_output"].shape == (2, 3, 128)
    with pytest.raises(ValueError, match="token_type_ids"):  # BERT-base has two kinds of segments, not three
        tfplm.from_config("bert-tiny", num_hidden_layers=1)({"input_ids": ids, "token_type_ids": types})


@pytest.mark.parametrize("length", [12, 64])
def test_features_of_a_text(length, document, vocabulary):
    """Transformer, lines 138-152: the function runs with our tokenizer; its mask alone counts the padding as real."""
    names = {"tokenizer": vocabulary("bert_base_chinese"), "MAXLEN": length,
             "InputFeatures": lambda ids, segments, attention_mask: (ids, segments, attention_mask)}
    exec(document("transformer").text(138, 152), names)
    text = document("transformer").text(116, 116)
    ids, segments, mask = names["convert_example_to_feature"](text)
    batch = vocabulary("bert_base_chinese")(text, max_length=length, padding="max_length")
    assert batch["input_ids"].tolist() == [ids] and batch["token_type_ids"].tolist() == [segments]
    assert len(mask) == length and batch["attention_mask"].tolist() == [[int(index > 0) for index in ids]]


@pytest.mark.parametrize("name", VOCABULARIES)
def test_every_string_has_the_longest_pieces_of_each_vocabulary(name, document, vocabulary):
    """All strings above, in all four vocabularies, against WordPiece written down once more."""
    survey = document("survey")
    texts = [*served(document), "unaffable", "strawberries", survey.text(243, 243).partition('"')[2].strip('"'),
             *(row.partition(":")[2] for row in (survey.text(1008, 1008), survey.text(1012, 1012))),
             survey.text(116, 116), document("overview").text(28, 28)]
    tokenizer, vocab = vocabulary(name), vocabulary(name).vocab
    for text in texts:
        shown = text if name == "bert_base_cased" else text.lower()
        split = re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+|[^\w\s]", shown.replace("_", " _ "))
        assert tokenizer.tokenize(text) == [piece for word in split for piece in longest(word, vocab)]


def longest(word: str, vocab: dict[str, int]) -> list[str]:
    """The longest piece of the vocabulary that starts the word, then that of the rest."""
    pieces, rest, prefix = [], word, ""
    while rest:
        size = next((size for size in range(len(rest), 0, -1) if prefix + rest[:size] in vocab), 0)
        if not size:
            return ["[UNK]"]
        pieces.append(prefix + rest[:size])
        rest, prefix = rest[size:], "##"
    return pieces
