"""The corpus that ships with every Python: its reference texts, the standard library's docstrings and comments."""

import ast
import itertools
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from tfplm.data.text.sentences import split_sentences

_SKIPPED_FOLDERS = {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3", "pydoc_data", "idle_test"}
_MARKUP = re.compile(r"[`*|]{1,2}|:(?:[a-z]+:)?[a-z]+:(?=`)|\s\(\d(?:, \d)*\)")
_CODE = re.compile(r"^\s*(?:>>>|\.\.\.|\.\. |:\w+|#|@)|[=_{}<>\\:]{2}")

_COMMENTS = re.compile(r"(?:^[ \t]*# .*\n(?:^[ \t]*#\n)?){2,}", re.MULTILINE)


def _paragraphs(text: str) -> Iterator[str]:
    """The prose of a docstring, without doctests, tables, signatures, lists of names and indented code."""
    for block in re.split(r"\n\s*\n", text.expandtabs()):
        lines = block.strip("\n").splitlines()
        if any(_CODE.search(line) for line in lines):
            continue
        paragraph = " ".join(_MARKUP.sub("", " ".join(lines)).split())
        paragraph = re.sub(r"^(?:[-*o•+]|\d+[.)])\s+", "", paragraph)
        words = re.findall(r"[A-Za-z']+", paragraph)
        wordy = sum(map(len, words)) > 0.7 * len(paragraph)
        if len(words) >= 5 and wordy and paragraph[0].isalpha():
            yield paragraph if paragraph[-1] in ".!?:" else paragraph.rstrip(",;") + "."


def _module_texts(path: Path) -> Iterator[str]:
    """Docstrings in source order, then the comments that span several lines."""
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    nodes: list[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef] = [tree]
    while nodes:  # visits only nodes that can have a docstring: `ast.walk` takes several times as long
        node = nodes.pop()
        yield ast.get_docstring(node) or ""
        nodes.extend(n for n in node.body[::-1] if isinstance(n, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)))
    for comment in _COMMENTS.findall(source):
        yield re.sub(r"^[ \t]*# ?", "", comment, flags=re.MULTILINE)


def _library_documents() -> Iterator[list[str]]:
    root = Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py"), key=lambda p: p.relative_to(root).as_posix()):
        if not _SKIPPED_FOLDERS & set(path.relative_to(root).parts):
            yield list(itertools.chain.from_iterable(map(_paragraphs, _module_texts(path))))


def _topic_documents() -> Iterator[list[str]]:
    try:
        from pydoc_data.topics import topics
    except ImportError:  # some distributions ship it as a separate package
        return
    for name in sorted(topics):
        yield list(_paragraphs(topics[name]))


def builtin_documents(name: str = "python") -> Iterator[list[str]]:
    """Documents (lists of English sentences) of `builtin:python`: one per reference topic, one per module.

    The order is fixed, and repeated paragraphs are dropped. Raises ValueError for any other name.
    """
    if name != "python":
        raise ValueError(f"there is no built-in corpus {name!r}; use builtin:python")
    seen = set()
    for paragraphs in itertools.chain(_topic_documents(), _library_documents()):
        fresh = [p for p in dict.fromkeys(paragraphs) if p not in seen]
        seen.update(fresh)
        if fresh:
            yield [sentence for paragraph in fresh for sentence in split_sentences(paragraph)]
