"""The command line: flags from dataclasses, config files, exit codes, help."""

import dataclasses
import json
from pathlib import Path
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
    assert "unknown option(s) sauce; did you mean 'source'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nothing"], [], ["example", "x", "--kind", "c"], ["example"]])
def test_usage_errors_give_status_2(arguments):
    try:
        assert cli.main(arguments) == 2
    except SystemExit as stop:
        assert stop.code == 2


def test_failure_gives_one_line_and_status_1(capsys):
    assert cli.main(["example", "bad"]) == 1
    assert capsys.readouterr().err == "tfplm example: found bad, expected good: say good\n"
    with pytest.raises(ValueError):
        cli.main(["example", "bad", "--debug"])


def test_interrupt_gives_130():
    assert cli.main(["example", "stop"]) == 130


def test_function_takes_keywords_or_options():
    assert example(source="x", max_length=2) == example(Example(source="x"), max_length=2)
    with pytest.raises(TypeError, match="sauce"):
        example(sauce="x")


# ---- spellings


def test_words_and_flags_in_any_order():
    expected = Example(source="x", max_length=7, names=["a"])
    for words in (["x", "--max-length", "7", "--names", "a"], ["--max-length", "7", "x", "--names", "a"],
                  ["--names", "a", "--max-length", "7", "--", "x"], ["-max_length=7", "--names=a", "x"],
                  ["--model", "x", "--max_length=7", "--names", "a"], ["--names", "a", "--source=x", "--max-length=7"]):
        assert cli.parse("example", words)[0] == expected, words


def test_texts_between_flags():
    options, _ = cli.parse("fill-mask", ["model", "--top-k", "3", "a [MASK]", "--json", "b [MASK]"])
    assert (options.source, options.texts, options.top_k, options.json) == ("model", ["a [MASK]", "b [MASK]"], 3, True)
    options, _ = cli.parse("generate", ["model", "-a text that starts with a dash", "--", "-x", "--seed"])
    assert options.prompts == ["-a text that starts with a dash", "-x", "--seed"]
    assert cli.parse("perplexity", ["m", "-"])[0].text == ["-"]
    assert cli.parse("generate", ["m", "--eos-token-id", "-1", "--", "-1"])[0].prompts == ["-1"]


MODELS = {"params": "model", "convert": "source", "export": "source", "tokenize": "source", "pretrain": "init",
          "finetune": "init", "evaluate": "source", "predict": "source", "run-classifier": "init_checkpoint",
          "multitask": "init", "encode": "init", "similar": "init", "sts-eval": "init", "index": "init", "search": "init",
          "contrastive": "init", "static": "source", "serve": "source", "fill-mask": "source", "perplexity": "source",
          "generate": "source", "next-sentence": "source", "records": "tokenizer"}
REST = {"convert": ["target"], "export": ["target", "--format", "onnx"], "evaluate": ["data"],
        "run-classifier": ["--data-dir", "d", "--task-name", "t", "-o", "o"],
        "multitask": ["a=classification:d"], "encode": ["t"], "similar": ["a", "b"], "sts-eval": ["d"],
        "index": ["f", "-o", "o"], "search": ["folder", "q"], "contrastive": ["d"], "static": ["target"],
        "perplexity": ["t"], "records": ["t", "-o", "o"], "fill-mask": ["a [MASK]"], "next-sentence": ["a", "b"]}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("flag", ["--model", "--model-name-or-path", "--model_name_or_path", "--init", "--source"])
def test_the_model_by_any_name(name, flag):
    for words in ([flag, "m"], [f"{flag}=m"]):
        options, _ = cli.parse(name, [*words, *REST.get(name, [])])
        assert getattr(options, MODELS[name]) == "m"
    if name == "fill-mask":
        assert options.texts == ["a [MASK]"]


def test_every_verb_with_a_model_is_tested():
    others = {"demo", "mnist", "presets", "vocab", "word2vec", "info", "completion", "example"}
    assert set(cli.VERBS) - others == set(MODELS)


@pytest.mark.parametrize("name", sorted(set(cli.VERBS) - {"serve", "generate", "completion", "example"}))
def test_output_by_one_letter(name):
    words = {"params": ["m"], "tokenize": ["m"], "pretrain": ["t"], "evaluate": ["--model", "m", "d"], "predict": ["m"],
             "vocab": ["t"], "word2vec": ["t"], "convert": ["m"], "static": ["m"], "export": ["m", "--format", "onnx"],
             "run-classifier": ["--data-dir", "d", "--task-name", "t"],
             "search": ["f"], "index": ["f"], "records": ["t", "--tokenizer", "v"], "perplexity": ["m", "t"]}
    rest = words.get(name) or [*(["--model", "m"] if name in MODELS else []), *REST.get(name, [])]
    for word in (["-o", "out"], ["--output", "out"], ["-o=out"]):
        if name == "run-classifier" and word[0] == "--output":
            continue
        options, _ = cli.parse(name, [*rest, *word])
        assert "out" in (getattr(options, "output", None), getattr(options, "output_dir", None),
                         getattr(options, "target", None))


def test_tokenize_takes_the_model_first_or_by_a_flag():
    for words in (["m", "Hello"], ["--source", "m", "Hello"], ["Hello", "--model=m"]):
        options, _ = cli.parse("tokenize", words)
        assert (options.source, options.text) == ("m", ["Hello"])


def test_verbs_with_underscores(capsys):
    with pytest.raises(SystemExit):
        cli.main(["run_classifier", "--help"])
    assert capsys.readouterr().out.startswith("usage: tfplm run-classifier")


BERT_SERVING_START = """-model_dir m -tuned_model_dir t -ckpt_name a.ckpt -config_name c.json -graph_tmp_dir g
    -max_seq_len NONE -cased_tokenization -pooling_layer -4 -3 -pooling_strategy CLS_TOKEN -mask_cls_sep -no_special_token
    -show_tokens_to_client -no_position_embeddings -num_labels 3 -port 1 -port_out 2 -http_port 8125 -http_max_connect 9
    -cors x -num_worker=4 -max_batch_size 8 -priority_batch_size 4 -cpu -xla -fp16 -gpu_memory_fraction 0.3
    -device_map 0 1 -prefetch_size 3 -fixed_embed_length -verbose""".split()


def test_serve_takes_the_flags_of_bert_serving_start():
    options, _ = cli.parse("serve", BERT_SERVING_START)
    assert (options.source, options.num_worker, options.max_seq_len, options.pooling_layer) == ("m", 4, "NONE", [-4, -3])
    assert (options.pooling_strategy, options.port, options.port_out, options.http_port) == ("CLS_TOKEN", 1, 2, 8125)
    assert options.cpu and options.xla and options.fp16 and options.verbose and options.device_map == [0, 1]
    assert options.no_special_token and options.no_position_embeddings and options.num_labels == 3
    options, _ = cli.parse("serve", ["-model_dir=m", "-port_in=7", "-port_result", "8"])
    assert (options.source, options.port, options.port_out) == ("m", 7, 8)
    assert cli.parse("serve", ["m", "-port_data", "9"])[0].port == 9


# ---- errors


@pytest.mark.parametrize("arguments, message", [
    (["fnetune"], "tfplm: there is no verb 'fnetune'; did you mean 'finetune'?"),
    (["fill_maks"], "tfplm: there is no verb 'fill_maks'; did you mean 'fill-mask'?"),
    (["zzz"], "tfplm: there is no verb 'zzz'"),
    (["--verison"], "tfplm: there is no flag '--verison'; did you mean '--version'?"),
    (["finetune", "--task", "clasification"], "did you mean 'classification'?"),
    (["finetune", "--lerning-rate", "1"], "there is no flag --lerning-rate; did you mean '--learning-rate'?"),
    (["finetune", "--lerning_rate=1"], "there is no flag --lerning-rate; did you mean '--learning-rate'?"),
    (["finetune", "--hiden-size", "8"], "did you mean '--hidden-size'?"),
    (["fill-mask", "--modle", "m"], "did you mean '--model'?"),
    (["finetune", "-t", "tagging"], "there is no flag -t; did you mean '--task'?"),
    (["pretrain", "x", "-O", "mlm"], "there is no flag -O; did you mean '--objective'?"),
    (["contrastive", "x", "-l", "simcse"], "there is no flag -l; did you mean '--loss'?"),
    (["finetune", "--epochs", "three"], "--epochs: 'three' is not a whole number"),
    (["finetune", "--power", "x"], "--power: 'x' is not a number"),
    (["finetune", "--epochs"], "--epochs: expected one argument"),
    (["finetune", "reviews"], "'reviews' is one argument too many; expected --data DIR --init MODEL"),
    (["completion", "tcsh"], "'tcsh' is not one of bash, zsh, fish"),
    (["similar", "a", "b"], "missing: --init (folder of the model"),
    (["convert"], "missing: MODEL, TARGET ("),
    (["vocab"], "missing: TEXT, --output (files, globs"),
    (["generate", "m", "--top-k", "5"], "top_k is for sampling"),
    (["predict", "m", "--config", "nowhere.json"], "--config nowhere.json: there is no such file"),
])
def test_usage_errors_are_one_line_and_a_hint(arguments, message, capsys):
    try:
        status = cli.main(arguments)
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    name = arguments[0] if arguments[0] in cli.VERBS else None
    assert status == 2 and out == "" and message in first and "argument" not in first.partition(":")[2][:10]
    program = f"tfplm {name}" if name else "tfplm"
    assert first.startswith(f"{program}: ") and second == f"{program} --help"


@pytest.mark.parametrize("content, message", [
    ('{"task": "clasification"}', "task: 'clasification' is not one of classification"),
    ('{"max-lenght": 3}', "unknown option(s) max-lenght; did you mean 'max_length'?"),
    ("[1]", "contains a list; expected an object of options"),
    ("{", "is not JSON in UTF-8")])
def test_wrong_config_files(content, message, tmp_path, capsys):
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(SystemExit) as stop:
        cli.main(["finetune", "--config", str(tmp_path / "c.json")])
    assert stop.value.code == 2 and message in capsys.readouterr().err.splitlines()[0]


def test_config_files_take_any_spelling(tmp_path):
    (tmp_path / "c.json").write_text('{"max-length": 3, "model": "m", "task": "tagging"}')
    options, _ = cli.parse("finetune", ["--config", str(tmp_path / "c.json")])
    assert (options.max_length, options.init, options.task) == (3, "m", "tagging")


CONFIGS = sorted((Path(__file__).parents[1] / "docs" / "configs").glob("*.json"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_examples_of_config_files(path):
    options, _ = cli.parse(path.stem, ["--config", str(path)])
    assert options.RUN.rpartition(":")[2] == path.stem and len(CONFIGS) == 3


@pytest.mark.parametrize("error, line", [
    (ValueError("found a\n  expected b:\n  c"), "found a; expected b: c"), (KeyError("x"), "there is no 'x'"),
    (MemoryError(), "MemoryError"), (RuntimeError("x"), "x"),
    (RuntimeError("RuntimeError: ValueError: found 1: expected 2"), "found 1: expected 2")])
def test_failures_are_one_line_without_the_class(error, line, monkeypatch, capsys):
    def fail(options):
        raise error

    monkeypatch.setattr("tests.test_cli.example", fail)
    assert cli.main(["example", "x"]) == 1
    assert capsys.readouterr() == ("", f"tfplm example: {line}\n")
    with pytest.raises(type(error)):
        cli.main(["example", "x", "--debug"])


def test_what_is_no_exception_is_reported_as_well(monkeypatch, capsys):
    class Panic(BaseException):  # as those of libraries in Rust
        pass

    def fail(options):
        raise Panic("index out of range")

    monkeypatch.setattr("tests.test_cli.example", fail)
    assert cli.main(["example", "x"]) == 1 and capsys.readouterr().err == "tfplm example: index out of range\n"


def test_interrupts_say_what_was_saved(monkeypatch, capsys):
    def stop(options):
        raise KeyboardInterrupt("saved at step 7")

    monkeypatch.setattr("tests.test_cli.example", stop)
    assert cli.main(["example", "x"]) == 130
    assert capsys.readouterr().err == "\ntfplm: interrupted: saved at step 7\n"
    monkeypatch.setattr("tfplm.cli.command.parse", lambda verb, words: stop(None))
    assert cli.main(["example", "x"]) == 130  # while options are parsed, too
