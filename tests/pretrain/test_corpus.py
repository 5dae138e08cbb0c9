"""The three kinds of corpus: the batches that they provide, and the objectives that they reject."""

import numpy as np
import pytest

from tests.data.text_cases import make_tokenizer
from tests.pretrain.pretraining_cases import config_of
from tfplm.data.sequences.documents import noise_vocabulary
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.corpus import DocumentCorpus, FeatureCorpus, LabelledCorpus
from tfplm.pretrain.objectives.catalogue import OBJECTIVES, parse_objective
from tfplm.pretrain.objectives.objective import Setting
from tfplm.pretrain.objectives.task import make_tasks

OPTIONS = PretrainOptions(text=["x"], batch_tokens=64)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return make_tokenizer(tmp_path_factory.mktemp("vocabulary"))


def task_of(objective: str, tokenizer, classes=("☀", "☔")):
    config = config_of(objective, vocab_size=len(tokenizer))
    (task,) = make_tasks(parse_objective(objective), Setting(config, noise_vocabulary(tokenizer), classes=classes))
    return task


def test_labelled_texts(tokenizer):
    texts = ["a warm day ☀", "rain again ☔", "no sign at all", "sun, then rain ☀☔", "a new one 🎉"]
    corpus = LabelledCorpus(OPTIONS, tokenizer, kind=OBJECTIVES["emoji"], texts=texts, held=[False] * 3 + [True] * 2)
    assert corpus.classes == ("☀", "☔")  # only those of the texts for training
    task = task_of("emoji", tokenizer)
    (training,), (held_out,) = (list(corpus.source(task, 16, held).epoch(0)) for held in (False, True))
    assert sorted(training["emoji_labels"]) == [0, 1] and sorted(held_out["emoji_labels"]) == [0, 1]
    assert set(training) == {"input_ids", "token_type_ids", "attention_mask", "emoji_labels"}
    none = LabelledCorpus(OPTIONS, tokenizer, kind=OBJECTIVES["emoji"], texts=texts, held=[False] * 5)
    assert none.source(task, 16, held_out=True) is None


@pytest.mark.parametrize("objective, message", [
    ("mlm", "mlm reads running text, but emoji reads labelled texts: train one after the other"),
    ("emoji+token-document", "needs whole documents, but emoji reads single texts")])
def test_objectives_that_labelled_texts_cannot_train(tokenizer, objective, message):
    corpus = LabelledCorpus(OPTIONS, tokenizer, kind=OBJECTIVES["emoji"], texts=["a day ☀", "rain ☔"], held=[False] * 2)
    with pytest.raises(ValueError, match=message):
        corpus.source(task_of(objective, tokenizer), 16)


def test_objectives_that_records_cannot_train(tokenizer):
    with pytest.raises(ValueError, match="emoji needs the text itself, .*: name text files instead of --records"):
        DocumentCorpus(OPTIONS, tokenizer, reader=lambda held_out: None).source(task_of("emoji", tokenizer), 16)
    with pytest.raises(ValueError, match="already contain the masks .* cannot train tagging, token-document: use"):
        FeatureCorpus(OPTIONS, tokenizer, files=[]).source(task_of("mlm+tagging+token-document", tokenizer), 16)


def test_a_fraction_of_static_features_is_held_out(tokenizer, monkeypatch):
    examples = [{"input_ids": np.array([2, index % 50 + 5, index // 50 + 5, 3], np.int32)} for index in range(500)]
    monkeypatch.setattr("tfplm.data.batches.batch_source.read_features", lambda files, rng: iter(examples))
    corpus = FeatureCorpus(PretrainOptions(text=["x"], batch_tokens=64, held_out=0.2), tokenizer, files=["file"])
    parts = [[tuple(row) for batch in corpus.source(task_of("mlm", tokenizer), 16, held).epoch(0)
              for row in batch["input_ids"][:, :4].tolist()] for held in (False, True)]
    assert sorted(parts[0] + parts[1]) == sorted(tuple(example["input_ids"].tolist()) for example in examples)
    assert 0.1 < len(parts[1]) / 500 < 0.3
