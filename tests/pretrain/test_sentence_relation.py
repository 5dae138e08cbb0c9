"""The head that the sentence relation objectives train."""

import pytest

from tests.pretrain.pretraining_cases import make
from tfplm.pretrain.objectives.sentence_relation import NextSentence


@pytest.mark.parametrize(("objective", "classes", "own"), [
    ("mlm+sop3", 3, {"sop3": False}), ("mlm+nsp", 2, {"nsp": False}), ("rtd+sop", None, {"sop": True}),
    ("mlm+nsp,mlm+sop3", 2, {"nsp": False, "sop3": True})])
def test_the_saved_head_has_the_relations_of_its_objective(objective, classes, own):
    model = make(objective)
    head = model.inner.head
    assert (head.next_sentence.kernel.shape[-1] if model.inner.head_name == "pretraining" else None) == classes
    assert {one.name: one.own for task in model.tasks for one in task.objectives if isinstance(one, NextSentence)} == own
