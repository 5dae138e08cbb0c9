import re

import pytest

from tfplm.data.tasks.labels import LabelMap


def test_order():
    assert LabelMap.learn(["10", "9", "-1", "2.5"]).names == ("-1", "2.5", "9", "10")
    assert LabelMap.learn(["I-LOC", "B-LOC", "O", "B-LOC"]).names == ("O", "B-LOC", "I-LOC")
    assert LabelMap.learn(["体育", "财经", "体育"]).names == tuple(sorted(["体育", "财经"]))
    labels = LabelMap.learn(reversed(["b", "a"]))
    assert labels.ids == {"a": 0, "b": 1} and len(labels) == 2


def test_new_labels_are_appended():
    labels = LabelMap.learn(["b", "d"])
    extended = LabelMap.learn(["c", "a", "d"], known=labels)
    assert extended.names == ("b", "d", "a", "c") and labels.names == ("b", "d")


def test_errors():
    labels = LabelMap(["positive", "negative"])
    assert labels.id("negative") == 1 and labels.id("positiv", unknown=-1) == -1
    message = "dev.tsv:7: label 'positiv' is unknown; the model knows positive, negative; did you mean 'positive'?"
    with pytest.raises(ValueError, match=re.escape(message)):
        labels.id("positiv", "dev.tsv:7")
    with pytest.raises(ValueError, match="there is no label to learn"):
        LabelMap.learn([])
    with pytest.raises(ValueError, match="labels occur twice: a"):
        LabelMap(["a", "b", "a"])
