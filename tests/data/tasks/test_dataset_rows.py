"""Data sets of tensorflow-datasets, written to a folder in the library's layout."""

import functools

import numpy as np
import pytest

from tfplm.data.tasks.examples import Answer, ChoiceExample, QuestionExample, TaggedExample, TargetExample, TextExample
from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Reading

tfds = pytest.importorskip("tensorflow_datasets")


@pytest.fixture
def lay_out(tmp_path, monkeypatch):
    """`lay_out(name, features, {split: rows})` writes a data set to where `tfds.builder` finds it."""
    monkeypatch.setattr(tfds, "builder", functools.partial(tfds.builder, data_dir=str(tmp_path)))

    def write(name, features, splits):
        import tensorflow as tf

        folder = tmp_path / name / "1.0.0"
        folder.mkdir(parents=True)
        features = tfds.features.FeaturesDict(features)
        infos = []
        for split, rows in splits.items():
            template = tfds.core.ShardedFileTemplate(data_dir=folder, dataset_name=name.partition("/")[0], split=split,
                                                     filetype_suffix="tfrecord")
            with tf.io.TFRecordWriter(str(template.sharded_filepath(shard_index=0, num_shards=1))) as writer:
                for row in rows:
                    writer.write(features.serialize_example(features.encode_example(row)))
            infos.append(tfds.core.SplitInfo(name=split, shard_lengths=[len(rows)], num_bytes=0, filename_template=template))
        tfds.folder_dataset.write_metadata(data_dir=folder, features=features, split_infos=infos, check_data=False)

    return write


def text(*names):
    return {name: tfds.features.Text() for name in names}


def classes(*names):
    return tfds.features.ClassLabel(names=names)


GLUE = {  # GLUE's features in the library, a row, and its example
    "cola": ({**text("sentence"), "label": classes("unacceptable", "acceptable"), "idx": np.int32},
             {"sentence": "他说", "label": 1, "idx": 4}, TextExample("他说", None, "acceptable", "4")),
    "qqp": ({**text("question1", "question2"), "label": classes("not_duplicate", "duplicate"), "idx": np.int32},
            {"question1": "a", "question2": "b", "label": 0, "idx": 0}, TextExample("a", "b", "not_duplicate", "0")),
    "mrpc": ({**text("sentence1", "sentence2"), "label": classes("not_equivalent", "equivalent"), "idx": np.int32},
             {"sentence1": "a", "sentence2": "b", "label": 1, "idx": 1}, TextExample("a", "b", "equivalent", "1")),
    "mnli": ({**text("premise", "hypothesis"), "label": classes("entailment", "neutral", "contradiction"), "idx": np.int32},
             {"premise": "a", "hypothesis": "b", "label": 2, "idx": 1}, TextExample("a", "b", "contradiction", "1")),
    "qnli": ({**text("question", "sentence"), "label": classes("entailment", "not_entailment"), "idx": np.int32},
             {"question": "a", "sentence": "b", "label": 0, "idx": 1}, TextExample("a", "b", "entailment", "1"))}


@pytest.mark.parametrize("name", GLUE)
def test_glue(lay_out, name):
    features, row, expected = GLUE[name]
    lay_out(f"glue_{name}", features, {"train": [row], "validation": [row, row], "test": [{**row, "label": -1}]})
    (found,) = read_examples(f"tfds:glue_{name}", "text")
    assert (found.text, found.pair, found.label, found.id) == (expected.text, expected.pair, expected.label, expected.id)
    assert found.origin == f"tfds:glue_{name}:train[0]"
    assert len(read_examples(f"tfds:glue_{name}", "text", split="dev")) == 2
    assert read_examples(f"tfds:glue_{name}", "text", split="test")[0].label is None
    assert len(read_examples(f"tfds:glue_{name}:train+validation", "text")) == 3


def test_glue_scores_and_matched_splits(lay_out):
    features = {**text("sentence1", "sentence2"), "label": np.float32, "idx": np.int32}
    row = {"sentence1": "a", "sentence2": "b", "label": 3.25, "idx": 0}
    lay_out("stsb", features, {"train": [row], "validation_matched": [row, row], "validation_mismatched": [row]})
    (found,) = read_examples("tfds:stsb", "text", Reading(label_kind="number"))
    assert (found.text, found.pair, found.label) == ("a", "b", 3.25)
    assert len(read_examples("tfds:stsb", "text", Reading(label_kind="number"), "dev")) == 2


def test_conll(lay_out):
    tags = classes("O", "B-PER", "I-PER")
    features = {"tokens": tfds.features.Sequence(tfds.features.Text()), "ner": tfds.features.Sequence(tags),
                "pos": tfds.features.Sequence(classes("NN", "VB"))}
    lay_out("conll", features, {"train": [{"tokens": ["李", "四", "来"], "ner": [1, 2, 0], "pos": [0, 0, 1]}]})
    assert read_examples("tfds:conll", "tagging") == [
        TaggedExample(("李", "四", "来"), ("B-PER", "I-PER", "O"), "", "tfds:conll:train[0]")]
    assert read_examples("tfds:conll", "tagging", Reading(tag_column="pos"))[0].tags == ("NN", "NN", "VB")


@pytest.mark.parametrize("second", [False, True])
def test_squad(lay_out, second):
    answers = tfds.features.Sequence({"text": tfds.features.Text(), "answer_start": np.int32})
    features = {**text("id", "title", "context", "question"), "answers": answers}
    rows = [{"id": "q1", "title": "", "context": "the cat", "question": "who?",
             "answers": [{"text": "cat", "answer_start": 4}, {"text": "the cat", "answer_start": 0}]},
            {"id": "q2", "title": "", "context": "the cat", "question": "when?", "answers": []}]
    if second:
        features["is_impossible"] = np.bool_
        rows = [{**row, "is_impossible": not row["answers"]} for row in rows]
    lay_out("squads", features, {"train": rows})
    assert read_examples("tfds:squads", "question") == [
        QuestionExample("who?", "the cat", (Answer("cat", 4), Answer("the cat", 0)), False, "q1", "tfds:squads:train[0]"),
        QuestionExample("when?", "the cat", (), True, "q2", "tfds:squads:train[1]")]


def test_translation_choice_and_films(lay_out):
    lay_out("films", {"text": tfds.features.Text(), "label": classes("neg", "pos")}, {"train": [{"text": "好", "label": 1}]})
    assert read_examples("tfds:films", "text") == [TextExample("好", None, "pos", "", "tfds:films:train[0]")]
    lay_out("wmt", {"en": tfds.features.Text(), "de": tfds.features.Text()}, {"train": [{"en": "dog", "de": "Hund"}]})
    reading = Reading(text_column="en", target_column="de")
    assert read_examples("tfds:wmt", "target", reading) == [TargetExample("dog", "Hund", "", "tfds:wmt:train[0]")]
    lay_out("wmt2", {"translation": tfds.features.Translation(("de", "en"))},
            {"train": [{"translation": {"en": "dog", "de": "Hund"}}]})
    assert read_examples("tfds:wmt2", "target", reading)[0].target == "Hund"
    lay_out("swag", {"context": tfds.features.Text(), "endings": tfds.features.Sequence(tfds.features.Text()),
                     "label": np.int32}, {"train": [{"context": "A man", "endings": ["runs", "sits"], "label": 1}]})
    assert read_examples("tfds:swag", "choice") == [ChoiceExample("A man", ("runs", "sits"), 1, "", "tfds:swag:train[0]")]


def test_errors(lay_out):
    lay_out("films", {"text": tfds.features.Text()}, {"train": [{"text": "好"}]})
    assert read_examples("tfds:films", "text", split=None)[0].label is None
    with pytest.raises(ValueError, match="tfds:films: there is no split 'dev'; there are train"):
        read_examples("tfds:films", "text", split="dev")
    with pytest.raises(ValueError, match="tfds:films: .*testt"):
        read_examples("tfds:films:testt", "text")
    with pytest.raises(ValueError, match=r"tfds:no_such_films"):
        read_examples("tfds:no_such_films", "text")
