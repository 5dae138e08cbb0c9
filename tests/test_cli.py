"""The command line: flags from dataclasses, config files, exit codes, help."""

import dataclasses
import json
from typing import Literal

import pytest

from tfplm import cli
from tfplm.options import Options, flag, verb


@dataclasses.dataclass(kw_only=True)
class Example(Options):
    """An example verb."""

    RUN = "tests.test_cli:example"

    source: str = flag(help="where from", positional=True)
    max_length: int = flag(128, "limit, in tokens")
    kind: Literal["a", "b"] = flag("a", "which")
    names: list[str] = flag(factory=list, help="several")
    fast: bool = flag(True, "or not")
    rate: float | None = flag(None, "a rate")


seen = []


@verb(Example)
def example(options):
    if options.source == "bad":
        raise ValueError("found bad, expected good: say good")
    if options.source == "stop":
        raise KeyboardInterrupt
    seen.append(options)
    return options


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(cli.VERBS, "example", ("tests.test_cli:Example", "an example"))
    seen.clear()


def test_flags_become_fields():
    flags = ["--max-length", "7", "--kind", "b", "--names", "我", "b", "--no-fast", "--rate=.5"]
    assert cli.main(["example", "x", *flags]) == 0
    assert seen == [Example(source="x", max_length=7, kind="b", names=["我", "b"], fast=False, rate=0.5)]


def test_lists_of_words_and_numbers():
    options, _ = cli.parse("pretrain", ["x.txt", "--layer-pattern", "local", "global", "--kernel-sizes", "3", "4"])
    assert options.layer_pattern == ["local", "global"] and options.kernel_sizes == [3, 4]


def test_underscores_are_accepted():
    assert cli.main(["example", "x", "--max_length=9"]) == 0
    assert seen[0].max_length == 9


def test_config_file_and_flags_win(tmp_path):
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"source": "y", "max_length": 3, "kind": "b"}))
    assert cli.main(["example", "--config", str(file), "--max-length", "4", "x"]) == 0
    assert seen == [Example(source="x", max_length=4, kind="b")]


def test_unknown_option_in_config_file(tmp_path, capsys):
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"sauce": "y"}))
    with pytest.raises(SystemExit) as stop:
        cli.main(["example", "x", "--config", str(file)])
    assert stop.value.code == 2
    assert "unknown option(s) sauce; known are" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nothing"], [], ["example", "x", "--kind", "c"], ["example"]])
def test_usage_errors_give_status_2(arguments):
    try:
        assert cli.main(arguments) == 2
    except SystemExit as stop:
        assert stop.code == 2


def test_failure_gives_one_line_and_status_1(capsys):
    assert cli.main(["example", "bad"]) == 1
    assert capsys.readouterr().err == "tfplm example: ValueError: found bad, expected good: say good\n"
    with pytest.raises(ValueError):
        cli.main(["example", "bad", "--debug"])


def test_interrupt_gives_130():
    assert cli.main(["example", "stop"]) == 130


def test_function_takes_keywords_or_options():
    assert example(source="x", max_length=2) == example(Example(source="x"), max_length=2)
    with pytest.raises(TypeError, match="sauce"):
        example(sauce="x")


@pytest.mark.parametrize("name", sorted(cli.VERBS))
def test_help_of_every_verb_is_complete(name, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([name, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(cli.resolve(cli.VERBS[name][0])):
        assert field.metadata.get("help"), field.name
        assert field.name in text or field.name.replace("_", "-") in text
