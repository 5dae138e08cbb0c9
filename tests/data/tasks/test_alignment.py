import numpy as np
import pytest

from tests.data.text_cases import make_tokenizer
from tfplm.data.tasks.alignment import cut_at, join_tags, join_words, tagging_features
from tfplm.data.tasks.examples import TaggedExample
from tfplm.data.tasks.labels import LabelMap
from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.spans import fill_tags, spans_of
from tfplm.tokenizers import Tokenizer

LABELS = LabelMap(["O", "B-X", "I-X"])


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return make_tokenizer(tmp_path_factory.mktemp("vocab"))  # model: mod ##el; learns: lear ##ns


def tokens(tokenizer, feature):
    names = {token_id: token for token, token_id in tokenizer.vocab.items()}
    return " ".join(names[token_id] for token_id in feature["input_ids"].tolist())


def test_first_pieces(tokenizer):
    example = TaggedExample(("the", "model", "learns", "自", "然"), ("O", "B-X", "I-X", "B-X", "O"))
    (feature,) = tagging_features([example], tokenizer, labels=LABELS)
    assert tokens(tokenizer, feature) == "[CLS] the mod ##el lear ##ns 自 然 [SEP]"
    assert feature["first_of_word"].tolist() == [0, 1, 2, 0, 3, 0, 4, 5, 0]
    assert feature["tag_mask"].tolist() == [0, 1, 1, 0, 1, 0, 1, 1, 0]
    assert feature["tag_ids"].tolist() == [0, 0, 1, 0, 2, 0, 1, 0, 0]
    assert feature["token_type_ids"].tolist() == [0] * 9 and feature["example"] == 0
    assert all(value.dtype == np.int32 for value in feature.values())
    assert "tag_ids" not in tagging_features([example], tokenizer)[0]
    assert join_tags([feature["tag_ids"]], [feature], [example], LABELS) == [example.tags]


def test_words_that_the_tokenizer_drops(tokenizer):
    words, tags = ("\x00", "the", "", "自", "\u200b", " "), ("B-X", "I-X", "B-X", "B-X", "I-X", "I-X")
    example, empty = TaggedExample(words, tags), TaggedExample((), ())
    features = tagging_features([empty, example, TaggedExample(("\x00",), ("B-X",))], tokenizer, labels=LABELS)
    assert [int(feature["example"]) for feature in features] == [1]
    (feature,) = features
    assert feature["first_of_word"].tolist() == [0, 2, 4, 0] and feature["tag_ids"].tolist() == [0, 2, 1, 0]
    found = join_tags([feature["tag_ids"]], features, [empty, example, TaggedExample(("\x00",))], LABELS)
    assert found == [(), ("O", "I-X", "O", "B-X", "O", "O"), ("O",)]
    other = LabelMap(["A", "B"])  # labels without O
    assert join_tags([np.array([0, 1, 0, 0])], features, [empty, example, empty], other)[1][0] == "A"


@pytest.mark.parametrize("max_length, stride", [(8, 0), (8, 3), (12, 9), (5, 1), (3, 0)])
def test_long_sentences_are_joined_again(tokenizer, max_length, stride):
    rng = np.random.default_rng(max_length)
    pool = ["the", "model", "learns", "自", "然", "text", ""]
    examples = []
    for length in (1, 4, 40, 0, 97):
        words = tuple(rng.choice(pool, length))
        examples.append(TaggedExample(words, tuple(rng.choice(["B-X", "I-X"], length))))
    features = tagging_features(examples, tokenizer, max_length, stride, LABELS)
    assert all(len(feature["input_ids"]) <= max_length for feature in features) and len(features) > len(examples)
    for feature in features:
        ids = feature["input_ids"]
        assert ids[0] == tokenizer.cls_token_id and ids[-1] == tokenizer.sep_token_id and feature["first_of_word"][1] > 0
    found = join_tags([feature["tag_ids"] for feature in features], features, examples, LABELS)
    for example, tags in zip(examples, found):
        assert [tag for word, tag in zip(example.words, tags) if word] == [
            tag for word, tag in zip(example.words, example.tags) if word]
        for index, word in enumerate(example.words):
            after = next((tag for word, tag in zip(example.words[index:], example.tags[index:]) if word), "O")
            before = next((tag for word, tag in zip(example.words[index::-1], example.tags[index::-1]) if word), "O")
            assert word or tags[index] == ("I-X" if before != "O" and after == "I-X" else "O")


@pytest.mark.parametrize("tags, labels, filled", [
    ("B-X ? I-X", "O B-X I-X", "B-X I-X I-X"), ("B-X ? ? I-X ? O", "O B-X I-X", "B-X I-X I-X I-X O O"),
    ("B-X ? B-X", "O B-X I-X", "B-X O B-X"), ("B-X ? I-Y", "O B-X I-X B-Y I-Y", "B-X O I-Y"),
    ("? I-X ?", "O I-X", "O I-X O"), ("I-X ? I-X", "O I-X", "I-X I-X I-X"), ("O ? O", "O B-X", "O O O"),
    ("B-X ? E-X ? S-X", "O B-X E-X S-X", "B-X I-X E-X O S-X"), ("B-X ? E-X", "O B-X M-X E-X S-X", "B-X M-X E-X"),
    ("B-X ? L-X", "O B-X I-X L-X U-X", "B-X I-X L-X"), ("S-X ? E-X", "O S-X E-X", "S-X O E-X"),
    ("B-X ? ? O", "O B-X I-X E-X S-X", "B-X E-X O O"), ("O ? ? I-X E-X", "O B-X I-X E-X S-X", "O O B-X I-X E-X"),
    ("B-X ? E-Y ?", "O B-X L-X U-X B-Y L-Y", "B-X L-X E-Y O"), ("? E-X", "O E-X I-X", "O E-X"), ("I-X ?", "O I-X", "I-X O"),
    ("B ? I", "B I O", "B I I"), ("B ? E", "B M E S", "B M E"), ("NN ? VB", "NN VB", "NN O VB"),
    ("?", "O B-X", "O"), ("", "O", "")])
def test_a_dropped_word_does_not_cut_a_span(tags, labels, filled):
    given = [None if tag == "?" else tag for tag in tags.split()]
    assert fill_tags(given, labels.split(), "O") == filled.split()


@pytest.mark.parametrize("word", ["\u200b", "\x07", "", "\ufe0f", "\u00ad", "\ufeff"])
def test_a_span_with_a_dropped_word_inside_is_found(tokenizer, word):
    example = TaggedExample(("the", word, "model", "learns"), ("B-X", "I-X", "I-X", "O"))
    features = tagging_features([example], tokenizer, labels=LABELS)
    assert features[0]["first_of_word"].tolist() == [0, 1, 3, 0, 4, 0, 0]
    (found,) = join_tags([feature["tag_ids"] for feature in features], features, [example], LABELS)
    assert found == example.tags and spans_of(found) == [("X", 0, 3)]


def test_a_private_character_is_a_word_of_its_own(tokenizer):
    example = TaggedExample(("the", "\ue001", "model"), ("B-X", "I-X", "I-X"))
    (feature,) = tagging_features([example], tokenizer, labels=LABELS)
    assert tokens(tokenizer, feature) == "[CLS] the [UNK] mod ##el [SEP]" and feature["tag_ids"].tolist()[1:4] == [1, 2, 2]


def test_each_word_is_taken_from_the_window_with_most_context(tokenizer):
    example = TaggedExample(tuple("自然语言处理是人工智能"))
    features = tagging_features([example], tokenizer, 8, 4)
    assert [tokens(tokenizer, f)[6:-6].replace(" ", "") for f in features] == [
        "自然语言处理", "语言处理是人", "处理是人工智", "是人工智能"]
    outputs = [np.full(len(feature["input_ids"]), index) for index, feature in enumerate(features)]
    (found,) = join_words(outputs, features, [11])
    # tokens on the shorter side of 处 (word 4): 2 in window 0, 3 in window 1, 1 in window 2
    assert found.tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 3]
    scores = [np.eye(2)[output % 2] for output in outputs]
    assert join_words(scores, features, [11])[0].shape == (11, 2)
    assert [len(row) for row in join_words([], [], [2, 0])] == [2, 0]


def test_cuts():
    assert list(cut_at(np.arange(10), 10, 4, 1)) == [(0, 4), (3, 7), (6, 10)]
    assert list(cut_at(np.array([0, 3, 6, 9]), 10, 4, 0)) == [(0, 3), (3, 6), (6, 10)]
    assert list(cut_at(np.array([0, 2]), 9, 4, 1)) == [(0, 2), (2, 6)]  # a word that is too long is truncated
    assert list(cut_at(np.array([0, 1, 8]), 10, 4, 2)) == [(0, 1), (1, 5), (8, 10)]
    with pytest.raises(ValueError, match="stride 6: expected from 0 to 5, because a window has room for 6 tokens"):
        list(cut_at(np.arange(10), 10, 6, 6))


def test_unknown_and_missing_tags(tokenizer):
    example = TaggedExample(("the", "text"), ("O", "B-NEW"), origin="dev.conll:3")
    with pytest.raises(ValueError, match="dev.conll:3: label 'B-NEW' is unknown; the model knows O, B-X, I-X"):
        tagging_features([example], tokenizer, labels=LABELS)
    (feature,) = tagging_features([example], tokenizer, labels=LABELS, unknown=-1)
    assert feature["tag_mask"].tolist() == [0, 1, 0, 0] and feature["first_of_word"].tolist() == [0, 1, 2, 0]
    with pytest.raises(ValueError, match="dev.conll:3: no tags; they are needed for training"):
        tagging_features([TaggedExample(("a",), None, origin="dev.conll:3")], tokenizer, labels=LABELS)


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_real_sentences_are_joined_again(data, family):
    if family == "bert":
        tokenizer = Tokenizer.from_vocab(data("vocabs", "bert_base_chinese_vocab.txt"))
    else:
        tokenizer = Tokenizer.from_bpe(data("vocabs", "gpt2", "encoder.json"), data("vocabs", "gpt2", "vocab.bpe"))
    for name in ("weibo_ner", "wnut17"):
        examples = read_examples(data(name), "tagging", split="dev")[:200]
        labels = LabelMap.learn(tag for example in examples for tag in example.tags)
        features = tagging_features(examples, tokenizer, 24, 8, labels)
        found = join_tags([feature["tag_ids"] for feature in features], features, examples, labels)
        same = sum(a == b for tags, example in zip(found, examples) for a, b in zip(tags, example.tags))
        assert same / sum(len(example.tags) for example in examples) > 0.999  # words without a piece are O
