import itertools

import numpy as np
import pytest

from tests.data.text_cases import make_tokenizer
from tfplm.data.tasks.answers import span_text
from tfplm.data.tasks.examples import Answer, QuestionExample
from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.windows import (
    WindowSettings,
    answer_tokens,
    encode_contexts,
    question_windows,
    spans_of_windows,
)
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.frame import Frame

CONTEXT = "the model reads text and learns 自然语言处理是人工智能 every day."
# the mod ##el reads text and lear ##ns 自 然 语 言 处 理 是 人 工 智 能 every day . -> 22 tokens


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return make_tokenizer(tmp_path_factory.mktemp("vocab"))


def example(answer=None, question="the text", context=CONTEXT, **more):
    answers = () if answer is None else (Answer(answer, context.find(answer)),)
    return QuestionExample(question, context, answers, **more)


def tokens(tokenizer, ids):
    names = {token_id: token for token, token_id in tokenizer.vocab.items()}
    return " ".join(names[int(token_id)] for token_id in ids)


def test_windows_cover_the_context(tokenizer):
    settings = WindowSettings(max_length=17, stride=4, max_query_length=2)
    features = question_windows([example(question="the text model")], tokenizer, settings)
    assert [tokens(tokenizer, feature["input_ids"]) for feature in features] == [
        "[CLS] the text [SEP] the mod ##el reads text and lear ##ns 自 然 语 言 [SEP]",
        "[CLS] the text [SEP] 自 然 语 言 处 理 是 人 工 智 能 every [SEP]",
        "[CLS] the text [SEP] 工 智 能 every day . [SEP]"]
    assert [feature["token_type_ids"].tolist() for feature in features] == [[0] * 4 + [1] * n for n in (13, 13, 7)]
    assert [(int(f["context_begin"]), int(f["context_first"]), int(f["context_length"])) for f in features] == [
        (4, 0, 12), (4, 8, 12), (4, 16, 6)]
    assert all(int(feature["null"]) == 0 and int(feature["example"]) == 0 for feature in features)
    assert all(np.asarray(value).dtype == np.int32 for feature in features for value in feature.values())


def test_answers_in_their_windows(tokenizer):
    settings = WindowSettings(max_length=17, stride=4, max_query_length=2)
    features = question_windows([example("语言处理")], tokenizer, settings, labelled=True)
    # it is whole in the second window alone: there at tokens 2 ... 5 of the context
    assert [(int(f["start"]), int(f["end"])) for f in features] == [(0, 0), (6, 9), (0, 0)]
    assert tokens(tokenizer, features[1]["input_ids"][6:10]) == "语 言 处 理"
    features = question_windows([example(impossible=True)], tokenizer, settings, labelled=True)
    assert [(int(f["start"]), int(f["end"])) for f in features] == [(0, 0)] * 3
    lost = QuestionExample("the", CONTEXT, (Answer("x", -1),))
    second = QuestionExample("the", CONTEXT, (Answer("x", -1), Answer("day", CONTEXT.find("day"))))
    features = question_windows([lost, second], tokenizer, labelled=True)  # an answer without a start is no label
    assert [int(f["example"]) for f in features] == [1] and features[0]["start"] == features[0]["end"] > 0
    assert [int(f["example"]) for f in question_windows([lost, second], tokenizer)] == [0, 1]


@pytest.mark.parametrize("text, expected", [("model", (1, 2)), ("ode", (1, 2)), ("text and", (4, 5)),
                                            ("自然", (8, 9)), (".", (21, 21)),
                                            (" reads ", (3, 3)), (" ", None)])
def test_tokens_of_answers(tokenizer, text, expected):
    offsets = encode_contexts([CONTEXT], tokenizer)[CONTEXT][1]
    assert len(offsets) == 22 and answer_tokens(example(text), offsets) == expected


def test_bounds_of_windows():
    assert spans_of_windows(10, 4, 1) == [(0, 4), (3, 7), (6, 10)]
    assert spans_of_windows(11, 4, 1)[-1] == (9, 11)
    assert spans_of_windows(4, 4, 1) == [(0, 4)] and spans_of_windows(0, 4, 1) == [(0, 0)]
    assert spans_of_windows(7, 4, 100) == [(0, 4), (2, 6), (4, 7)]
    for length in range(60):
        spans = spans_of_windows(length, 9, 4)
        assert sorted({token for start, end in spans for token in range(start, end)}) == list(range(length))
        assert all(later[0] == earlier[0] + 5 for earlier, later in itertools.pairwise(spans))


@pytest.mark.parametrize("odd", ["\ue001", "\U0002b8a2", "\u200b", "\u03a3", "\u0958"])
def test_answers_beside_rare_characters(tokenizer, odd):
    context = f"The {odd} text {odd}{odd}reads {odd}. The model{odd} learns."
    made = QuestionExample("text", context, (Answer("model", context.index("model")),))
    (_, offsets), = encode_contexts([context], tokenizer).values()
    first, last = answer_tokens(made, offsets)
    assert context[offsets[first, 0]:offsets[last, 1]].rstrip(odd) == "model"


def test_odd_questions(tokenizer):
    odd = [example(question="", context=""), example(question="the", context="\x00 \u200b"),
           example(question="the " * 10_000)]
    features = question_windows(odd, tokenizer)
    assert [int(feature["context_length"]) for feature in features] == [0, 0, 22]
    assert len(features[2]["input_ids"]) == 3 + 64 + 22
    assert question_windows([], tokenizer) == []
    with pytest.raises(ValueError, match="max_length 70 leaves no room for the context: the question may have 64 tokens"):
        question_windows(odd, tokenizer, WindowSettings(max_length=70))


def test_frames_of_other_families(data):
    bpe = Tokenizer.from_bpe(data("vocabs", "gpt2", "encoder.json"), data("vocabs", "gpt2", "vocab.bpe"))
    assert Frame.of(bpe).size == 0
    (feature,) = question_windows([example("text", context="The text.")], bpe, labelled=True)
    token = int(feature["start"]) - int(feature["context_begin"])
    assert feature["null"] == 0 and bpe.tokenize("The text.")[token].endswith("text")
    pieces = Tokenizer.from_sentencepiece(data("vocabs", "xlnet_spiece.model"), "xlnet")
    (feature,) = question_windows([example("text", context="The text.")], pieces, labelled=True)
    whole = pieces("the text", "The text.")["input_ids"][0]
    assert feature["input_ids"].tolist() == whole.tolist() and feature["null"] == len(whole) - 1  # its [CLS] is the last


@pytest.mark.parametrize("max_length", [64, 384])
def test_cmrc(data, max_length):
    tokenizer = Tokenizer.from_vocab(data("vocabs", "bert_base_chinese_vocab.txt"))
    examples = read_examples(data("cmrc2018"), "question", split="test")
    settings = WindowSettings(max_length, max_length // 4, max_query_length=max_length // 3)
    features = question_windows(examples, tokenizer, settings, labelled=True)
    offsets = encode_contexts([e.context for e in examples], tokenizer)
    found, whole = set(), 0
    for feature in features:
        assert len(feature["input_ids"]) <= max_length
        if int(feature["start"]):
            example = examples[int(feature["example"])]
            shift = int(feature["context_first"]) - int(feature["context_begin"])
            bounds = offsets[example.context][1]
            start, end = bounds[int(feature["start"]) + shift, 0], bounds[int(feature["end"]) + shift, 1]
            text, _ = span_text(example.context, start, end)
            assert example.answers[0].text.strip() in text
            found.add(int(feature["example"]))
            whole += text == example.answers[0].text.strip()
    spans = [answer_tokens(example, offsets[example.context][1]) for example in examples]
    # an answer not longer than the overlap plus a token is complete in some window
    missing = [last - first for index, (first, last) in enumerate(spans) if index not in found]
    assert min(missing) > max_length // 4 and len(missing) <= {64: 340, 384: 5}[max_length]
    assert whole > 0.9 * len(found)
