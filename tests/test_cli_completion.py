"""Completion of commands in a shell."""

import os
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("argcomplete", reason="pip install -e '.[completion]'")
from tfplm import cli


def completions(line: str, **environment: str) -> list[str]:
    """What a shell is told for a line, as argcomplete's shell code asks for it: by file descriptor 8."""
    variables = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": "9", "_ARGCOMPLETE": "1",
                 "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SHELL": "bash"}
    command = f"{sys.executable} -m tfplm 8>&1 9>/dev/null >/dev/null 2>/dev/null"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **variables, **environment})
    return [word.strip() for word in done.stdout.split("\n") if word]


pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


@pytest.mark.parametrize("line, expected", [
    ("tfplm f", ["finetune", "fill-mask"]), ("tfplm finetune --tas", ["--task", "--task-type-vocab-size"]),
    ("tfplm finetune --task mu", ["multi-label", "multiple-choice"]), ("tfplm completion ", ["bash", "zsh", "fish"]),
    ("tfplm pretrain 'a b.txt' --preset albert-xx", ["albert-xxlarge-v2"]), ("tfplm serve m --eng", ["--engine"])])
def test_words(line, expected):
    assert sorted(completions(line)) == sorted(expected)


def test_no_tensorflow_is_imported(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('imported')")
    (tmp_path / "keras.py").write_text("raise SystemExit('imported')")
    path = os.pathsep.join([str(tmp_path), os.path.dirname(os.path.dirname(os.path.abspath(__file__)))])
    assert completions("tfplm finetune --task tag", PYTHONPATH=path) == ["tagging"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_code_for_a_shell(shell, capsys):
    assert cli.main(["completion", shell]) == 0
    code = capsys.readouterr().out
    assert "tfplm" in code and "_ARGCOMPLETE" in code
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=code, text=True, check=True, timeout=60)


def test_bash_takes_the_code(capsys):
    cli.main(["completion", "bash"])
    done = subprocess.run(["bash", "-c", capsys.readouterr().out + "\ncomplete -p tfplm"], capture_output=True, text=True,
                          timeout=60)
    assert "_python_argcomplete" in done.stdout


def test_without_argcomplete(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "argcomplete.shell_integration", None)
    assert cli.main(["completion", "bash"]) == 1
    assert "pip install -e '.[completion]'" in capsys.readouterr().err
