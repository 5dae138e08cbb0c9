"""One policy for the outputs of all verbs; `tests/core/test_outputs.py` has the policy itself."""

import dataclasses
import os

import pytest

import tfplm
from tfplm import cli
from tfplm.data.records.build import records
from tfplm.data.text.vocab import vocab
from tfplm.demos.demo import demo
from tfplm.demos.mnist import mnist
from tfplm.embed.search.index_command import run as index
from tfplm.models.pretrained.converting import convert

TEXT = "the cat sat on the mat. a dog ran home.\n" * 40


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return str(tmp_path / "text.txt")


@pytest.fixture
def others(tmp_path):
    """A folder with a file of somebody else."""
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "novel.txt").write_text("mine")
    return str(tmp_path / "others")


@pytest.fixture
def model(tmp_path):
    made = tfplm.from_config("bert-tiny", "masked_lm", vocab_size=30, hidden_size=8, num_hidden_layers=1,
                             num_attention_heads=2, max_position_embeddings=8)
    tfplm.save_pretrained(made, tmp_path / "model")
    return str(tmp_path / "model")


def test_every_verb_that_writes_has_the_flag():
    writing = {"output", "output_dir", "target", "save_whitening"}
    flags = {verb: {field.name for field in dataclasses.fields(cli.resolve(target))}
             for verb, (target, _) in cli.VERBS.items()}
    wanted = {verb for verb, names in flags.items() if names & writing}
    assert len(wanted) >= 13 and {verb for verb in wanted if "overwrite" not in flags[verb]} == set()


@pytest.mark.parametrize("call", [
    lambda output, text, model: vocab(text=[text], output=output, vocab_size=60, quiet=True, overwrite=True),
    lambda output, text, model: records(text=[text], output=output, tokenizer=f"{output}/../vocab.txt", quiet=True),
    lambda output, text, model: convert(source=model, target=output, quiet=True, overwrite=True),
    lambda output, text, model: demo(text=[text], output=output, quiet=True, overwrite=True),
    lambda output, text, model: mnist(output=output, quiet=True, overwrite=True),
    lambda output, text, model: index(file=[text], output=output, init=model, quiet=True, overwrite=True),
], ids=["vocab", "records", "convert", "demo", "mnist", "index"])
def test_nothing_is_written_among_other_files(call, text, model, others, tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n")
    with pytest.raises(FileExistsError, match=r"has other files \(novel.txt\)"):
        call(others, text, model)
    assert os.listdir(others) == ["novel.txt"]


def test_a_vocabulary_is_learned_again_only_if_asked(text, tmp_path):
    options = {"text": [text], "output": str(tmp_path / "v"), "vocab_size": 60, "quiet": True}
    vocab(**options)
    with pytest.raises(FileExistsError, match="was written before .*--overwrite"):
        vocab(**options)
    assert len(vocab(**{**options, "vocab_size": 50}, overwrite=True)) <= 50


def test_records_say_what_they_keep(text, tmp_path, capsys):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n")
    options = {"text": [text], "output": str(tmp_path / "r"), "tokenizer": str(tmp_path / "vocab.txt"), "processes": 1}
    records(**options)
    assert "kept" not in capsys.readouterr().out
    records(**options)
    printed = capsys.readouterr().out
    assert printed.startswith("resuming with 1 finished shards (of ") and "kB, in" in printed


def test_convert_writes_once_and_never_onto_its_source(model, tmp_path, capsys):
    target = tmp_path / "tf1"
    convert(source=model, target=str(target), format="tf1", quiet=True)
    with pytest.raises(FileExistsError, match="was written before"):
        convert(source=model, target=str(target), format="tf1", quiet=True)
    convert(source=model, target=str(target), format="tf1", quiet=True, overwrite=True)
    with pytest.raises(ValueError, match="is both the source and the target"):
        convert(source=model, target=model, quiet=True, overwrite=True)
    with pytest.raises(FileNotFoundError):
        convert(source=str(tmp_path / "nothing"), target=str(tmp_path / "new"), quiet=True)
    assert not (tmp_path / "new").exists()


def test_the_last_sentence_is_never_held_out(tmp_path):
    """A corpus of one document of one sentence, and a share that would leave nothing."""
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n")
    (tmp_path / "one.txt").write_text("the cat the cat the cat\n")
    made = records(text=[str(tmp_path / "one.txt")], output=str(tmp_path / "r"), tokenizer=str(tmp_path / "vocab.txt"),
                   held_out=0.05, quiet=True)
    assert made["totals"]["train"]["tokens"] == 6 and made["totals"]["held-out"]["tokens"] == 0
