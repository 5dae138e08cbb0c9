"""Position objects: T5's buckets against a loop, sinusoids, offsets, positions counted from ids."""

import math

import numpy as np
import pytest

from tfplm.core.config import Config
from tfplm.layers.embeddings import Embeddings
from tfplm.layers.positions import BucketedBias, LearnedPositions, sinusoid

TINY = Config(vocab_size=11, hidden_size=12, num_attention_heads=3, max_position_embeddings=20)


def bucket(distance: int, buckets: int, limit: int, bidirectional: bool) -> int:
    """Raffel et al. 2020, section 2.1, one distance (key - query) at a time."""
    offset = 0
    if bidirectional:
        buckets //= 2
        offset = buckets if distance > 0 else 0
        distance = abs(distance)
    else:
        distance = max(-distance, 0)
    exact = buckets // 2
    if distance < exact:
        return offset + distance
    large = exact + int(math.log(distance / exact) / math.log(limit / exact) * (buckets - exact))
    return offset + min(large, buckets - 1)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "limit"), [(32, 128), (8, 9), (16, 64)])
def test_buckets(buckets, limit, bidirectional):
    config = TINY.replace(relative_attention_num_buckets=buckets, relative_attention_max_distance=limit)
    bias = BucketedBias(config, bidirectional)
    distances = np.arange(-200, 201, dtype=np.int32)
    expected = [bucket(int(d), buckets, limit, bidirectional) for d in distances]
    np.testing.assert_array_equal(bias.bucket(distances), expected)


def test_bias_of_a_later_step_equals_a_row_of_the_whole():
    bias = BucketedBias(TINY.replace(relative_attention_num_buckets=8), False)
    places = np.arange(7, dtype=np.int32)
    whole = np.asarray(bias.bias(places, places))
    assert whole.shape == (1, 3, 7, 7)
    np.testing.assert_array_equal(np.asarray(bias.bias(places[4:5], places))[:, :, 0], whole[:, :, 4])
    np.testing.assert_allclose(whole[0, :, 3, 1], np.asarray(bias.embeddings)[bucket(-2, 8, 128, False)])


def test_sinusoid():
    table = sinusoid(5, 6)
    for position in range(5):
        for pair in range(3):
            angle = position / 10000 ** (2 * pair / 6)
            np.testing.assert_allclose(table[position, 2 * pair:2 * pair + 2], [math.sin(angle), math.cos(angle)],
                                       atol=1e-6)


def test_offset_rows():
    positions = LearnedPositions(TINY.replace(position_offset=2))
    assert positions.embeddings.shape == (22, 12)  # BART: the maximum does not include the offset
    np.testing.assert_array_equal(positions.embed(np.array([[0, 3]])), np.asarray(positions.embeddings)[None, [2, 5]])
    counted = LearnedPositions(TINY.replace(position_offset=2, positions_from_ids=True))
    assert counted.embeddings.shape == (20, 12)  # RoBERTa: it does


def test_positions_from_ids():
    embeddings = Embeddings(TINY.replace(positions_from_ids=True, position_offset=2, pad_token_id=1))
    ids = np.array([[5, 6, 7, 1, 1], [1, 1, 4, 9, 3]], np.int32)
    np.testing.assert_array_equal(embeddings.position_ids(ids), [[0, 1, 2, -1, -1], [-1, -1, 0, 1, 2]])
