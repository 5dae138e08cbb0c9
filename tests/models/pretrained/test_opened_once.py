"""A command opens the weights of its model only once."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest

from tfplm.adapt.finetune import finetune
from tfplm.embed.commands.encode_file import run as encode
from tfplm.models.pretrained.converting import convert
from tfplm.models.scoring.fill_mask import run as fill_mask
from tfplm.pretrain.run import pretrain


class Reached(Exception):
    """Raised instead of training."""


def run_encode(folder, out):
    (out / "texts.txt").write_text("the cat\n我们\n", encoding="utf-8")
    encode(text=[str(out / "texts.txt")], init=folder, output=str(out / "vectors.npy"), quiet=True)
    assert np.load(out / "vectors.npy").shape[0] == 2


def run_fill_mask(folder, out):
    assert fill_mask(source=folder, texts=["the [MASK]"], quiet=True)


def run_convert(folder, out):
    convert(source=folder, target=str(out / "tf1"), format="tf1", quiet=True)


def run_finetune(folder, out):
    (out / "train.tsv").write_text("label\ttext\n" + "a\tthe cat\nb\tmat sat\n" * 10, encoding="utf-8")
    with pytest.raises(Reached):
        finetune(init=folder, data=str(out), output=str(out / "model"), log_dir=str(out / "logs"),
                 max_length=16, quiet=True)
    assert json.loads((out / "model" / "finetune.json").read_text())["init"] == str(folder)


def run_pretrain(folder, out):
    (out / "corpus.txt").write_text("the cat sat on the mat 我们\n" * 200, encoding="utf-8")
    with pytest.raises(Reached):
        pretrain(text=[str(out / "corpus.txt")], init=folder, output=str(out / "model"), log_dir=str(out / "logs"),
                 max_length=16, batch_tokens=64, steps=2, quiet=True)
    assert json.loads((out / "model" / "pretrain.json").read_text())["init"] == str(folder)


@pytest.mark.parametrize("command", [run_encode, run_fill_mask, run_convert, run_finetune, run_pretrain],
                         ids=lambda command: command.__name__)
def test_once(command, folder, opened, tmp_path, monkeypatch):
    def reached(*_, **__):
        raise Reached

    monkeypatch.setattr(keras.Model, "fit", reached)
    command(str(folder) if isinstance(folder, Path) else folder, tmp_path)
    assert opened == {"model.safetensors": 1}


@pytest.mark.parametrize("command", [run_encode, run_finetune, run_pretrain], ids=lambda command: command.__name__)
def test_an_open_source_is_not_opened_again(command, folder, opened, tmp_path, monkeypatch):
    """An open source is accepted instead of a name, as in `finetune(init=source)`."""
    from tfplm.models import open_source

    source = open_source(folder)
    source.checkpoint()
    test_once(command, source, opened, tmp_path, monkeypatch)
