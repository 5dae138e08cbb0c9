"""Models that several test files use, trained once per session."""

import dataclasses
from pathlib import Path

import pytest

from tests.adapt.adapt_cases import save_bert, train, write_questions, write_tags, write_texts
from tfplm.adapt.finetune.result import FinetuneResult


@dataclasses.dataclass
class Trained:
    """The result of a fine-tuning, the model's folder, and the folder of the data."""

    result: FinetuneResult
    folder: Path
    data: Path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A newly initialized BERT with one layer and 32 units, and a vocabulary of the characters in the tests."""
    return save_bert(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def classifier(tiny, tmp_path_factory) -> Trained:
    """A classifier of single Chinese texts."""
    folder = tmp_path_factory.mktemp("classifier")
    data = write_texts(folder / "data")
    return Trained(train(tiny, folder / "model", data=str(data), epochs=3), folder / "model", data)


@pytest.fixture(scope="session")
def tagger(tiny, tmp_path_factory) -> Trained:
    """A tagger with a CRF; some sentences are longer than its rows."""
    folder = tmp_path_factory.mktemp("tagger")
    data = write_tags(folder / "data", repeat=30)
    return Trained(train(tiny, folder / "model", task="tagging", crf=True, data=str(data), epochs=2, max_length=8,
                         stride=2, crf_rate=5.0, learning_rate=5e-3), folder / "model", data)


@pytest.fixture(scope="session")
def answerer(tiny, tmp_path_factory) -> Trained:
    """A question answering model; as in SQuAD 2.0, some questions have no answer."""
    folder = tmp_path_factory.mktemp("answerer")
    data = write_questions(folder / "data", impossible=True, repeat=50)
    return Trained(train(tiny, folder / "model", task="question-answering", data=str(data), epochs=3, max_length=64),
                   folder / "model", data)
