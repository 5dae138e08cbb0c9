"""A saved model with a small vocabulary, and a counter of opened weight files."""

from collections import Counter
from pathlib import Path

import pytest

import tfplm
from tests.models import cases
from tests.tokenizers.conftest import WORDS
from tfplm.core.checkpoints import opening


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a BERT with a masked language model's head, a small vocabulary, and labels."""
    path = tmp_path_factory.mktemp("source") / "bert"
    path.mkdir()
    (path / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    tokenizer = tfplm.Tokenizer.from_pretrained(path)
    config = cases.CASES["bert"].replace(vocab_size=len(tokenizer), pad_token_id=0, id2label={0: "体育", 1: "财经"},
                                         max_position_embeddings=40)
    tfplm.save_pretrained(tfplm.from_config(config, "masked_lm"), path, tokenizer)
    return path


@pytest.fixture
def opened(monkeypatch):
    """A counter that is increased whenever a file of weights is opened."""
    counts = Counter()

    def counting(reader):
        return lambda path: counts.update([Path(path).name]) or reader(path)

    monkeypatch.setattr(opening, "read_safetensors", counting(opening.read_safetensors))
    monkeypatch.setattr(opening, "read_torch", counting(opening.read_torch))
    monkeypatch.setattr(opening, "read_tf1", counting(opening.read_tf1))
    return counts
