"""README.md and README.zh.md: the same blocks in both; Python runs, in order, in one namespace; commands are parsed, some
run."""

import re
import shutil
from pathlib import Path

import pytest

from tests.readme_blocks import (
    SHELL,
    Block,
    check_block,
    check_command,
    commands,
    read_blocks,
    read_marks,
    run_pages,
    runnable,
    same_code,
    verbs,
)

ROOT = Path(__file__).parents[1]
README, CHINESE = ROOT / "README.md", ROOT / "README.zh.md"
BLOCKS = read_blocks(README.read_text(encoding="utf-8"))
CHINESE_BLOCKS = read_blocks(CHINESE.read_text(encoding="utf-8"))
MOST_LINES = 250


def test_there_are_blocks():
    assert [block for block in BLOCKS if block.language == "python"]
    assert [words for block in BLOCKS if block.language in SHELL for words in commands(block) if words[0] == "tfplm"]


def test_the_two_command_lines_come_first():
    assert [block.code for block in BLOCKS[:2]] == ["pip install -e . && tfplm demo\n",
                                                    "pip install -e '.[test]' && pytest\n"]


@pytest.mark.parametrize("path", [README, CHINESE], ids=lambda path: path.name)
def test_readme_is_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("path", [README, CHINESE], ids=lambda path: path.name)
def test_links_lead_to_files(path):
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8"))]
    local = [link for link in links if link and "://" not in link]
    assert len(local) > 20
    assert [link for link in local if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line{block.line}")
def test_block_is_correct(block):
    check_block(block, "README.md")


def test_both_languages_have_the_same_blocks():
    """Equal but for comments, so that running those of one README runs both."""
    assert len(CHINESE_BLOCKS) == len(BLOCKS)
    different = [(ours.line, theirs.line) for ours, theirs in zip(BLOCKS, CHINESE_BLOCKS) if not same_code(ours, theirs)]
    assert different == []


def test_quick_blocks_run(data, monkeypatch, tmp_path):
    run_pages({README: runnable(BLOCKS, data, monkeypatch, slow=False)}, tmp_path)


@pytest.mark.slow
def test_all_blocks_run(data, monkeypatch, tmp_path):
    if any("slow" in block.marks for block in BLOCKS):
        run_pages({README: runnable(BLOCKS, data, monkeypatch, slow=True)}, tmp_path)


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


@pytest.mark.parametrize(("code", "name"), [
    ("from tfplm.pretrain import pretrained", "tfplm.pretrain.pretrained"), ("tfplm.Tokeniser('a')", "tfplm.Tokeniser"),
    ("from tfplm.nowhere import pretrain", "tfplm.nowhere.pretrain")])
def test_names_that_do_not_exist_are_found(code, name):
    with pytest.raises(ValueError, match=f"{name} does not exist"):
        check_block(Block("python", code + "\n", 1, {}), "a page")


def test_blocks_are_compared_without_their_comments():
    python = [Block("python", code, 1, {}) for code in ("x = 1  # one\n", "x = 1  # 一\n", "x = 2\n")]
    shell = [Block("bash", code, 1, {}) for code in ("tfplm presets  # all\n", "tfplm presets\n", "tfplm presets bert\n")]
    for first, second, other in (python, shell):
        assert same_code(first, second) and not same_code(first, other)
    assert not same_code(python[0], Block("python", "x = 1\n", 1, {"not run": "why"}))


@pytest.mark.parametrize(("code", "expected"), [
    ("tfplm presets\ntfplm params 'bert-tiny' \\\n    --by-layer  # a table\n",
     [["presets"], ["params", "bert-tiny", "--by-layer"]]),
    ("tfplm presets | head -1\n", None), ("tfplm presets && echo 1\n", None), ("echo 1\ntfplm presets\n", None),
    ("tfplm vocab *.txt\n", None)])
def test_plain_verbs_need_no_shell(code, expected):
    assert verbs(Block("bash", code, 1, {"run": ""})) == expected


def test_pages_share_a_process_and_nothing_else(tmp_path):
    shell = [Block("bash", "$ echo 好 > a.txt\n", 2, {})] if shutil.which("bash") else [
        Block("python", "pathlib.Path('a.txt').write_text('好', encoding='utf-8')\n", 2, {})]
    first = [Block("python", "import os, pathlib\nx = '苹果'\nprint('process', os.getpid())\n", 1, {}), *shell,
             Block("python", "print(x + pathlib.Path('a.txt').read_text(encoding='utf-8'))\n", 3, {})]
    second = [Block("python", "import os\nprint('process', os.getpid(), os.listdir(), 'x' in globals())\n", 1, {})]
    output = run_pages({Path("a.md"): first, Path("b.md"): second}, tmp_path)
    assert "苹果好" in output and "[] False" in output
    assert len(set(re.findall(r"process (\d+)", output))) == 1


@pytest.mark.parametrize(("block", "message"), [
    (Block("python", "1 / 0\n", 7, {}), "a.md.*line 8.*ZeroDivisionError"),
    (Block("bash", "tfplm nothing\n", 1, {"run": ""}), "there is no verb 'nothing'.*exit status 2")])
def test_a_failing_block_fails(tmp_path, block, message):
    with pytest.raises(pytest.fail.Exception, match=f"(?s){message}"):
        run_pages({Path("a.md"): [block]}, tmp_path)
