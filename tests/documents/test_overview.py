"""Document 002: the shapes and the number of parameters of BERT. Its strings are in `test_survey_strings.py`."""

import re

import numpy as np
import pytest

import tfplm
from tfplm.families import registry
from tfplm.models.shapes import variable_shapes

LENGTH = 7


@pytest.fixture(scope="module")
def outputs() -> dict:
    """Those of a layer as wide as BERT-base's, for one text of seven tokens."""
    model = tfplm.from_config("bert-base-chinese", num_hidden_layers=1, vocab_size=100)
    return model({"input_ids": np.arange(LENGTH)[None]}, output_hidden_states=True, output_attentions=True)


def test_a_matrix_and_a_vector_line_24(outputs, document):
    """Text -> matrix (length x hidden size); text -> vector (1 x hidden size)."""
    assert re.search(r"max length x  hidden size.*1  x  hidden size", document("overview").text(24, 24))
    assert outputs["sequence_output"][0].shape == (LENGTH, 768) and outputs["pooled_output"].shape == (1, 768)


def test_twelve_layers_line_32(document):
    (layers,) = map(int, re.findall(r"使用了(\d+)层", document("overview").text(32, 32)))
    assert registry.preset("bert-base-chinese").num_hidden_layers == layers


def test_sum_of_three_embeddings_line_49(outputs, document):
    """Token, segment and position embeddings, summed: length x 768."""
    line = document("overview").text(49, 49)
    shapes = variable_shapes(registry.preset("bert-base-chinese"))
    width = int(re.search(r"\* (\d+)", line)[1])
    tables = [shapes[f"embeddings/{name}/embeddings"] for name in ("word", "token_type", "position")]
    assert [table[1] for table in tables] == [width] * line.count("Embeddings")
    assert outputs["hidden_states"][0].shape == (1, LENGTH, width)


def test_weights_of_attention_lines_63_to_68(outputs):
    """A matrix of length x length, whose rows are distributions."""
    weights = outputs["attentions"][0][0]
    assert weights.shape[1:] == (LENGTH, LENGTH)
    np.testing.assert_allclose(np.sum(weights, -1), 1, atol=1e-5)


def test_heads_lines_75_to_81(outputs, document):
    """Twelve heads, each length x 64; joined they are length x 768 again."""
    line = document("overview").text(75, 75)
    heads, size, joined = map(int, re.search(r"(\d+)段，那么每一段就是`L\*(\d+)`.*`L\*(\d+)`", line).groups())
    config = registry.preset("bert-base-chinese")
    assert (config.num_attention_heads, config.hidden_size // heads, heads * size) == (heads, size, joined)
    assert outputs["attentions"][0].shape[1] == heads
    assert f"dk`为{joined}除以头的数量" in document("overview").text(81, 81)


def test_feed_forward_line_88(document):
    """768 -> 3072 -> 768."""
    line = document("overview").text(88, 88)
    sizes = [tuple(map(int, pair)) for pair in re.findall(r"从[^从]*?`L\*(\d+)`变[成回]`L\*(\d+)`", line)]
    shapes = variable_shapes(registry.preset("bert-base-chinese"))
    assert [shapes[f"encoder/block_0/ffn/{name}/kernel"] for name in ("up", "down")] == sizes == [(768, 3072), (3072, 768)]


def test_how_many_parameters_has_bert_line_104(document):
    """The exercise, for twelve layers and the Chinese vocabulary, written out."""
    (layers,) = map(int, re.findall(r"Bert(\d+)层", document("overview").text(104, 104)))
    embeddings = (21128 + 512 + 2) * 768 + 2 * 768
    attention, norms = 4 * (768 * 768 + 768), 2 * 2 * 768
    feed_forward = 768 * 3072 + 3072 + 3072 * 768 + 768
    pooler = 768 * 768 + 768
    total = embeddings + layers * (attention + norms + feed_forward) + pooler
    assert tfplm.count_parameters("bert-base-chinese") == total == 102_267_648
