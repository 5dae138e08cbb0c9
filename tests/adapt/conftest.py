"""Models that several files of tests look at, trained once."""

import dataclasses
from pathlib import Path

import pytest

from tests.adapt.adapt_cases import save_bert, train, write_questions, write_tags, write_texts
from tfplm.adapt.finetune.result import FinetuneResult


@dataclasses.dataclass
class Trained:
    """What was trained, its folder, and that of its data."""

    result: FinetuneResult
    folder: Path
    data: Path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A BERT of one layer and 32 units, with fresh weights and the characters of the tests' texts."""
    return save_bert(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def classifier(tiny, tmp_path_factory) -> Trained:
    """Of single Chinese texts."""
    folder = tmp_path_factory.mktemp("classifier")
    data = write_texts(folder / "data")
    return Trained(train(tiny, folder / "model", data=str(data), epochs=3), folder / "model", data)


@pytest.fixture(scope="session")
def tagger(tiny, tmp_path_factory) -> Trained:
    """With a random field; the sentences are longer than its rows."""
    folder = tmp_path_factory.mktemp("tagger")
    data = write_tags(folder / "data", repeat=30)
    return Trained(train(tiny, folder / "model", task="tagging", crf=True, data=str(data), epochs=2, max_length=8,
                         stride=2, crf_rate=5.0, learning_rate=5e-3), folder / "model", data)


@pytest.fixture(scope="session")
def answerer(tiny, tmp_path_factory) -> Trained:
    """Questions as in SQuAD 2.0, some without an answer."""
    folder = tmp_path_factory.mktemp("answerer")
    data = write_questions(folder / "data", impossible=True, repeat=50)
    return Trained(train(tiny, folder / "model", task="question-answering", data=str(data), epochs=3, max_length=64),
                   folder / "model", data)
