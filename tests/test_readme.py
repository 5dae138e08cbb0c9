"""Every block of the README: Python is run, in order, in one namespace; shell commands are parsed, some are run."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme_blocks import SHELL, Block, check_command, commands, read_blocks, read_marks, shell_code

README = Path(__file__).parents[1] / "README.md"
BLOCKS = read_blocks(README.read_text(encoding="utf-8"))
RUNNER = """
import json, subprocess, sys
namespace = {"__name__": "readme"}
for line, language, code in json.load(open(sys.argv[1], encoding="utf-8")):
    print("README.md, line", line, flush=True)
    if language == "python":
        exec(compile("\\n" * line + code, sys.argv[2], "exec"), namespace)
    else:
        subprocess.run(["bash", "-euo", "pipefail", "-c", code], check=True)
"""


def run(blocks: list[Block], folder: Path) -> str:
    """Runs blocks in one process, in `folder`; their output, or a failure with its end."""
    jobs = [(block.line, block.language, block.code if block.language == "python" else shell_code(block))
            for block in blocks]
    job = folder / "blocks.json"
    job.write_text(json.dumps(jobs), encoding="utf-8")
    work = folder / "work"
    work.mkdir()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run([sys.executable, "-c", RUNNER, str(job), str(README)], cwd=work, text=True, encoding="utf-8",
                          env={**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"}, timeout=1800,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        pytest.fail(done.stdout[-4000:])
    return done.stdout


def runnable(blocks: list[Block], data, monkeypatch, slow: bool) -> list[Block]:
    chosen = []
    for block in blocks:
        if not block.runs or ("slow" in block.marks and not slow) or (block.language in SHELL
                                                                      and shutil.which("bash") is None):
            continue
        if name := block.marks.get("data"):
            try:
                monkeypatch.setenv("TFPLM_DATA", str(data(name).parent))
            except pytest.skip.Exception:
                continue
        chosen.append(block)
    return chosen


def test_there_are_blocks():
    assert [block for block in BLOCKS if block.language == "python"]
    assert [words for block in BLOCKS if block.language in SHELL for words in commands(block) if words[0] == "tfplm"]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line{block.line}")
def test_block_is_correct(block):
    if block.language == "python":
        compile(block.code, "README.md", "exec")
    elif block.language in SHELL:
        for words in commands(block):
            check_command(words)
        assert commands(block)
    else:
        assert block.language, f"README.md, line {block.line}: a block without a language; ```text for plain text"


def test_quick_blocks_run(data, monkeypatch, tmp_path):
    if chosen := runnable(BLOCKS, data, monkeypatch, slow=False):
        run(chosen, tmp_path)


@pytest.mark.slow
def test_all_blocks_run(data, monkeypatch, tmp_path):
    if any("slow" in block.marks for block in BLOCKS):
        run(runnable(BLOCKS, data, monkeypatch, slow=True), tmp_path)


# ---- the reading of the blocks itself

EXAMPLE = """# Title

```python
x = "苹果"
```

<!-- not run: needs a network, and patience -->
```python
y = 1 / 0
```

<!-- slow -->
<!-- run -->

```console
$ echo 我 && FLAG=1 tfplm params \\
    bert-tiny --by-layer | head -2
$ tfplm presets  # all
output of that
```
"""


def test_blocks_and_marks():
    first, second, third = read_blocks(EXAMPLE)
    assert (first.language, first.code, first.line, first.marks) == ("python", 'x = "苹果"\n', 3, {})
    assert second.marks == {"not run": "needs a network, and patience"} and not second.runs
    assert third.marks == {"slow": "", "run": ""} and third.runs
    assert commands(third) == [["echo", "我"], ["tfplm", "params", "bert-tiny", "--by-layer"], ["head", "-2"],
                               ["tfplm", "presets"]]


@pytest.mark.parametrize("comment", ["<!-- norun: x -->", "<!-- not run -->", "<!-- data -->", "<!-- slow: very -->"])
def test_unknown_marks_are_refused(comment):
    with pytest.raises(ValueError, match=r"line 7: .* expected 'run'"):
        read_marks(f"text\n{comment}\n", 7)


def test_open_block_is_refused():
    with pytest.raises(ValueError, match="line 2: the block has no end"):
        read_blocks("a\n```python\nx = 1\n")


@pytest.mark.parametrize(("command", "message"), [
    ("tfplm nothing", "there is no verb 'nothing'"), ("tfplm params", "does not parse"),
    ("tfplm params bert-tiny --no-such-flag", "does not parse"), ("python tests/none.py", "there is no tests/none.py"),
    ("pip install -e '.[test,toast]'", "no such extra as toast")])
def test_wrong_commands_are_found(command, message):
    (words,) = commands(Block("bash", command + "\n", 1, {}))
    with pytest.raises(ValueError, match=message):
        check_command(words)


def test_blocks_share_a_namespace_and_a_folder(tmp_path):
    blocks = [Block("python", "import pathlib\nx = '苹果'\n", 1, {}), Block("bash", "$ echo 好 > a.txt\n", 2, {}),
              Block("python", "print(x + pathlib.Path('a.txt').read_text(encoding='utf-8'))\n", 3, {})]
    assert "苹果好" in run(blocks if shutil.which("bash") else [blocks[0]] * 2, tmp_path)


def test_a_failing_block_fails(tmp_path):
    with pytest.raises(pytest.fail.Exception, match="ZeroDivisionError"):
        run([Block("python", "1 / 0\n", 1, {})], tmp_path)
