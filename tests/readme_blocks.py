"""The code blocks of a Markdown file, and the marks in a comment before one.

    <!-- run -->                    a shell block is run (others are only checked)
    <!-- not run: REASON -->        a Python block is only compiled: it needs a network, a GPU, your own files
    <!-- slow -->                   run with --slow only
    <!-- data: NAME -->             run where that data set is; TFPLM_DATA is set
"""

import ast
import dataclasses
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tfplm import cli

ROOT = Path(__file__).parents[1]
SHELL = ("bash", "console", "sh", "shell")
MARKS = re.compile(r"(?P<name>run|slow|not run|data)(?:: *(?P<value>.+?))?", re.DOTALL)
OPERATORS = {"&&", "||", ";", "|", "&", ">", ">>", "<", "2>", "(", ")"}


@dataclasses.dataclass
class Block:
    """line: index of the line with the opening fence, from 1. marks: name -> value."""

    language: str
    code: str
    line: int
    marks: dict[str, str]

    @property
    def runs(self) -> bool:
        return "not run" not in self.marks and (self.language == "python" or "run" in self.marks)


def read_blocks(text: str) -> list[Block]:
    """The fenced blocks of a Markdown text; ValueError for a fence left open and for a comment that is no mark."""
    blocks, before, lines = [], [], text.splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and (fence := re.fullmatch(r"```+ *(\w*).*", line)):
            start, language = number, fence[1]
        elif start is not None and re.fullmatch(r"```+ *", line):
            code = "\n".join(lines[start:number - 1]) + "\n"
            blocks.append(Block(language, code, start, read_marks("\n".join(before), start)))
            start, before = None, []
        elif start is None:
            before.append(line)
    if start is not None:
        raise ValueError(f"line {start}: the block has no end")
    return blocks


def read_marks(before: str, line: int) -> dict[str, str]:
    """The comments right before a block."""
    tail = re.search(r"(?:<!--(?:(?!-->).)*-->\s*)*\Z", before, re.DOTALL)[0]
    marks = {}
    for comment in re.findall(r"<!--\s*(.*?)\s*-->", tail, re.DOTALL):
        found = MARKS.fullmatch(comment)
        if found is None or (found["name"] in ("not run", "data")) != bool(found["value"]):
            raise ValueError(f"line {line}: '{comment}' before the block; expected 'run', 'slow', 'not run: REASON' or "
                             "'data: NAME'")
        marks[found["name"]] = found["value"] or ""
    return marks


def shell_code(block: Block) -> str:
    """The commands of a shell block; in one with prompts the other lines are output."""
    lines = block.code.splitlines()
    if any(line.startswith("$ ") for line in lines):
        kept, more = [], False
        for line in lines:
            if more or line.startswith("$ "):
                kept.append(line if more else line[2:])
                more = line.endswith("\\")
        lines = kept
    return "\n".join(lines) + "\n"


def commands(block: Block) -> list[list[str]]:
    """The words of each command of a shell block, without the variables set before it."""
    result = []
    for line in shell_code(block).replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = []
        for word in [*lexer, ";"]:
            if word not in OPERATORS:
                words.append(word)
                continue
            while words and re.fullmatch(r"\w+=.*", words[0]):
                del words[0]
            if words:
                result.append(words)
            words = []
    return result


def verbs(block: Block) -> list[list[str]] | None:
    """The arguments of each `tfplm` of a shell block that has nothing else, neither pipes nor variables; else None."""
    found = []
    for line in shell_code(block).replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and (words[0] != "tfplm" or re.search(r"[&|;<>$*?`]", line.partition(" #")[0])):
            return None
        found += [words[1:]] if words else []
    return found or None


def same_code(first: Block, second: Block) -> bool:
    """Whether two blocks do the same: equal but for comments and line ends."""
    if first.language != second.language or first.marks.keys() != second.marks.keys():
        return False
    if first.language == "python":
        return ast.dump(ast.parse(first.code)) == ast.dump(ast.parse(second.code))
    return commands(first) == commands(second) if first.language in SHELL else first.code == second.code


def check_block(block: Block, name: str) -> None:
    """SyntaxError or ValueError for code that cannot be right: syntax, names that are imported, commands."""
    if block.language == "python":
        compile(block.code, name, "exec")
        check_names(block.code)
    elif block.language in SHELL:
        if not commands(block):
            raise ValueError(f"{name}, line {block.line}: a shell block without a command")
        for words in commands(block):
            check_command(words)
    elif not block.language:
        raise ValueError(f"{name}, line {block.line}: a block without a language; ```text for plain text")


def check_names(code: str) -> None:
    """ValueError for a name of `tfplm` that is imported, or used as `tfplm.NAME`, and does not exist."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tfplm":
            for alias in node.names:
                _check_name(node.module, alias.name)
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "tfplm":
            _check_name("tfplm", node.attr)


def _check_name(module: str, name: str) -> None:
    try:
        if not hasattr(importlib.import_module(module), name):
            importlib.import_module(f"{module}.{name}")
    except ImportError as error:
        raise ValueError(f"{module}.{name} does not exist: {error}") from None


def check_command(words: list[str]) -> None:
    """ValueError for a `tfplm` command that does not parse, and for scripts and extras that are not there."""
    words = ["tfplm", *words[3:]] if words[:3] == ["python", "-m", "tfplm.cli"] else words
    if words[0] == "tfplm":
        _check_verb(words[1:])
    elif words[0] == "python":
        for word in words[1:2]:
            if word.endswith(".py") and not (ROOT / word).is_file():
                raise ValueError(f"there is no {word}")
    elif words[:2] == ["pip", "install"]:
        known = declared_extras()
        for extras in re.findall(r"\[(.*?)\]", " ".join(words)):
            if unknown := set(extras.replace(" ", "").split(",")) - known:
                raise ValueError(f"{' '.join(words)}: no such extra as {', '.join(unknown)}; there are {sorted(known)}")


def _check_verb(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("--help", "--version"):
        return
    if arguments[0] not in cli.VERBS:
        raise ValueError(f"there is no verb '{arguments[0]}'")
    try:
        if "--config" in arguments:  # the file is the reader's own
            cli.build_parser(arguments[0])[0].parse_args(arguments[1:])
        else:
            cli.parse(arguments[0], arguments[1:])
    except SystemExit as stop:
        if stop.code:
            raise ValueError(f"`tfplm {shlex.join(arguments)}` does not parse") from None


def declared_extras() -> set[str]:
    for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "EXTRAS":
            return {key.value for key in node.value.keys}
    raise ValueError("setup.py has no EXTRAS")


# ---- running


def runnable(blocks: Iterable[Block], data, monkeypatch, slow: bool) -> list[Block]:
    """The blocks that are to be run here: with their data set, and a shell where they need one."""
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


def run_pages(pages: dict[Path, list[Block]], folder: Path) -> str:
    """Runs the blocks of pages in one process, each page in a folder below `folder`; their output, or a failure with
    its end."""
    job = [{"path": path.name, "folder": str(folder / str(index)), "blocks": [
        {"language": block.language, "line": block.line, "verbs": verbs(block) if block.language in SHELL else None,
         "code": shell_code(block) if block.language in SHELL else block.code} for block in blocks]}
        for index, (path, blocks) in enumerate(pages.items())]
    (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run([sys.executable, str(Path(__file__).with_name("block_runner.py")), str(folder / "job.json")],
                          cwd=folder, text=True, encoding="utf-8", timeout=1800, check=False,
                          env={**os.environ, "PATH": path, "PYTHONIOENCODING": "utf-8"},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        pytest.fail(done.stdout[-4000:])
    return done.stdout
