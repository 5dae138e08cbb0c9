"""Rejected options and data, and the verbs on the command line."""

import json
import subprocess
import sys

import pytest

from tests.adapt.adapt_cases import GOOD, train, write_tags, write_texts
from tfplm.adapt.finetune.result import open_task
from tfplm.adapt.finetune.run import finetune
from tfplm.cli import main
from tfplm.families import registry


@pytest.mark.parametrize("options, message", [
    ({"epochs": 0}, "epochs is 0; expected 1 or more: change --epochs"),
    ({"batch_size": -1}, "batch_size is -1; expected 1 or more: change --batch-size"),
    ({"max_length": 0}, "max_length is 0; expected 1 or more"),
    ({"most_examples": 0}, "most_examples is 0; expected 1 or more"),
    ({"num_beams": 0}, "num_beams is 0; expected 1 or more"),
    ({"learning_rate": -1e-3}, "learning_rate is -0.001; expected 0 or more: change --learning-rate"),
    ({"stride": -1}, "stride is -1; expected 0 or more"),
    ({"folds": 1}, "folds is 1; expected 2 or more, or 0 for no cross-validation: change --folds"),
    ({"folds": 2, "replay": "x"}, "--folds and --replay were both given, but cannot be combined: omit one"),
    ({"crf": True}, "--crf was given for --task classification, but only tagging has a CRF: omit --crf"),
    ({"class_weights": "balanced", "task": "tagging"}, "--class-weights was given for --task tagging, but only"),
    ({"label_smoothing": 1.0}, "label_smoothing is 1.0; expected a number from 0 to below 1: change --label-smoothing"),
    ({"label_smoothing": 0.1, "task": "regression"}, "--label-smoothing was given for regression, but only tasks whose"),
    ({"label_smoothing": 0.1, "task": "tagging", "crf": True}, "--label-smoothing was given for --crf, but only"),
    ({"train": "features", "auxiliary_lm": 0.5}, "--train features computes the model's features once"),
    ({"train": "features", "augment": "mask"}, "--train features computes the model's features once"),
    ({"train": "features", "unfreeze_every": 1}, "--train features computes the model's features once"),
    ({"train": "head", "unfreeze_every": 1}, "--unfreeze-every was given with --train head, .*: use --train all"),
    ({"train": "first:2"}, "train is 'first:2'; expected all, head, features, or last:N"),
    ({}, r"no training data \(found no files\); expected a train file: add --train-file FILE, or --data FOLDER"),
])
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        finetune(init="nowhere", **options)


@pytest.mark.parametrize("options, message", [
    ({"init": None}, "neither --init nor --preset was given; expected one of them: use --init MODEL for a pre-trained"),
    ({"preset": "textcnn"}, "both --init and --preset were given; expected one of them"),
    ({"train": "features", "init": None, "preset": "textcnn"}, "--train features was given for textcnn with the head"),
    ({"auxiliary_lm": 0.5}, "attention_type is 'full', but the auxiliary language model needs causal attention"),
    ({"task": "regression"}, "expected a number"),
    ({"task": "translation", "preset": "bert-tiny", "init": None}, "bert-tiny is not an encoder-decoder, which --task"),
    ({"task": "tagging", "train_file": "no.conll"}, "no.conll"),
])
def test_options_data_and_model_that_do_not_match(tiny, tmp_path, options, message):
    data = write_texts(tmp_path / "data", ("train", "dev"), repeat=1)
    options = {"init": str(tiny), "data": str(data), "output": str(tmp_path / "model"), "quiet": True,
               "log_dir": str(tmp_path / "log"), **options}
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        finetune(**options)
    assert not (tmp_path / "model" / "config.json").exists()


def test_development_data_without_labels(tiny, tmp_path):
    data = write_texts(tmp_path / "data", ("train",), repeat=1)
    (data / "dev.tsv").write_text("text\n" + "\n".join(GOOD) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"dev.tsv: some development examples have no label; expected a label"):
        train(tiny, tmp_path / "model", data=str(data))
    (data / "dev.tsv").write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match=r"dev.tsv: the file is empty"):
        train(tiny, tmp_path / "other", data=str(data))


def test_one_training_example_and_one_label(tiny, tmp_path):
    one = write_texts(tmp_path / "one", ("train",), [("好", "好评")], repeat=1)
    with pytest.raises(ValueError, match="there is 1 training example and no development data, .*; expected 2 or more"):
        train(tiny, tmp_path / "model", data=str(one))
    same = write_texts(tmp_path / "same", ("train",), [("好", "好评"), ("很好", "好评")], repeat=5)
    with pytest.raises(ValueError, match="all 9 training examples have the label '好评'"):
        train(tiny, tmp_path / "other", data=str(same))


def test_a_bad_row_is_named_or_counted(tiny, tmp_path, capsys):
    data = write_texts(tmp_path / "data", ("train", "dev"), repeat=2)
    with open(data / "train.tsv", "a", encoding="utf-8") as file:
        file.write("多\t了\t一列\n没有标签\t\n")
    with pytest.raises(ValueError, match=r"train.tsv:34: found 3 columns in .*--skip-bad-rows"):
        train(tiny, tmp_path / "model", data=str(data))
    train(tiny, tmp_path / "model", data=str(data), skip_bad_rows=True, quiet=False, epochs=1, train="head", batch_size=64)
    assert "2 of 34 rows were skipped; the first" in capsys.readouterr().out


def test_rows_longer_than_the_positions_are_truncated(tiny, tmp_path):
    rows = [("好" * 500, "好评"), ("坏" * 500, "差评")] * 2
    data = write_texts(tmp_path / "data", ("train", "dev"), rows, repeat=1)
    result = train(tiny, tmp_path / "model", data=str(data), epochs=1, max_length=400, batch_size=1000, train="head")
    assert result.task.settings.max_length == 64 and len(result.task.features([], False)) == 0
    assert open_task(tmp_path / "model").settings == result.task.settings


def test_position_limits():
    assert registry.preset("bert-tiny").position_limit == 512 and registry.preset("roberta-base").position_limit == 512
    assert registry.preset("t5-small").position_limit is None


def test_damaged_task_files(classifier, tmp_path):
    (tmp_path / "task.json").write_text('{"task": "dancing", "settings": {}, "labels": null}', encoding="utf-8")
    with pytest.raises(ValueError, match="task is 'dancing'; expected one of classification, multi-label"):
        open_task(tmp_path)
    (tmp_path / "task.json").write_text('{"task": "tagging", "settings": {"max_lenght": 3}, "labels": []}', encoding="utf-8")
    with pytest.raises(ValueError, match="'max_lenght' .did you mean 'max_length'"):
        open_task(tmp_path, object())


@pytest.mark.parametrize("verb", ["finetune", "evaluate", "predict", "multitask"])
def test_help_needs_no_tensorflow_and_is_complete(verb):
    program = ("import sys, tfplm.cli\ntry:\n    tfplm.cli.main([sys.argv[1], '--help'])\nexcept SystemExit:\n    pass\n"
               "print('tensorflow' in sys.modules or 'keras' in sys.modules, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", program, verb], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip().endswith("False")
    expected = {"finetune": "--unfreeze-every", "evaluate": "--pictures", "predict": "--n-best", "multitask": "--alpha"}
    assert expected[verb] in done.stdout and "--skip-bad-rows" in done.stdout


def test_command_line(tiny, tmp_path, capsys):
    data = write_tags(tmp_path / "data", repeat=1)
    arguments = ["finetune", "--task", "tagging", "--data", str(data), "--init", str(tiny), "--output",
                 str(tmp_path / "model"), "--log-dir", str(tmp_path / "log"), "--epochs", "1", "--train", "head",
                 "--quiet", "--max-length", "16"]
    assert main(arguments) == 0
    assert (tmp_path / "log").is_dir()
    assert json.loads((tmp_path / "model" / "task.json").read_text(encoding="utf-8"))["labels"] == ["O", "B-LOC", "I-LOC"]
    assert main([*arguments, "--epochs", "0"]) == 1
    error = capsys.readouterr().err
    assert "epochs is 0; expected 1 or more" in error and "Traceback" not in error
    with pytest.raises(SystemExit) as status:
        main(["finetune", "--task", "dancing"])
    assert status.value.code == 2
