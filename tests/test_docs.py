"""The pages of `docs/` and the changelog: code that is correct, and runs in the slow tier; every verb is described."""

import importlib.util
import re
from pathlib import Path

import pytest

from tests.readme_blocks import SHELL, check_block, commands, read_blocks, run_pages, runnable
from tfplm import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
BLOCKS = {path: read_blocks(path.read_text(encoding="utf-8")) for path in PAGES}
WORKFLOWS = [path for path in PAGES if path.parent.name == "workflows"]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_blocks_are_correct(path):
    for block in BLOCKS[path]:
        check_block(block, path.name)


def test_every_verb_is_on_a_page():
    shown = {words[1] for blocks in BLOCKS.values() for block in blocks if block.language in SHELL
             for words in commands(block) if words[0] == "tfplm" and len(words) > 1}
    assert set(cli.VERBS) - shown == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_start_with_a_chinese_summary(path):
    assert re.match(r'# .+\n\n!!! abstract "中文"\n    ', path.read_text(encoding="utf-8"))


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    assert [path.name for path in PAGES if path.relative_to(ROOT / "docs").as_posix() not in navigation] == []


def moved() -> list[str]:
    """The modules that the changelog names as new places: the right column of its last table."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    table = text.partition("All modules;")[2].partition("\n## ")[0]
    names = []
    for old, new in re.findall(r"^\| (`.+) \| `(.+)` \|$", table, re.MULTILINE):
        names += [new + name for name in re.findall(r"`(\w+)`", old)] if new.endswith(".") else [new]
    return names


def test_modules_have_moved_where_the_changelog_says():
    names = moved()
    assert len(names) > 150
    assert [name for name in names if importlib.util.find_spec(name) is None] == []


@pytest.mark.slow
def test_blocks_run(data, monkeypatch, tmp_path):
    pages = {path: runnable(blocks, data, monkeypatch, slow=True) for path, blocks in BLOCKS.items()}
    run_pages({path: blocks for path, blocks in pages.items() if blocks}, tmp_path)
