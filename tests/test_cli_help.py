"""`tfplm VERB --help` and `--help-all`: short, grouped, complete, and with commands that work."""

import argparse
import dataclasses
import inspect
import shlex
import subprocess
import sys

import pytest

from tfplm import cli
from tfplm.cli.help import explained, reflowed
from tfplm.core.config import Config
from tfplm.options.architecture import _NO_FLAGS, DESCRIPTIONS, ArchitectureOptions
from tfplm.options.base import Options

VERBS = sorted(cli.VERBS)


def options_of(name: str) -> type:
    return cli.resolve(cli.VERBS[name][0])


def shown(name: str, capsys, flag: str = "--help") -> str:
    with pytest.raises(SystemExit) as stop:
        cli.main([name, flag])
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("name", VERBS)
def test_help_is_less_than_60_lines(name, capsys):
    assert len(shown(name, capsys).splitlines()) < 60


def test_help_fits_other_terminals(monkeypatch, capsys):
    for columns in ("60", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        assert len(shown("finetune", capsys).splitlines()) < 60


@pytest.mark.parametrize("name", VERBS)
def test_every_flag_is_named_by_help_and_explained_by_help_all(name, capsys):
    options, short, everything = options_of(name), shown(name, capsys), shown(name, capsys, "--help-all")
    architecture = {field.name for field in dataclasses.fields(ArchitectureOptions)}
    for field in dataclasses.fields(options):
        assert field.metadata.get("help"), field.name
        flag = "--" + field.name.replace("_", "-")
        if field.name in options.UNUSED:
            assert flag + " " not in everything
        elif not field.metadata.get("positional"):
            flag = "--no" + flag[1:] if field.default is True else flag
            assert flag in everything and (flag in short or field.name in architecture), flag


@pytest.mark.parametrize("name", VERBS)
def test_examples_parse(name):
    examples = options_of(name).EXAMPLES
    assert len(examples) == 2
    for example in examples:
        words = shlex.split(example)
        assert words[:2] == ["tfplm", name]
        options, debug = cli.parse(name, words[2:])
        assert isinstance(options, options_of(name)) and not debug
        assert example in cli.build_parser(name)[0].format_help()


@pytest.mark.parametrize("name", VERBS)
def test_usage_and_description(name, capsys):
    text = shown(name, capsys)
    assert text.startswith(f"usage: tfplm {name} ") and text.splitlines()[0].endswith("[flags]")
    lines = text.splitlines()[2:]
    first = lines[0].split()[0]
    assert first[0].isupper() and not first.endswith("s")  # "Train", not "Trains"
    assert all(line == line.rstrip() for line in text.splitlines())
    assert "--no-no-" not in shown(name, capsys, "--help-all")


def test_usage_of_finetune(capsys):
    assert shown("finetune", capsys).startswith("usage: tfplm finetune --data DIR --init MODEL --output DIR [flags]\n")


def test_groups_start_with_own_flags_and_end_with_the_architecture(capsys):
    text = shown("finetune", capsys, "--help-all")
    places = [text.index(f"\n{heading}") for heading in (
        "flags:", "output and devices:", "optimizer:", "reading of labelled files:", "architecture")]
    assert places == sorted(places)
    short = shown("finetune", capsys)
    assert "--hidden-act" not in short and "architecture, in place of the preset's values: --model-type" in short
    places = [short.index(f"\n  {flag}") for flag in ("--task", "--data", "--init", "-o,", "--epochs", "--quiet")]
    assert places == sorted(places)


@pytest.mark.parametrize("name", ["presets", "params", "tokenize"])
def test_no_flags_without_effect(name, capsys):
    text = shown(name, capsys, "--help-all")
    assert not {"--seed", "--quiet", "--config"} & set(text.replace(",", " ").split())


def test_old_negative_flags_are_plain_switches(capsys):
    assert "--no-special-token " in shown("serve", capsys, "--help-all")
    options, _ = cli.parse("serve", ["m", "--no-special-token", "--no_position_embeddings=true"])
    assert options.no_special_token and options.no_position_embeddings
    assert not cli.parse("serve", ["m", "--no_special_token=false"])[0].no_special_token


def test_switches_are_shown_in_the_form_that_changes_them(capsys):
    text = shown("serve", capsys, "--help-all")
    assert "--no-warm-up " in text and "--warm-up " not in text.replace("--no-warm-up ", "")
    assert "--no-quiet" not in text and "--normalize, --no-normalize" in text
    assert cli.parse("serve", ["m", "--no-quiet", "--warm-up"])[0].warm_up


def test_every_architecture_flag_has_a_sentence():
    fields = {field.name for field in dataclasses.fields(Config)} - set(_NO_FLAGS)
    assert fields == set(DESCRIPTIONS)
    assert len(set(DESCRIPTIONS.values())) == len(DESCRIPTIONS)
    assert all(len(text.split()) >= 3 for text in DESCRIPTIONS.values())


def test_choices_and_defaults_are_named(capsys):
    text = " ".join(shown("finetune", capsys).split())
    assert "multiple-choice, translation, summarization (default: classification)" in text
    assert "--jit {auto,on,off}" in shown("finetune", capsys, "--help-all")


def test_paragraphs_are_wrapped_and_tables_keep_their_columns():
    text = """First line of
        a paragraph.

        Losses:
          one    the first of them, with many words
          three  the third
        """
    assert reflowed(text, 30).splitlines() == ["First line of a paragraph.", "", "Losses:",
                                               "  one    the first of them,", "         with many words",
                                               "  three  the third"]


def test_explained_flags_exist():
    later = {"overwrite"}
    for name in VERBS:
        options = options_of(name)
        assert set(options.EXPLAINED) - later <= {field.name for field in dataclasses.fields(options)}
        assert set(options.UNUSED) <= {field.name for field in dataclasses.fields(options)} | {"config"}
        assert explained(options) or not options.EXPLAINED


def test_help_needs_no_tensorflow():
    code = ("import sys, contextlib, io\nfrom tfplm import cli\n"
            "for name in cli.VERBS:\n    for everything in (False, True):\n"
            "        cli.build_parser(name, everything)[0].format_help()\n"
            "assert not {'tensorflow', 'keras', 'argcomplete', 'rich'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_verbs_in_the_overview(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name:15s} " in text for name in cli.VERBS) and text.startswith("usage: tfplm VERB")
    with pytest.raises(SystemExit):
        cli.main(["help", "presets"])
    assert capsys.readouterr().out.startswith("usage: tfplm presets")


def test_dashed_fields_of_all_verbs_are_different():
    """Two fields of a verb must not have the same flag, and every class has its fields of `Options`."""
    for name in VERBS:
        parser, options = cli.build_parser(name)
        assert isinstance(parser, argparse.ArgumentParser) and issubclass(options, Options)
        assert inspect.isclass(options)
