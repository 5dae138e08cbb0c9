"""Token-document relation: labels computed by hand, and a model that learns them."""

import numpy as np
import pytest

from tests.pretrain.pretraining_cases import CLS, SEP, VOCABULARY, config_of, make
from tfplm.data.batches.batch_source import token_batches
from tfplm.data.batches.batching import Batching
from tfplm.data.records.reader import DocumentList
from tfplm.data.sequences.documents import Document
from tfplm.data.sequences.recipes import Sequences
from tfplm.pretrain.objectives.catalogue import parse_objective
from tfplm.pretrain.objectives.objective import Setting
from tfplm.pretrain.objectives.task import make_tasks


def document(*ids: int) -> Document:
    return Document(np.array(ids, np.int32), np.array([len(ids)], np.int32), np.ones(len(ids), bool))


def batches(documents, task, rows: int = 8, length: int = 16):
    return token_batches(DocumentList(documents, VOCABULARY), Sequences("framed", length), task.noise,
                         columns=task.columns, batching=Batching(rows * length), seed=1)


def test_labels_by_hand():
    """Rows of six tokens of text; the second document, in which 20 also occurs, is in the second row only."""
    (task,) = make_tasks(parse_objective("token-document"), Setting(config_of("token-document"), VOCABULARY))
    made = batches([document(10, 11, 12, 11, 13, 14, 10, 15, 20), document(20, 21)], task, length=8)
    made.shuffle = False
    (batch,) = made.epoch(0)
    found = {tuple(ids.tolist()): (labels.tolist(), (weights > 0).tolist()) for ids, labels, weights in zip(
        batch["input_ids"], batch["token-document_labels"], batch["token-document_weights"])}
    assert found == {
        # 10 occurs again in the next row; 11 occurs twice, but only in this row
        (CLS, 10, 11, 12, 11, 13, 14, SEP): ([0, 1, 0, 0, 0, 0, 0, 0], [False, *[True] * 6, False]),
        # 10 occurred in the previous row; the 20 of the other document does not count
        (CLS, 10, 15, 20, SEP, 20, 21, SEP): ([0, 1, 0, 0, 0, 0, 0, 0], [False, True, True, True, False, True, True, False])}
    assert set(batch) == {"input_ids", "token_type_ids", "attention_mask", "token-document_labels",
                          "token-document_weights"}


def topical(count: int) -> list[Document]:
    """Texts of 42 tokens: three of ten topic tokens (5 ... 14) five times each, and others (15 ... 49) that occur once.
    """
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        ids = np.concatenate([rng.permutation(np.arange(15, 50))[:28], np.repeat(rng.choice(np.arange(5, 15), 3, False), 5)])
        made.append(document(*rng.permutation(ids)[:42]))
    return made


def test_it_learns_more_than_the_frequency_of_repeated_tokens():
    model = make("token-document", num_hidden_layers=1)
    documents = topical(60)
    training, held_out = (list(batches(part, model.tasks[0], rows=32).epoch(0)) for part in (documents[:40], documents[40:]))
    labels = np.concatenate([batch["token-document_labels"][batch["token-document_weights"] > 0] for batch in training])
    rate = labels.mean()
    trivial = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    for batch in training * 2:
        model.train_on_batch(batch)
    model.reset_metrics()
    for batch in held_out:
        logs = model.test_on_batch(batch, return_dict=True)
    assert 0.2 < rate < 0.5 and logs["token-document_loss"] < 0.5 * trivial
    assert logs["token-document_accuracy"] > max(rate, 1 - rate) + 0.1


@pytest.mark.parametrize("objective, own", [("token-document", False), ("mlm+token-document", True),
                                            ("tagging,token-document", True)])
def test_own_head_unless_the_saved_one_has_its_classes(objective, own):
    model = make(objective)
    found = next(each for task in model.tasks for each in task.objectives if each.name == "token-document")
    assert found.own == own and bool(found.layers) == own
    if not own:
        assert model.inner.config.id2label == {0: "here", 1: "elsewhere"}
    trained = {id(variable) for variable in model.trainable_variables}
    assert trained >= {id(variable) for layer in found.layers for variable in layer.trainable_variables}
