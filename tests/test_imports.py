"""The one-way import order of the package, checked on the source itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tfplm"
ORDER = ["core", "families", "options", "tokenizers", "summaries", "data", "layers", "training", "models", "pretrain",
         "adapt", "embed", "export", "serve", "demos", "cli", "__main__"]
FILES = sorted(PACKAGE.rglob("*.py"))
# these can be imported without TensorFlow
LIGHT = {"families", "tokenizers", "options",
         *(f"core/{name}.py" for name in ("config", "keys", "weight_names", "sources", "suggest", "tokenizer_rules"))}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_there_are_files():
    assert len(FILES) > 10


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_only_from_the_left(path):
    here = room(path)
    if here == "__init__":
        return
    for name in imported_modules(path):
        if name.startswith("tfplm.") and (there := name.split(".")[1]) in ORDER:
            assert ORDER.index(there) <= ORDER.index(here), f"{path} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_light_modules_do_not_import_tensorflow(path):
    relative = path.relative_to(PACKAGE).as_posix()
    if relative in LIGHT or room(path) in LIGHT:
        heavy = {name.split(".")[0] for name in imported_modules(path)} & {"tensorflow", "keras"}
        assert not heavy, f"{path} imports {heavy}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_have_at_most_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_package_and_help_do_not_load_tensorflow():
    code = ("import sys, tfplm, tfplm.cli; tfplm.cli.main(['--help']); "
            "assert not {'tensorflow', 'keras'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
