"""The output folder of `tfplm pretrain`: stopped in the evaluation, longer, on changed text, done."""

import dataclasses
import signal

import keras
import numpy as np
import pytest

from tests.pretrain.test_pretrain import TINY, write_text
from tfplm.data.noise import NoiseVocabulary
from tfplm.models.pretrained.weights import named_variables
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain import batches as batches_module
from tfplm.pretrain.objectives.objective import Part
from tfplm.pretrain.run import pretrain
from tfplm.training.loop.callbacks import Speed


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> PretrainOptions:
    folder = tmp_path_factory.mktemp("run")
    text = write_text(folder / "三国.txt")
    return PretrainOptions(text=[str(text)], output=str(folder / "model"), log_dir=str(folder / "logs"), objective="mlm",
                           preset="bert-tiny", vocab_size=200, steps=4, evaluate_every=2, summary_every=2, held_out=0.2,
                           evaluation_batches=4, schedule="constant", warmup_steps=0, **{**TINY, "quiet": False})


@pytest.fixture(scope="module")
def whole(options):
    return pretrain(options)


class StopInEvaluation(Speed):
    """Sends SIGTERM's companion, SIGINT, in the evaluation after the last step."""

    armed = True

    def on_test_begin(self, logs=None):
        super().on_test_begin(logs)
        if StopInEvaluation.armed and int(keras.ops.convert_to_numpy(self.model.steps)) == 4:
            StopInEvaluation.armed = False
            signal.raise_signal(signal.SIGINT)


@pytest.mark.slow
def test_stopped_in_the_last_evaluation(whole, options, tmp_path, monkeypatch, capsys):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    changed = dataclasses.replace(options, output=str(tmp_path / "a b"), log_dir=None)
    monkeypatch.chdir(tmp_path)
    try:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("tfplm.pretrain.run.Speed", StopInEvaluation)
            pretrain(changed)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "interrupted at step 4; the same command resumes" in capsys.readouterr().err
    again = pretrain(changed)
    printed = capsys.readouterr()
    assert printed.out.startswith("resuming at step 4 of 4 (saved ") and "tokens/s" not in printed.out
    assert "step 4/4" in printed.err and "epoch" not in printed.err
    for path, variable in named_variables(again.model).items():
        np.testing.assert_array_equal(np.asarray(variable), np.asarray(named_variables(whole.model)[path]), err_msg=path)
    assert again.metrics == pytest.approx(whole.metrics)
    pretrain(changed)
    assert capsys.readouterr().out.startswith("already done (results of ")


def test_changed_text_more_steps_and_overwriting(whole, options, capsys):
    capsys.readouterr()
    file = options.text[0]
    with open(file, encoding="utf-8") as opened:
        text = opened.read()
    try:
        with open(file, "a", encoding="utf-8") as opened:
            opened.write("\n天下大势，分久必合。\n")
        with pytest.raises(ValueError, match="contains a training on other data: the contents of the text have changed"):
            pretrain(options)
    finally:
        with open(file, "w", encoding="utf-8") as opened:
            opened.write(text)
    longer = pretrain(options, steps=6)
    assert longer.steps == 6 and "resuming at step 4 of 6" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"\(schedule 'constant', now 'linear'; steps 6, now 8\): use"):
        pretrain(options, steps=8, schedule="linear")
    assert pretrain(options, overwrite=True, quiet=True).steps == 4


def test_labels_that_are_all_equal_are_said(caplog):
    class Task:
        parts = (Part("nsp", "next_sentence_labels"), Part("mlm", "ids", "weights"))

    batches_module._warn(Task(), {"next_sentence_labels": np.ones(16, int), "ids": np.arange(8), "weights": np.ones(8)})
    assert "nsp: all 16 labels of the first batch are equal" in caplog.text and "mlm" not in caplog.text
    batches_module._warn(Task(), {"next_sentence_labels": np.arange(16) % 2, "ids": np.arange(8), "weights": np.zeros(8)})
    assert "mlm: no token of the first batch has a label" in caplog.text
    assert NoiseVocabulary(5).size == 5


def test_sentences_without_a_next_one(options, tmp_path, caplog):
    """Documents of one sentence cannot teach which sentence comes next."""
    lines = "\n\n".join("话说天下大势分久必合" for _ in range(200))
    (tmp_path / "lines.txt").write_text(lines, encoding="utf-8")
    pretrain(options, text=[str(tmp_path / "lines.txt")], objective="mlm+nsp", output=str(tmp_path / "m"), steps=1,
             log_dir=str(tmp_path / "logs"), summary_every=0, quiet=True, held_out=0.0, text_layout="sentences",
             batch_tokens=512)
    assert "nsp: all" in caplog.text and "documents of one sentence have no next one" in caplog.text


@pytest.mark.parametrize("changes, message", [
    ({"accumulation": 9}, "accumulation is 9, but the whole training has 4 batches, so no weight would be updated"),
    ({"masked_rate": 0.0}, "masked_rate is 0.0; expected a fraction above 0 and below 1"),
    ({"save_every": 0}, "save_every is 0; expected 1 or more")])
def test_trainings_that_do_nothing_are_refused(options, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        pretrain(options, output=str(tmp_path / "x"), **changes)
