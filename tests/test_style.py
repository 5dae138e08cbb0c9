"""The form of the source: short files, short functions, few parameters, family files that do not repeat each other."""

import ast
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "tfplm").rglob("*.py"))
FILES = [*PACKAGE, *sorted((ROOT / "tests").rglob("*.py")), ROOT / "setup.py"]
FAMILIES = sorted(path for path in (ROOT / "tfplm" / "families").glob("*.py")
                  if path.name not in ("__init__.py", "registry.py"))
FEWEST_SHARED = 10  # consecutive lines


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def functions(source: str):
    """(function, True if it is a method) of every `def`."""
    def walk(node, within_class):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield child, within_class
            yield from walk(child, isinstance(child, ast.ClassDef))

    return walk(ast.parse(source), False)


def parameters(function, method: bool) -> int:
    """The number of parameters, without `self` or `cls`, and without `*args` and `**keywords`."""
    static = any(getattr(name, "id", "") == "staticmethod" for name in function.decorator_list)
    arguments = function.args
    count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    return count - (method and not static)


def too_long(path: Path) -> list[str]:
    found = []
    for function, _ in functions(path.read_text(encoding="utf-8")):
        length = function.end_lineno - function.lineno + 1
        if length > 50:
            found.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}: {length} lines")
    return found


def too_many_parameters(source: str) -> list[str]:
    text, found = source.splitlines(), []
    for function, method in functions(source):
        count = parameters(function, method)
        signature = text[function.lineno - 1:function.body[0].lineno]
        if count > 8 and not any("noqa: PLR0913" in line for line in signature):
            found.append(f"{function.lineno} {function.name}: {count} parameters")
    return found


def shared_runs(first: list[str], second: list[str], length: int = FEWEST_SHARED) -> list[str]:
    """The first lines of all sequences of `length` lines that are in both, ignoring empty lines."""
    def runs(text):
        kept = [line.strip() for line in text if line.strip()]
        return {tuple(kept[i:i + length]) for i in range(len(kept) - length + 1)}

    return sorted(run[0] for run in runs(first) & runs(second))


def test_files_are_short():
    assert len(FILES) > 100
    long = {str(path.relative_to(ROOT)): n for path in FILES if (n := len(lines(path))) > 300}
    assert long == {}
    assert statistics.median(len(lines(path)) for path in PACKAGE) <= 130


def test_functions_are_short():
    assert [found for path in FILES for found in too_long(path)] == []


def test_functions_take_few_parameters():
    found = {str(path.relative_to(ROOT)): many for path in [*PACKAGE, ROOT / "setup.py"]
             if (many := too_many_parameters(path.read_text(encoding="utf-8")))}
    assert found == {}


def test_no_files_without_a_subject():
    assert [str(path) for path in FILES if path.stem in ("utils", "util", "helpers", "helper", "misc", "common")] == []


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: path.stem)
def test_families_do_not_repeat_each_other(path):
    for other in FAMILIES:
        if other > path:
            shared = shared_runs(lines(path), lines(other))
            assert not shared, f"{path.name} and {other.name} share {FEWEST_SHARED} lines, from: {shared[0]}"


def test_there_are_families():
    assert len(FAMILIES) > 10


def test_the_checks_find_violations():
    source = ("class A:\n    def f(self, a, b, c, d, e, f, g, h):\n        pass\n"
              "def g(a, b, c, d, e, f, g, h, *, i):\n    pass\n"
              "def h(a, b, c, d, e, f, g, h, i):  # noqa: PLR0913 (one seam)\n    pass\n")
    assert too_many_parameters(source) == ["4 g: 9 parameters"]
    rows = [f"row {n}" for n in range(12)]
    assert shared_runs(rows, ["other", *rows[1:6], "", *rows[6:11]]) == ["row 1"]
    assert shared_runs(rows, rows[:9]) == []
