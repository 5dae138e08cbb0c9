"""What reaches a terminal or a pipe: results in their form, no messages of libraries, nothing when the reader has gone."""

import json
import os
import pty
import subprocess
import sys
import threading

import pytest

import tfplm

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOISE = ("I0000", "W0000", "E0000", "WARNING", "absl", "cuda", "oneDNN", "XLA")


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items()
            if name not in ("NO_COLOR", "COLUMNS", "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")}
    return {**kept, "PYTHONPATH": ROOT, "TERM": "xterm", **changes}


def piped(*words: str, **changes: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "tfplm", *words], capture_output=True, text=True, encoding="utf-8",
                          env=environment(PYTHONIOENCODING="utf-8", **changes), timeout=120)


def at_a_terminal(*words: str, **changes: str) -> tuple[int, str]:
    """(exit status, all that a pseudo-terminal shows) of `tfplm WORDS`."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "tfplm", *words], stdin=subprocess.DEVNULL, stdout=theirs,
                               stderr=theirs, env=environment(PYTHONIOENCODING="utf-8", **changes))
    os.close(theirs)
    seen = bytearray()

    def read():
        try:
            while part := os.read(ours, 4096):
                seen.extend(part)
        except OSError:  # the other side is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    status = process.wait(timeout=120)
    reader.join(10)
    os.close(ours)
    return status, seen.decode("utf-8").replace("\r\n", "\n")


def test_the_package_is_a_command():
    assert piped("--version").stdout == f"{tfplm.__version__}\n"
    done = piped()
    assert done.returncode == 2 and done.stdout.startswith("usage: tfplm VERB")


def test_a_table_at_a_terminal_and_json_through_a_pipe():
    status, text = at_a_terminal("presets", "albert", NO_COLOR="1")
    lines = text.splitlines()
    assert status == 0 and lines[0].split()[:2] == ["preset", "family"]
    assert any(line.split()[:2] == ["albert-base-v2", "albert"] for line in lines) and "\x1b" not in text
    rows = [json.loads(line) for line in piped("presets", "albert").stdout.splitlines()]
    assert rows[0]["preset"] == "albert-base-v2" and len(rows) == len(lines) - 2
    status, text = at_a_terminal("presets", "albert", "--json")
    assert status == 0 and [json.loads(line) for line in text.splitlines()] == rows


def test_colours_only_at_a_terminal():
    assert "\x1b[" in at_a_terminal("presets", "albert")[1]
    assert "\x1b" not in piped("presets", "albert").stdout


def test_results_in_a_file(tmp_path):
    done = piped("presets", "albert", "-o", str(tmp_path / "presets.json"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert json.loads((tmp_path / "presets.json").read_text())[0]["preset"] == "albert-base-v2"
    done = piped("presets", "-o", str(tmp_path / "presets.xlsx"))
    assert done.returncode == 1 and "has the suffix '.xlsx'; expected .jsonl, .json, .tsv" in done.stderr


@pytest.mark.parametrize("words", [["presets"], ["--help"], ["finetune", "--help-all"],
                                   ["tokenize", "VOCAB", "--file", "TEXT"]])
def test_a_reader_that_goes_away_is_no_error(words, tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")
    (tmp_path / "text.txt").write_text("a\n" * 50_000)
    words = [{"VOCAB": str(tmp_path / "vocab.txt"), "TEXT": str(tmp_path / "text.txt")}.get(word, word) for word in words]
    process = subprocess.Popen([sys.executable, "-m", "tfplm", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment())
    process.stdout.read(1)
    process.stdout.close()
    assert (process.stderr.read(), process.wait(60)) == (b"", 0)
    process.stderr.close()


def test_errors_go_to_standard_error_and_never_to_standard_output():
    done = piped("params", "bert-tinny")
    assert done.returncode == 1 and done.stdout == "" and done.stderr.startswith("tfplm params: ")
    assert "Error" not in done.stderr and len(done.stderr.splitlines()) == 1
    closed = subprocess.run(f"{sys.executable} -m tfplm fnetune 2>&-", shell=True, stdout=subprocess.PIPE,
                            env=environment(), timeout=60)
    assert closed.returncode == 2 and closed.stdout == b""


def test_a_closed_standard_output_is_no_traceback():
    done = subprocess.run(f"{sys.executable} -m tfplm presets >&-", shell=True, stderr=subprocess.PIPE, env=environment(),
                          text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux")
@pytest.mark.parametrize("words, status", [("presets", 1), ("--help", 1), ("finetune --help", 1), ("fnetune", 2)])
def test_a_full_disk_is_one_line(words, status):
    done = subprocess.run(f"{sys.executable} -m tfplm {words} >/dev/full", shell=True, stderr=subprocess.PIPE,
                          env=environment(), text=True, timeout=60)
    lines = done.stderr.splitlines()
    assert done.returncode == status and len(lines) <= 2 and "Traceback" not in done.stderr
    assert status == 2 or "No space left on device" in lines[0]


@pytest.mark.parametrize("columns", [0, 100])
def test_progress_at_a_terminal_is_a_bar(columns):
    """With the rate and the time left, also at a terminal that does not state its width."""
    import fcntl
    import struct
    import termios

    from tfplm.training.loop.progress import Line

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    with os.fdopen(theirs, "w") as terminal:
        line = Line("epoch 1/1", 10, terminal, 60.0, nested=False)
        line.advance(1, {}, lambda: {"examples": 1})
        line._start, line._shown = (line._start[0] - 10, *line._start[1:]), line._shown - 10
        line.advance(5, {"loss": 0.5}, lambda: {"examples": 1001})
        line._bar.close()
        os.set_blocking(ours, False)
        shown = os.read(ours, 10_000).decode()
    os.close(ours)
    last = shown.rstrip().rpartition("\r")[2]
    assert "\r" in shown and "epoch 1/1 |" in last and "| 5/10  loss 0.5  100 examples/s  0:00:1" in last and " left" in last


def test_verbs_that_need_no_tensorflow(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n")
    (tmp_path / "text.txt").write_text("a b\nb a\n" * 50)
    code = ("import sys\nfrom tfplm import cli\nfor words in "
            f"[['presets'], ['tokenize', {str(tmp_path / 'vocab.txt')!r}, 'a'], ['completion', 'bash'],"
            f" ['vocab', {str(tmp_path / 'text.txt')!r}, '-o', {str(tmp_path / 'v')!r}, '--vocab-size', '10'],"
            f" ['records', {str(tmp_path / 'text.txt')!r}, '--tokenizer', {str(tmp_path / 'vocab.txt')!r}, '-o',"
            f" {str(tmp_path / 'r')!r}, '--processes', '1']]:\n"
            "    status = cli.main(words)\n    assert not status or words[0] == 'completion', words\n"
            "    assert not {'tensorflow', 'keras'} & set(sys.modules), words\n")
    done = subprocess.run([sys.executable, "-c", f"if __name__ == '__main__':\n    exec({code!r})"], capture_output=True,
                          text=True, env=environment(), timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_no_message_of_tensorflow_reaches_a_terminal(data, tmp_path):
    model = data("tiny_checkpoints") / "bert_toy"
    status, text = at_a_terminal("fill-mask", str(model), "the [MASK] .", "--top-k", "1")
    assert status == 0 and text.splitlines()[0] == "the [MASK] ." and not any(word in text for word in NOISE), text
    (tmp_path / "texts.txt").write_text("the dull\nall a\n")
    status, text = at_a_terminal("encode", str(tmp_path / "texts.txt"), "--model", str(model), "-o",
                                 str(tmp_path / "v.npy"), "--workers", "2")
    assert status == 0 and "2 vectors" in text and not any(word in text for word in NOISE), text
    assert any(word in piped("fill-mask", str(model), "the [MASK]", "--debug").stderr for word in NOISE)
