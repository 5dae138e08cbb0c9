"""MkDocs hook: the pages that are made from the source. They are never written to disk.

- reference/PACKAGE.md: one page per package of `tfplm`; mkdocstrings reads the docstrings without importing the package.
- reference/commands.md: the help of every verb of the command line.
- changelog.md: CHANGELOG.md.
"""

import ast
import os
import re
import sys
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
CHINESE = "\u3001-\u3011\u4e00-\u9fff\uff01-\uff5e"  # characters and punctuation


def packages() -> list[str]:
    """The packages directly below `tfplm`, in alphabetical order."""
    return sorted(path.parent.name for path in (ROOT / "tfplm").glob("*/__init__.py"))


def on_config(config):
    pages = [{name: f"reference/{name}.md"} for name in packages()]
    for section in config.nav:
        if "Reference" in section:
            section["Reference"] = [{"Overview": "reference/index.md"}, {"Commands": "reference/commands.md"}, *pages]
    return config


def on_files(files, config):
    pages = {f"reference/{name}.md": package_page(name) for name in packages()}
    pages["reference/index.md"] = overview_page()
    pages["reference/commands.md"] = commands_page()
    pages["changelog.md"] = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("](docs/", "](")
    for path, content in pages.items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """A line break between Chinese characters would be shown as a space."""
    return re.sub(f"(?<=[{CHINESE}])\n *(?=[{CHINESE}])", "", markdown)


# Packages ---------------------------------------------------------------------------------------------------------

def exports(init: Path) -> dict[str, str]:
    """Names that users import from a package -> where they are defined, both with dots; from its `__init__.py`."""
    package = dotted(init)
    found = {}
    for node in ast.walk(ast.parse(init.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "lazy_exports":
            for name, module in ast.literal_eval(node.args[1]).items():
                found[name] = f"{package}{module}.{name}"
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("tfplm.") and node.col_offset == 0:
            found |= {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    found.pop("lazy_exports", None)
    return {name: final(target) for name, target in sorted(found.items())}


def final(target: str) -> str:
    """Where the name is defined, after every `__init__.py` on the way has passed it on."""
    module, _, name = target.rpartition(".")
    init = ROOT.joinpath(*module.split("."), "__init__.py")
    return exports(init).get(name, target) if init.is_file() else target


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(package: str) -> list[str]:
    """All modules of a package of `tfplm`, packages before what is in them."""
    paths = sorted((ROOT / "tfplm" / package).rglob("*.py"), key=lambda path: dotted(path))
    return [dotted(path) for path in paths if path.name == "__init__.py" or not path.name.startswith("_")]


def documented(module: str) -> set[str]:
    """The public functions and classes of a module that have a docstring, and so an entry."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.is_file():
        return set()
    return {node.name for node in ast.parse(path.read_text(encoding="utf-8")).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) and node.name[0] != "_"}


def imports_table(init: Path) -> str:
    names = exports(init)
    if not names:
        return ""
    links = ", ".join(_link(name, *target.rpartition(".")[::2]) for name, target in names.items())
    return f"`from {dotted(init)} import ...`: {links}\n\n"


def _link(name: str, module: str, original: str) -> str:
    return f"[`{name}`][{module}.{original}]" if original in documented(module) else f"`{name}`"


def package_page(package: str) -> str:
    root = ROOT / "tfplm" / package
    text = f"# tfplm.{package}\n\n{ast.get_docstring(ast.parse((root / '__init__.py').read_text(encoding='utf-8')))}\n\n"
    text += "".join(imports_table(init) for init in sorted(root.rglob("__init__.py")))
    for module in modules(package):
        if documented(module):
            label = module.removeprefix(f"tfplm.{package}.")
            text += f"::: {module}\n    options:\n      toc_label: {label}\n\n"
    return text


def overview_page() -> str:
    text = ["# Reference", "", "Made from the docstrings. What `import tfplm` itself offers:", "",
            imports_table(ROOT / "tfplm" / "__init__.py"),
            "Packages import only from those above them in this list:", "", "| package | |", "|---|---|"]
    order = ast.literal_eval(_assigned(ROOT / "tests" / "test_imports.py", "ORDER"))
    for name in order:
        init = ROOT / "tfplm" / name / "__init__.py"
        if init.is_file():
            summary = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))).split("\n\n")[0].replace("\n", " ")
            text.append(f"| [`tfplm.{name}`]({name}.md) | {summary} |")
    return "\n".join(text) + "\n"


def _assigned(path: Path, name: str) -> ast.expr:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            return node.value
    raise ValueError(f"{path} does not assign {name}: the order of the packages is read from there")


# Commands ---------------------------------------------------------------------------------------------------------

def commands_page() -> str:
    os.environ["COLUMNS"] = "110"  # argparse wraps at it
    sys.path.insert(0, str(ROOT))
    from tfplm import cli  # imports no TensorFlow

    text = ["# Commands", "", "What `tfplm VERB --help-all` prints. A flag is a field of the verb's dataclass in "
            "[`tfplm.options`](options.md), and a keyword of the Python function of the same name.", ""]
    for verb, (_, summary) in cli.VERBS.items():
        text += [f"## {verb}", "", f"{summary[0].upper()}{summary[1:]}.", "", "```text",
                 cli.build_parser(verb, everything=True)[0].format_help().rstrip(), "```", ""]
    return "\n".join(text)
