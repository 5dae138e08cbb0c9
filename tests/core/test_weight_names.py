"""Tables of weight names: leaves, operations, indices, prefixes."""

import numpy as np
import pytest

from tfplm.core.weight_names import Location, Names, detect_prefix

NAMES = Names(
    base=(("embeddings/word", "emb.word", "emb/word"), ("encoder/block_{n}/query", "layer.{n}.q", "layer_{n}/q"),
          ("encoder/block_{n}/inner", "group.{g}.inner.{i}.d", None), ("encoder/norm", "norm", "norm"),
          (None, "position_ids", None)),
    heads=(("lm_bias", "head.bias", "cls/bias"), ("lm_bias", "head.decoder.bias", None),
           ("classifier/kernel", "classifier.weight", "output_weights", "transpose")),
    hf_prefix="bert.", tf1_prefix="bert/")
JOINED = NAMES.with_(base=(("a/query", "attn", "attn", "part 0 of 3"), ("a/key", "attn", "attn", "part 1 of 3")),
                     hf_transposed=False, tf1_leaves={"kernel": ("w",), "bias": ("b",)})


@pytest.mark.parametrize(("path", "layout", "expected"), [
    ("encoder/block_11/query/kernel", "hf", [Location(("bert.layer.11.q.weight",), transpose=True)]),
    ("encoder/block_11/query/bias", "hf", [Location(("bert.layer.11.q.bias",))]),
    ("encoder/block_0/query/kernel", "tf1", [Location(("bert/layer_0/q/kernel",))]),
    ("encoder/norm/gamma", "hf", [Location(("bert.norm.weight", "bert.norm.gamma"))]),
    ("encoder/norm/beta", "tf1", [Location(("bert/norm/beta",))]),
    ("embeddings/word/embeddings", "hf", [Location(("bert.emb.word.weight",))]),
    ("embeddings/word/embeddings", "tf1", [Location(("bert/emb/word",))]),
    ("encoder/block_5/inner/kernel", "hf", [Location(("bert.group.2.inner.1.d.weight",), transpose=True)]),
    ("encoder/block_5/inner/kernel", "tf1", []),
    ("lm_bias", "hf", [Location(("head.bias",)), Location(("head.decoder.bias",))]),
    ("lm_bias", "tf1", [Location(("cls/bias",))]),
    ("classifier/kernel", "hf", [Location(("classifier.weight",), transpose=True)]),
    ("nothing/kernel", "hf", []),
])
def test_locations(path, layout, expected):
    prefix = {"hf": "bert.", "tf1": "bert/"}[layout]
    assert NAMES.locations(path, layout, prefix, inner=2) == expected


def test_operations_and_shapes():
    (query,), (key,) = (JOINED.locations(path, "hf", "") for path in ("a/query/kernel", "a/key/bias"))
    assert query == Location(("attn.weight",), part=(0, 3)) and key == Location(("attn.bias",), part=(1, 3))
    assert query.shape((4, 5)) == (4, 15) and key.shape((5,)) == (15,)
    (conv,) = JOINED.locations("a/query/kernel", "tf1", "")
    assert conv == Location(("attn/w",), part=(0, 3), squeeze=True) and conv.shape((4, 5)) == (1, 4, 15)
    assert Location(("x",), transpose=True).shape((4, 5)) == (5, 4)
    wrong = NAMES.with_(base=(("a", "b", None, "fold"),))
    with pytest.raises(ValueError, match="unknown operation 'fold' in the row of 'b'"):
        wrong.locations("a/kernel", "hf", "")


def test_known_rows():
    def row(name):
        return [ours for ours, pattern in NAMES.known("hf", "bert.") if pattern.fullmatch(name)]

    assert row("bert.position_ids") == [None]
    assert row("bert.layer.3.q.weight") == ["encoder/block_{n}/query"]
    assert row("head.decoder.bias") == ["lm_bias"]
    assert row("bert.layer.x.q.weight") == row("layer.3.q.weight") == []


def test_prefix():
    assert detect_prefix(NAMES, "hf", ["bert.emb.word.weight", "head.bias"]) == "bert."
    assert detect_prefix(NAMES, "hf", ["emb.word.weight"]) == ""
    assert detect_prefix(NAMES, "tf1", ["bert/emb/word"]) == "bert/"


@pytest.mark.parametrize("location", [
    Location(("x",)), Location(("x",), transpose=True), Location(("x",), squeeze=True),
    Location(("x",), transpose=True, squeeze=True),
    *(Location(("x",), transpose=transpose, part=(index, 3), squeeze=squeeze)
      for transpose in (False, True) for squeeze in (False, True) for index in range(3)),
], ids=str)
def test_locations_read_what_they_write(location):
    """A fused tensor is split along its outputs: the first axis of torch's linear layers, the last of convolutions."""
    parts = [np.arange(20).reshape(4, 5) + 100 * part for part in range(3 if location.part else 1)]
    theirs = location.write(parts)
    assert theirs.shape == location.shape((4, 5))
    np.testing.assert_array_equal(location.read(theirs), parts[location.part[0] if location.part else 0])
    if location.part:
        rows = theirs[0] if location.squeeze else theirs
        np.testing.assert_array_equal(rows, np.concatenate([part.T for part in parts]) if location.transpose else
                                      np.concatenate(parts, 1))
        bias = Location(("x",), part=location.part)
        assert bias.shape((5,)) == (15,)
        np.testing.assert_array_equal(bias.read(np.arange(15)), np.arange(5) + 5 * location.part[0])
