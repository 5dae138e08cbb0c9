"""Spans of tags: equal to seqeval's frozen results, in every scheme, and converted back."""

import json
from pathlib import Path

import pytest

from tfplm.data.tasks.spans import make_spans, spans_of, tags_of

GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "spans" / "seqeval.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("scheme", GOLDEN)
def test_as_seqeval(scheme):
    case = GOLDEN[scheme]
    assert len(case["labels"]) == 60 and sum(map(len, case["spans"])) > 100
    for tags, expected in zip(case["labels"], case["spans"], strict=True):
        assert spans_of(tags) == [tuple(span) for span in expected], tags


@pytest.mark.parametrize(("tags", "spans"), [
    ("B-PER I-PER O B-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),  # IOB2
    ("I-PER I-PER B-PER O I-LOC", [("PER", 0, 2), ("PER", 2, 3), ("LOC", 4, 5)]),  # IOB1
    ("I-PER E-PER E-PER O E-LOC", [("PER", 0, 2), ("PER", 2, 3), ("LOC", 4, 5)]),  # IOE
    ("B-PER I-PER E-PER S-PER O S-LOC", [("PER", 0, 3), ("PER", 3, 4), ("LOC", 5, 6)]),
    ("B-人名 M-人名 E-人名 S-人名", [("人名", 0, 3), ("人名", 3, 4)]),
    ("B-人名 M-人名 B-人名 M-人名", [("人名", 0, 2), ("人名", 2, 4)]),
    ("B-PER I-LOC I-LOC", [("PER", 0, 1), ("LOC", 1, 3)]),
    ("B I O S", [("_", 0, 2), ("_", 3, 4)]),
    ("O O", []), ("", []),
])
def test_by_hand(tags, spans):
    assert spans_of(tags.split()) == spans


def test_back_to_tags():
    assert tags_of([("LOC", 3, 4), ("PER", 0, 2)], 5) == ["B-PER", "I-PER", "O", "B-LOC", "O"]
    for case in GOLDEN.values():
        for tags, spans in zip(case["labels"], case["spans"], strict=True):
            assert spans_of(tags_of(spans, len(tags))) == [tuple(span) for span in spans]


@pytest.mark.parametrize("tag", ["PER", "X-PER", "[CLS]", "", "O-PER", "BPER"])
def test_unknown_tags(tag):
    with pytest.raises(ValueError, match="expected O, or one of B, I, E, S, M, L, U"):
        spans_of(["O", tag])


@pytest.mark.parametrize(("spans", "message"), [
    ([("A", 0, 2), ("B", 1, 3)], r"B 1:3 overlaps"), ([("A", 2, 2)], r"A 2:2 does not lie"),
    ([("A", 2, 5)], r"A 2:5 does not lie in a sentence of 4 words"), ([("A", -1, 1)], r"A -1:1 does not"),
])
def test_impossible_spans(spans, message):
    with pytest.raises(ValueError, match=message):
        tags_of(spans, 4)


def test_tags_that_are_not_spans():
    assert make_spans(["O", "B-PER", "I-PER"]) and make_spans(["B", "M", "E", "S"]) and make_spans(["O"])
    assert not make_spans(["NN", "VB", "PRP"]) and not make_spans(["n", "v", "I"]) and make_spans([])
    for tags in (["B-PER", "I_PER", "O"], ["O", "LOC"], ["B-PER", "X"]):
        with pytest.raises(ValueError, match="the tag is '(I_PER|LOC|X)'"):
            make_spans(tags)
