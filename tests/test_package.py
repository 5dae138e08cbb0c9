"""Packaging: the installed files, the modules loaded by an import, and the files under version control."""

import importlib
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tfplm
from tests.readme_blocks import declared_extras
from tfplm import cli

ROOT = Path(__file__).parents[1]
PUBLIC = {"Predictor", "SearchIndex", "SentenceEncoder", "SummaryCallback", "Tokenizer", "count_parameters", "export",
          "finetune", "from_config", "from_pretrained", "presets", "pretrain", "save_pretrained"}
HEAVY = {"tensorflow", "keras", "torch", "transformers", "matplotlib", "tokenizers", "sentencepiece"}
LARGEST = 300_000  # bytes of a file under version control


def python(code: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT.parent,
                          encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_version():
    assert tfplm.__version__ == importlib.metadata.version("tfplm")
    (line,) = [line for line in (ROOT / "setup.py").read_text(encoding="utf-8").splitlines() if "version=" in line]
    assert f'version="{tfplm.__version__}"' in line


def test_public_names():
    assert set(tfplm.__all__) >= PUBLIC and set(dir(tfplm)) == set(tfplm.__all__)
    for name in tfplm.__all__:
        assert getattr(tfplm, name) is not None
        assert name == "__version__" or callable(getattr(tfplm, name))
    with pytest.raises(AttributeError, match="module 'tfplm' has no attribute 'from_pretrainde'"):
        _ = tfplm.from_pretrainde


def test_import_loads_nothing_heavy():
    loaded = json.loads(python("import sys, json, tfplm, tfplm.cli; print(json.dumps(sorted(sys.modules)))"))
    assert "tfplm.cli" in loaded
    assert not HEAVY & set(loaded)


@pytest.mark.parametrize("first", ["import tfplm.pretrain.objectives", "import tfplm.pretrain",
                                   "from tfplm import pretrain", "import tfplm; tfplm.pretrain"])
def test_pretrain_is_a_function_and_a_package(first):
    """`tfplm.pretrain` has the name of a package; whichever is used first, both work."""
    python(f"{first}\nimport tfplm, tfplm.pretrain.objectives\nimport tfplm.pretrain.objectives as objectives\n"
           "assert tfplm.pretrain.objectives is objectives and callable(tfplm.pretrain)\n"
           "from tfplm import pretrain\nassert pretrain is tfplm.pretrain and 'tensorflow' not in __import__('sys').modules")


def test_the_function_behind_the_package_is_called(monkeypatch):
    monkeypatch.setattr("tfplm.pretrain.pretrain", lambda **keywords: keywords, raising=False)
    assert tfplm.pretrain(steps=3) == {"steps": 3}


def test_help_of_verbs_loads_no_tensorflow():
    """`tfplm VERB --help` is fast, as options do not depend on models."""
    code = ("import sys, json, tfplm.cli\n"
            "for verb in tfplm.cli.VERBS: tfplm.cli.build_parser(verb)\n"
            "print(json.dumps(sorted(sys.modules)))")
    loaded = set(json.loads(python(code)))
    assert "tfplm.options.base" in loaded
    assert not HEAVY & loaded


def test_tokenizer_needs_no_tensorflow():
    code = "import sys, tfplm; tfplm.Tokenizer; print(*{'tensorflow', 'keras'} & set(sys.modules))"
    assert python(code).strip() == ""


def test_command():
    (entry,) = [point for point in importlib.metadata.entry_points(group="console_scripts") if point.name == "tfplm"]
    assert entry.load() is cli.main
    for arguments, status, expected in ((["--version"], 0, tfplm.__version__), (["--help"], 0, "usage: tfplm VERB"),
                                        (["nothing"], 2, "there is no verb 'nothing'")):
        done = subprocess.run([sys.executable, "-m", "tfplm.cli", *arguments], capture_output=True, text=True,
                              check=False)
        assert done.returncode == status
        assert expected in done.stdout + done.stderr


def test_extras_in_messages_exist():
    """A message names an extra as README does: `pip install -e '.[search]'`, in the clone."""
    named = set()
    for path in (ROOT / "tfplm").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "install 'tfplm[" not in text and "install tfplm[" not in text, path
        named |= {extra for extras in re.findall(r"pip install -e '\.\[(.*?)\]'", text) for extra in extras.split(",")}
    assert {"search", "serve", "http", "completion"} <= named <= declared_extras()


def test_metrics_of_texts_are_dependencies():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8").partition("install_requires=[")[2].partition("]")[0]
    assert {"sacrebleu", "rouge-score", "rich"} <= set(re.findall(r'"([\w-]+)>=', setup))


def test_every_folder_is_a_package():
    """find_packages in setup.py ignores folders without `__init__.py`."""
    folders = {path.parent for path in (ROOT / "tfplm").rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []
    assert len(folders) > 10


def git(*arguments: str) -> list[str]:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), "-c", "core.quotePath=false", *arguments], capture_output=True,
                              text=True, encoding="utf-8", check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if "not a git repository" in done.stderr:
        pytest.skip("not a clone")
    return done.stdout.splitlines()


def test_ignored():
    """Files created by runs are ignored by git, but not logs/README.md."""
    created = ["logs/mnist/2026-01-01/events.out.tfevents.1", ".venv/bin/python", "tfplm/__pycache__/cli.pyc",
            "shared/data", "tfplm.egg-info/PKG-INFO", "notebooks/.ipynb_checkpoints/a.ipynb", ".pytest_cache/x",
            ".ruff_cache/x"]
    assert git("check-ignore", *created) == created
    assert git("check-ignore", "logs/README.md", "tests/golden/README.md") == []


def test_tracked_files_are_small_and_no_leftovers():
    paths = [Path(name) for name in git("ls-files")]
    assert Path("setup.py") in paths
    there = [path for path in paths if (ROOT / path).is_file()]
    assert [(str(path), size) for path in there if (size := (ROOT / path).stat().st_size) > LARGEST] == []
    parts = {part for path in paths for part in path.parts}
    assert not parts & {"__pycache__", ".ipynb_checkpoints", "build", "dist", ".DS_Store"}
    assert not [path for path in paths if ".egg-info" in str(path) or "tfevents" in path.name]


def test_ruff():
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("pip install -e '.[test]'")
    done = subprocess.run([sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", "."],
                          capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, "\n" + done.stdout + done.stderr
