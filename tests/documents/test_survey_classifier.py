"""Document 004, lines 957-1111: BERT's `run_classifier.py` with the processor, the data and the command printed there."""

import contextlib
import dataclasses
import io
import os
import re
import runpy
import shlex
import string
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

import tfplm
from tfplm import cli
from tfplm.adapt.finetune import Predictor
from tfplm.adapt.run_classifier import DataProcessor, InputExample, processors, run_classifier, tokenization
from tfplm.tokenizers import Tokenizer

OLD_IMPORTS = """import os
import tokenization
from run_classifier import ColaProcessor, DataProcessor, InputExample, MnliProcessor, MrpcProcessor, XnliProcessor
"""
NEW_IMPORTS = """import os
import sys
from tfplm import cli
from tfplm.adapt.run_classifier import DataProcessor, InputExample, processors, tokenization
"""
NUMBER = r"\d+(?:\.\d+)?(?:e-?\d+)?"


@pytest.fixture(scope="module")
def source(document) -> str:
    """The class `DemoProcessor`, lines 1024-1066."""
    return document("survey").code(1023, 1067)


@pytest.fixture(scope="module")
def demo(source) -> type:
    names = {"os": os, "tokenization": tokenization, "DataProcessor": DataProcessor, "InputExample": InputExample}
    exec(source, names)
    return names["DemoProcessor"]


@pytest.fixture(scope="module")
def folder(document, tmp_path_factory) -> Path:
    """train.tsv, dev.tsv: `label<TAB>text`, the rows of lines 975-977; test.tsv: a header, and texts."""
    folder = tmp_path_factory.mktemp("DemoDate")
    rows = [line.split("\t") for line in document("survey").lines(975, 977)]
    for split, times in (("train", 10), ("dev", 2)):
        lines = [f"{label}\t{text[start:]}\n" for start in range(times) for label, text in rows]
        (folder / f"{split}.tsv").write_text("".join(lines), encoding="utf-8")
    (folder / "test.tsv").write_text("text\n" + "".join(f"{text}\n" for _, text in rows), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def release(data, tmp_path_factory) -> Path:
    """A small BERT with the vocabulary of BERT-base Chinese, in the layout of Google's releases."""
    folder = tmp_path_factory.mktemp("chinese_L-1_H-32_A-2")
    tokenizer = Tokenizer.from_vocab(data("vocabs", "bert_base_chinese_vocab.txt"))
    keras.utils.set_random_seed(1)
    model = tfplm.from_config("bert-base-chinese", "pretraining", num_hidden_layers=1, hidden_size=32,
                              num_attention_heads=2, intermediate_size=64, max_position_embeddings=128)
    tfplm.save_pretrained(model, folder, tokenizer, format="tf1")
    return folder


@dataclasses.dataclass
class Run:
    """flags: those of the command, with the folders of the test."""

    flags: list[str]
    status: int
    printed: list[str]
    output: Path


@pytest.fixture(scope="module")
def trained(document, demo, folder, release, tmp_path_factory) -> Run:
    """The command of lines 1083-1098, after the registration of lines 1071-1079; only --output_dir is another."""
    values = dict(line.removeprefix("export ").split("=") for line in document("survey").lines(1084, 1085))
    assert list(values) == ["BERT_Chinese_DIR", "Demo_DIR"]
    words = shlex.split(document("survey").text(1086, 1098).replace("\\\n", " "))
    assert words[:2] == ["python", "run_classifier.py"]
    flags = [string.Template(word).substitute(BERT_Chinese_DIR=release, Demo_DIR=folder) for word in words[2:]]
    output = tmp_path_factory.mktemp("runs") / "Demo_output"
    assert flags[-1].startswith("--output_dir=")
    flags[-1] = f"--output_dir={output}/"
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.setitem(processors, "demo", demo)
        status = cli.main(["run-classifier", *flags])
    return Run(flags, status, printed.getvalue().splitlines(), output)


def results(printed: list[str], document) -> dict[str, float]:
    """The numbers of the block that lines 1104-1108 print; every line of it must be there, and in this order."""
    expected = document("survey").lines(1104, 1108)
    start = printed.index(expected[0])
    found = {}
    for line, pattern in zip(printed[start + 1:start + len(expected)], expected[1:], strict=True):
        assert re.fullmatch(re.escape(pattern).replace("xx", NUMBER), line), line
        name, value = line.split("=")
        found[name.strip()] = float(value)
    return found


def test_command_with_all_twelve_flags_lines_1083_to_1108(trained, document, folder):
    assert trained.status == 0 and len(trained.flags) == 12
    found = results(trained.printed, document)
    rows = [line.split("\t") for line in (folder / "dev.tsv").read_text(encoding="utf-8").splitlines()]
    predicted = Predictor.from_pretrained(trained.output).predict([text for _, text in rows])
    likelihoods = [row["probabilities"][label] for (label, _), row in zip(rows, predicted)]
    assert found["eval_accuracy"] == pytest.approx(np.mean([row["label"] == label for (label, _), row in
                                                            zip(rows, predicted)]))
    assert found["eval_loss"] == pytest.approx(-np.log(likelihoods).mean(), abs=1e-5)
    assert found["loss"] == pytest.approx(found["eval_loss"])
    assert found["global_step"] == int(30 / 32 * 3.0)  # of 30 rows, as the script counts the updates
    written = (trained.output / "eval_results.txt").read_text(encoding="utf-8").splitlines()
    assert written == [line.strip() for line in trained.printed[-4:]]


def test_the_model_is_in_the_output_folder_line_1111(trained, demo, release):
    model = tfplm.from_pretrained(trained.output, "sequence_classification")
    assert [model.config.id2label[index] for index in range(3)] == demo().get_labels()
    before, after = (model.get_layer("embeddings").word.embeddings.numpy() for model in
                     (tfplm.from_pretrained(release), model))
    assert before.shape == after.shape and 0 < np.abs(before - after).max() < 1e-3  # two steps of at most 2e-5


def test_processor_in_a_file_with_old_imports_lines_1071_to_1079(trained, source, document, tmp_path, capsys):
    """--processor FILE: a script's imports, its class, and its dict `processors`, all as they stood in old code."""
    table = textwrap.dedent(document("survey").code(1071, 1079))
    (tmp_path / "my_tasks.py").write_text(OLD_IMPORTS + source + table, encoding="utf-8")
    flags = ["--do_train=false" if flag == "--do_train=true" else flag for flag in trained.flags
             if not flag.startswith("--init_checkpoint")]
    assert cli.main(["run-classifier", *flags, f"--processor={tmp_path / 'my_tasks.py'}"]) == 0
    assert results(capsys.readouterr().out.splitlines(), document) == results(trained.printed, document)
    assert "demo" not in processors and "tokenization" not in sys.modules and "run_classifier" not in sys.modules


def test_python_run_classifier_py_line_1086(trained, source, document, tmp_path, monkeypatch, capsys):
    """A script of that name, which registers the processor and takes the flags, so that the line runs as printed."""
    script = tmp_path / "run_classifier.py"
    script.write_text(f'{NEW_IMPORTS}\n{source}\nprocessors["demo"] = DemoProcessor\n'
                      'sys.exit(cli.main(["run-classifier", *sys.argv[1:]]))\n', encoding="utf-8")
    flags = [flag.replace("--do_train=true", "--do_train=false") for flag in trained.flags]
    flags = [flag for flag in flags if not flag.startswith("--init_checkpoint")]
    monkeypatch.setattr(sys, "argv", ["run_classifier.py", *flags])
    monkeypatch.setitem(processors, "demo", None)  # so that the registration ends with the test
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(script), run_name="__main__")
    assert end.value.code == 0
    assert results(capsys.readouterr().out.splitlines(), document) == results(trained.printed, document)


def test_the_printed_processor_loses_the_test_examples_lines_1057_to_1064(demo, folder, tmp_path, monkeypatch):
    """`examples.append` stands in the branch of the other splits: that is said, and before any training."""
    monkeypatch.setitem(processors, "demo", demo)
    with pytest.raises(ValueError, match=r"DemoProcessor.get_test_examples returned no examples of .*; expected at least "
                                         "one: check the rows of the test file, and that the method appends them all"):
        run_classifier(task_name="demo", data_dir=str(folder), output_dir=str(tmp_path / "out"), do_train=True,
                       do_predict=True, init_checkpoint="none")
    assert not (tmp_path / "out").exists()


def test_label_and_tab_and_text_lines_971_to_977(demo, folder, document):
    rows = [line.split("\t") for line in document("survey").lines(975, 977)]
    found = demo().get_train_examples(str(folder))[:3]
    assert [[example.label, example.text_a] for example in found] == rows
    assert [(example.guid, example.text_b) for example in found] == [(f"train-{index}", None) for index in range(3)]
