"""Small or odd labelled data that would make a score wrong or a training useless: right, refused, or said."""

import logging

import numpy as np
import pytest

from tests.adapt.adapt_cases import GOOD
from tfplm.adapt.finetune.data import Examples, _hold_out, content, digests, files_of
from tfplm.adapt.tasks import remarks
from tfplm.adapt.tasks.catalogue import TASKS
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.data.tasks.examples import Answer, QuestionExample, TaggedExample, TextExample
from tfplm.data.tasks.spans import make_spans
from tfplm.options.finetune import FinetuneOptions


def texts(*labels):
    return [TextExample(f"text {index}", None, label, origin=f"f:{index}") for index, label in enumerate(labels)]


def learned(name, examples, tokenizer=None, **settings):
    task = TASKS[name](tokenizer, TaskSettings(**settings))
    task.learn(examples)
    return task


def said(caplog) -> str:
    text, _ = "\n".join(caplog.messages), caplog.clear()
    return text


@pytest.fixture(autouse=True)
def warnings_only(caplog):
    caplog.set_level(logging.WARNING)


def test_labels_that_are_the_same_numbers_match(caplog):
    task = learned("classification", texts("1.0", "0.0"))
    found = remarks.held_out(task, texts("1", "0", "0.00"), "test")
    assert [example.label for example in found] == ["1.0", "0.0", "0.0"]
    assert "never in the training data are read as the same numbers: 0 as 0.0, 0.00 as 0.0, 1 as 1.0" in said(caplog)
    task = learned("multi-label", texts(("1", "2"), ("3",)))
    assert remarks.held_out(task, texts(("1.0", "3")), "test")[0].label == ("1", "3")


def test_labels_that_never_match_are_said(caplog):
    task = learned("classification", texts("pos", "neg"))
    remarks.held_out(task, texts("Pos", "neg ", "neg"), "development")
    line = said(caplog)
    assert "2 of 3 labels of the development data are never in the training data" in line
    assert "'Pos' is not 'pos'" in line and "'neg ' is not 'neg'" in line
    remarks.held_out(task, texts(*["0"] * 4), "test")  # a placeholder
    assert "4 of 4 labels of the test data are never in the training data, so they count as errors: '0'" in said(caplog)
    remarks.held_out(task, texts(*["pos"] * 4), "test")
    assert "all 4 labels of the test data are 'pos'; if that is a placeholder" in said(caplog)
    remarks.held_out(task, texts("pos", "neg"), "test")
    assert said(caplog) == ""
    remarks.held_out(learned("multi-label", texts(("a",), ("b",))), texts(("a", "c")), "test")
    assert "1 of 2 labels" in said(caplog)
    assert remarks.held_out(task, [], "test") == []


def test_labels_that_differ_in_form_only(caplog):
    for names in (("pos", "Pos"), ("1", "1.0"), ("好 评", "好评")):
        remarks.training(learned("classification", texts(*names)), texts(*names), [])
        assert "some labels differ only in case, blanks or the form of a number" in said(caplog)
    remarks.training(learned("classification", texts("1", "10")), texts("1", "10"), [])
    assert said(caplog) == ""


def test_nothing_to_learn_is_refused():
    with pytest.raises(ValueError, match="all 3 training examples have the label 'a'"):
        learned("classification", texts("a", "a", "a"))
    with pytest.raises(ValueError, match="all 3 training examples have the number 2; expected two or more"):
        learned("regression", texts(2.0, 2.0, 2.0))
    with pytest.raises(ValueError, match="all words of the training data have the tag 'O'"):
        learned("tagging", [TaggedExample(("a", "b"), ("O", "O"))])
    empty = [TextExample(" ", "", label) for label in ("a", "b")]
    with pytest.raises(ValueError, match="all 2 training examples have an empty text"):
        remarks.training(learned("classification", empty), empty, [])


def test_undefined_correlations_are_said(caplog):
    task = learned("regression", texts(1.0, 2.0))
    remarks.held_out(task, texts(3.0, 3.0, 3.0), "development")
    assert "correlations with the development examples mean nothing: all have the number 3" in said(caplog)
    remarks.held_out(task, texts(3.0, 4.0), "test")
    assert "there are only 2" in said(caplog)
    remarks.held_out(task, texts(3.0, 4.0, 5.0), "test")
    assert said(caplog) == ""


def test_tags_without_spans_and_of_unknown_types_are_said(caplog):
    task = learned("tagging", [TaggedExample(("a", "b"), ("B-LOC", "O"))])
    remarks.held_out(task, [TaggedExample(("a",), ("O",))], "development")
    assert "no sentence of the development data has a span: F1 is 0 whatever is predicted" in said(caplog)
    remarks.held_out(task, [TaggedExample(("a",), ("B-PER",))], "test")
    assert "1 of 1 labels of the test data are never in the training data, so they count as errors: 'B-PER'" in said(caplog)
    with pytest.raises(ValueError, match="the tag is 'b-loc'"):
        remarks.held_out(task, [TaggedExample(("a",), ("b-loc",))], "test")


@pytest.mark.parametrize("tags", [
    "o b-per i-per", "O B-per I-per o", "O B_LOC I_LOC", "O LOC-B LOC-I", "o b_loc i_loc", "0 B/LOC I/LOC", "b m e s",
    "O PER LOC", "out b-loc", "B:LOC I:LOC O"])
def test_tags_of_spans_in_another_form_are_refused(tags):
    with pytest.raises(ValueError, match=r"expected (those of spans in the form )?O, "):
        make_spans(tags.split())


@pytest.mark.parametrize("tags, spans", [
    ("O B-PER I-PER", True), ("O I-PER B-PER", True), ("B-a M-a E-a S-a O", True), ("B-x I-x L-x U-x O", True),
    ("B M E S", True), ("O B-per I-per", True), ("NN VB O-x", False), ("NOUN VERB X", False), ("b i n v m o", False),
    ("i-x noun", False)])
def test_span_schemes_and_parts_of_speech(tags, spans):
    assert make_spans(tags.split()) is spans


def test_questions(caplog):
    answered = QuestionExample("who?", "it was me", (Answer("me", 7),))
    impossible = QuestionExample("who?", "it was me", impossible=True)
    task = learned("question-answering", [answered])
    with pytest.raises(ValueError, match="1 of 2 questions of the test data have no answer, but all of the training data"):
        remarks.held_out(task, [answered, impossible], "test")
    feature = {"example": np.int32(0), "start": np.int32(3), "end": np.int32(3), "null": np.int32(0)}
    remarks.training(task, [answered, answered], [feature])
    assert "1 of 2 questions are not learned: 1 answers have no known start in the context" in said(caplog)
    remarks.training(task, [answered], [{**feature, "end": np.int32(40)}])
    assert "1 answers have more than 30 tokens, which are never predicted" in said(caplog)
    with pytest.raises(ValueError, match="none of the 2 answers lies in its context or in one row of it"):
        remarks.training(task, [answered, answered], [{**feature, "start": np.int32(0)}])


def test_texts_that_are_cut_are_said(caplog):
    examples = texts("a", "b")
    features = [{"input_ids": np.zeros(length, np.int32)} for length in (8, 3)]
    remarks.training(learned("classification", examples, max_length=8), examples, features)
    assert "1 of 2 training texts have 8 tokens or more and are cut there: see --max-length" in said(caplog)


def test_equal_texts_are_held_out_together():
    examples = [TextExample(text, None, label) for text in GOOD for label in ("a", "b")]
    train, dev = _hold_out(examples, np.random.default_rng(0))
    assert not {e.text for e in train} & {e.text for e in dev} and len(train) + len(dev) == len(examples) and dev
    same = [TextExample("equal", None, label) for label in "abab"]
    train, dev = _hold_out(same, np.random.default_rng(0))
    assert len(dev) == 1 and len(train) == 3
    most = [TextExample("equal", None, "a")] * 50 + texts("a", "b")
    train, dev = _hold_out(most, np.random.default_rng(0))
    assert len(train) >= 50 and {example.text for example in dev} == {"text 0", "text 1"}
    with pytest.raises(ValueError, match="1 training example and no development data"):
        _hold_out(same[:1], np.random.default_rng(0))


def test_duplicates_between_the_splits_are_said(tmp_path):
    from tfplm.adapt.finetune.data import load_examples

    for name, rows in (("train", "a\tx\nb\ty\nc\tx\n"), ("dev", "a\ty\nd\ty\n")):
        (tmp_path / f"{name}.tsv").write_text(rows)
    lines = []
    load_examples(FinetuneOptions(data=str(tmp_path), header="no"), "text", lines.append)
    assert lines == ["1 of 2 dev examples are also training examples: the scores are too good"]


def test_a_file_is_training_data(tmp_path):
    (tmp_path / "rows.tsv").write_text("a\tx\n")
    assert files_of(str(tmp_path / "rows.tsv")) == {"train": str(tmp_path / "rows.tsv")}
    assert files_of(str(tmp_path / "rows.tsv"), {"dev": "d.tsv"})["dev"] == "d.tsv"


def test_the_digest_of_data_follows_their_contents_not_their_place(tmp_path):
    options = FinetuneOptions()
    first, moved = texts("a", "b"), [TextExample(e.text, e.pair, e.label, "9", "elsewhere:1") for e in texts("a", "b")]
    assert digests(options, first) == digests(options, moved) != digests(options, texts("b", "a"))
    assert digests(options, first) != digests(options, first, first)
    assert content(first[0]) != content(texts("b")[0]) and content(first[0], False) == content(texts("b")[0], False)
    assert Examples(first, []).test == []
