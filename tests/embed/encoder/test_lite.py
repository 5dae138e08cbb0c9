"""Programs of LiteRT: what cannot be converted says why, and leaves no process behind."""

import sys

import pytest
import tensorflow as tf

from tfplm.embed.encoder import lite


@pytest.mark.parametrize(("code", "message"), [
    ("import sys; sys.stderr.write('noise\\nConverterError: no op\\nlast\\n'); sys.exit(1)", "ConverterError: no op"),
    ("import sys; sys.exit(3)", "exit status 3")])
def test_a_failed_conversion_names_its_error(tmp_path, monkeypatch, code, message):
    monkeypatch.setattr(lite, "_CONVERT", code)
    with pytest.raises(RuntimeError, match=f"^{message}$"):
        lite._convert(tmp_path / "saved", tmp_path / "file")


def test_a_conversion_does_not_take_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(lite, "_CONVERT", "import time; time.sleep(60)")
    monkeypatch.setattr(lite, "_TIMEOUT", 0.2)
    with pytest.raises(RuntimeError, match="took more than 0.2 seconds"):
        lite._convert(tmp_path / "saved", tmp_path / "file")


def test_without_an_interpreter_of_python_nothing_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(OSError):
        lite._convert(tmp_path / "saved", tmp_path / "file")


def test_it_has_the_threads_of_tensorflow(monkeypatch):
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 3)
    assert lite._threads() == 3
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 0)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "5")
    assert lite._threads() == 5
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "many")
    assert lite._threads() >= 1
