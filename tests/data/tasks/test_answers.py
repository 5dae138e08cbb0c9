import time

import numpy as np
import pytest

from tests.data.text_cases import make_tokenizer
from tfplm.data.tasks.answers import AnswerSettings, best_windows, find_answers
from tfplm.data.tasks.examples import Answer, QuestionExample
from tfplm.data.tasks.windows import WindowSettings, question_windows
from tfplm.tokenizers import Tokenizer

CHINESE = QuestionExample("自然", "自然语言处理是人工智能的一个重要方向")  # 18 characters, 18 tokens
SETTINGS = WindowSettings(max_length=15, stride=6, max_query_length=2)  # 10 tokens of context in a window


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return make_tokenizer(tmp_path_factory.mktemp("vocab"))


def flat(features, value=0.0):
    return [np.full(len(feature["input_ids"]), value) for feature in features]


def test_worked_by_hand(tokenizer):
    example = QuestionExample("自然", "the model reads text")  # [CLS] 自 然 [SEP] the mod ##el reads text [SEP]
    features = question_windows([example], tokenizer)
    start, end = np.zeros(10), np.zeros(10)
    start[[0, 4, 5, 8]] = 0.5, 2.0, 3.0, 1.0
    end[[0, 2, 6, 7]] = 0.25, 9.0, 4.0, 2.0  # the best end lies in the question, the best start after the best end
    (found,) = find_answers([start], [end], features, [example], tokenizer, AnswerSettings(n_best=3))
    # spans of the context: mod..##el 7, the..##el 6, mod..reads 5 ("the" with its own end 2, "text" 1)
    assert [(c.text, c.start, c.score) for c in found.candidates] == [
        ("model", 4, 7.0), ("the model", 0, 6.0), ("model reads", 4, 5.0)]
    shares = np.exp([7.0, 6.0, 5.0]) / np.exp([7.0, 6.0, 5.0]).sum()
    assert np.allclose([c.probability for c in found.candidates], shares)
    assert (found.text, found.start) == ("model", 4) and found.probability == pytest.approx(shares[0])
    assert found.null_gap == pytest.approx(0.75 - 7.0)
    (short,) = find_answers([start], [end], features, [example], tokenizer, AnswerSettings(max_answer_length=1))
    assert short.candidates[0].score == 4.0  # ##el alone: start 0, end 4; the best of one token
    assert short.text == "el"


def test_null_threshold(tokenizer):
    example = QuestionExample("自然", "the model reads text")
    features = question_windows([example], tokenizer)
    start, end = np.zeros(10), np.zeros(10)
    start[[0, 5]], end[[0, 6]] = (3.0, 1.0), (3.0, 2.0)  # none 6, model 3
    for gap, text in ((None, "model"), (2.9, ""), (3.1, "model"), (-10.0, "")):
        (found,) = find_answers([start], [end], features, [example], tokenizer, AnswerSettings(null_gap=gap))
        assert found.text == text and found.null_gap == pytest.approx(3.0)
        assert ("" in [c.text for c in found.candidates]) == (gap is not None)
    assert found.candidates[0].start == -1 and sum(c.probability for c in found.candidates) == pytest.approx(1.0)


def test_the_window_with_most_context_decides(tokenizer):
    features = question_windows([CHINESE], tokenizer, SETTINGS)
    assert [(int(f["context_first"]), int(f["context_length"])) for f in features] == [(0, 10), (5, 10), (10, 8)]
    fit = best_windows(features, 18)
    context = np.array([[min(t - b, b + n - 1 - t) + 0.01 * n if b <= t < b + n else -1 for t in range(18)]
                        for b, n in ((int(f["context_first"]), int(f["context_length"])) for f in features)])
    assert fit.tolist() == context.argmax(0).tolist() and set(fit) == {0, 1, 2}
    starts, ends = flat(features), flat(features)
    token = 9  # at the edge of the first window, and in the middle of the second
    for window, score in ((0, 50.0), (1, 5.0)):
        position = int(features[window]["context_begin"]) + token - int(features[window]["context_first"])
        starts[window][position] = score
    ends[1][position] = 5.0
    (found,) = find_answers(starts, ends, features, [CHINESE], tokenizer)
    assert (found.text, found.start, found.candidates[0].score) == (CHINESE.context[9], 9, 10.0)


def test_equal_texts_count_once(tokenizer):
    example = QuestionExample("the", "text and text")
    features = question_windows([example], tokenizer)
    starts, ends = flat(features), flat(features)
    for position in (3, 5):
        starts[0][position] = ends[0][position] = 2.0 + position
    (found,) = find_answers(starts, ends, features, [example], tokenizer)
    assert [c.text for c in found.candidates].count("text") == 1
    assert (found.text, found.start, found.candidates[0].score) == ("text", 9, 14.0)


def test_answers_are_copied_from_the_context(data):
    tokenizer = Tokenizer.from_vocab(data("vocabs", "bert_base_uncased_vocab.txt"))
    context = "Café  Zürich’s 1,200 m² loft (北京) opened on 3 May 1998 — 😀."
    example = QuestionExample("When?", context, (Answer("3 May 1998", context.find("3 May")),))
    features = question_windows([example], tokenizer, labelled=True)
    starts, ends = flat(features), flat(features)
    starts[0][int(features[0]["start"])] = ends[0][int(features[0]["end"])] = 5.0
    (found,) = find_answers(starts, ends, features, [example], tokenizer)
    assert found.text == "3 May 1998" and context[found.start:found.start + 10] == found.text
    assert all(candidate.text in context for candidate in found.candidates)
    starts, ends = flat(features), flat(features)
    starts[0][int(features[0]["context_begin"])] = ends[0][int(features[0]["context_begin"]) + 1] = 5.0
    assert find_answers(starts, ends, features, [example], tokenizer)[0].text == "Café  Zürich"  # not "cafe zurich"


def test_accents_that_the_tokenizer_drops(data):
    tokenizer = Tokenizer.from_vocab(data("vocabs", "bert_base_chinese_vocab.txt"))
    context = "cafe\u0301 \u05d4\u05d5\u05bc 好"
    example = QuestionExample("?", context)
    features = question_windows([example], tokenizer)
    for text in ("cafe\u0301", "\u05d4\u05d5\u05bc"):
        right = QuestionExample("?", context, (Answer(text, context.find(text)),))
        labelled = question_windows([right], tokenizer, labelled=True)
        starts, ends = flat(features), flat(features)
        starts[0][int(labelled[0]["start"])] = ends[0][int(labelled[0]["end"])] = 5.0
        assert find_answers(starts, ends, features, [example], tokenizer)[0].text == text


def test_nothing_to_find(tokenizer):
    examples = [QuestionExample("the", ""), QuestionExample("", "\x00")]
    features = question_windows(examples, tokenizer)
    found = find_answers(flat(features), flat(features), features, examples, tokenizer)
    assert [(answer.text, answer.start, answer.probability) for answer in found] == [("", -1, 1.0)] * 2
    assert find_answers([], [], [], examples[:1], tokenizer)[0].text == ""
    with pytest.raises(ValueError, match="0 start logits, 0 end logits and 2 features: expected equally many of each"):
        find_answers([], [], features, examples, tokenizer)


def slow_best(starts, ends, features, settings):
    """The definition, span by span; [(score, first, last)]."""
    spans = []
    for index, feature in enumerate(features):
        begin, first, size = (int(feature[f"context_{name}"]) for name in ("begin", "first", "length"))
        for s in range(size):
            sides = [(first + s - int(f["context_first"]), int(f["context_length"])) for f in features]
            contexts = [min(left, length - 1 - left) + 0.01 * length for left, length in sides]
            if int(np.argmax(contexts)) != index:
                continue
            for e in range(s, min(s + settings.max_answer_length, size)):
                spans.append((starts[index][begin + s] + ends[index][begin + e], first + s, first + e))
    return max(spans)


@pytest.mark.parametrize("length", [1, 5, 30])
def test_agrees_with_the_definition(tokenizer, length):
    rng = np.random.default_rng(length)
    settings = AnswerSettings(max_answer_length=length)
    for _ in range(20):
        features = question_windows([CHINESE], tokenizer, SETTINGS)
        starts = [rng.normal(size=len(f["input_ids"])) for f in features]
        ends = [rng.normal(size=len(f["input_ids"])) for f in features]
        score, first, last = slow_best(starts, ends, features, settings)
        (found,) = find_answers(starts, ends, features, [CHINESE], tokenizer, settings)
        assert found.text == CHINESE.context[first:last + 1] and found.candidates[0].score == pytest.approx(score)


def test_thousands_of_questions_take_seconds(tokenizer):
    examples = [QuestionExample("自然", CHINESE.context * 20)] * 2000
    features = question_windows(examples, tokenizer)
    rng = np.random.default_rng(0)
    logits = [rng.normal(size=len(feature["input_ids"])).astype(np.float32) for feature in features]
    started = time.process_time()
    found = find_answers(logits, logits, features, examples, tokenizer)
    assert len(found) == 2000 and len(features) >= 2000 and time.process_time() - started < 10
