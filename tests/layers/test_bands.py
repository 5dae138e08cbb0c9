"""Local layers over long rows: the same outputs as with a mask T x T, without a tensor of that size."""

import numpy as np
import pytest
import tensorflow as tf

from tfplm.core.config import Config
from tfplm.layers import Attention, Stack, masks
from tfplm.layers.masks import Band

TINY = Config(vocab_size=11, hidden_size=12, num_attention_heads=3, intermediate_size=19, num_hidden_layers=2,
              initializer_range=0.3, layer_pattern=["local"], position_type="rotary")
RNG = np.random.default_rng(5)
KINDS = ["full", "causal", "causal_reverse"]


def padded(length: int) -> np.ndarray:
    real = np.ones((2, length), np.int32)
    real[0, :7] = real[1, length - 30:] = 0  # padding on the left, on the right
    return real


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("length", "window"), [(130, 4), (128, 24), (97, 1), (211, 40)])
def test_a_band_equals_the_mask(length, window, kind):
    config = TINY.replace(attention_type=kind, attention_window=window)
    real = padded(length)
    (band,) = masks.policy(config, length, real)
    assert isinstance(band, Band)
    before, after = masks.reach(config)
    rows, columns = np.mgrid[:length, :length]
    expected = (columns >= rows - before) & (columns <= rows + after) & (real[:, None, None, :] == 1)
    np.testing.assert_array_equal(masks.whole(band), expected)
    layer, x = Attention(config), RNG.normal(size=(2, length, 12)).astype(np.float32)
    real = real == 1
    np.testing.assert_allclose(layer(x, allow=band)[real], layer(x, allow=expected)[real], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [3, 20, 64, 101])
def test_rows_of_unknown_length(length, kind):
    """In a graph for any length, a short row is one block."""
    config = TINY.replace(attention_type=kind, attention_window=26)
    stack, x = Stack(config), RNG.normal(size=(2, length, 12)).astype(np.float32)
    lengths = []

    @tf.function(input_signature=[tf.TensorSpec([None, None, 12]), tf.TensorSpec([None, None], tf.int32)], autograph=False)
    def run(x, real):
        (band,) = masks.policy(config, tf.shape(x)[1], real)
        lengths.append(band.length)
        return stack(x, allow=(band,))["output"]

    real = np.ones((2, length), np.int32)
    real[1, length // 2:] = 0
    expected = stack(x, allow=masks.policy(config, length, real, key_length=length))["output"]
    np.testing.assert_allclose(run(x, real)[real == 1], expected[real == 1], atol=1e-5)
    assert not isinstance(lengths[0], int)


def test_gradients():
    config = TINY.replace(attention_window=8)
    layer, x = Attention(config), tf.constant(RNG.normal(size=(2, 90, 12)).astype(np.float32))
    upstream = RNG.normal(size=(2, 90, 12)).astype(np.float32)
    (band,) = masks.policy(config, 90)
    gradients = []
    for allow in (band, masks.whole(band)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, allow=allow) * upstream)
        gradients.append(tape.gradient(loss, [x, layer.key.kernel.value]))
    for one, other in zip(*gradients):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_short_rows_and_custom_masks_are_not_split():
    config = TINY.replace(attention_window=64)
    for length, cut in ((128, False), (129, True), (8192, True)):
        assert isinstance(masks.policy(config, length)[0], Band) == cut
    own = np.ones((2, 200, 200), np.int32)
    assert not isinstance(masks.policy(config, 200, own)[0], Band)
    assert not isinstance(masks.policy(config, 200, key_length=200)[0], Band)


def test_head_mask_and_dropout_apply_to_blocks():
    config = TINY.replace(attention_window=8, attention_probs_dropout_prob=0.5)
    layer, x = Attention(config), RNG.normal(size=(2, 90, 12)).astype(np.float32)
    (band,) = masks.policy(config, 90)
    factors = np.array([1, 0, 0.5], np.float32)
    np.testing.assert_allclose(layer(x, allow=band, head_mask=factors),
                               layer(x, allow=masks.whole(band), head_mask=factors), atol=1e-5)
    assert np.abs(layer(x, allow=band, training=True) - layer(x, allow=band)).max() > 1e-2


def sizes(graph) -> list[int]:
    """The numbers of elements of all tensors of a graph and of the functions in it."""
    definition = graph.as_graph_def(add_shapes=True)
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    shapes = [shape for node in nodes for shape in node.attr["_output_shapes"].list.shape]
    return [int(np.prod([dim.size for dim in shape.dim])) for shape in shapes if not shape.unknown_rank]


@pytest.mark.parametrize("kind", ["full", "causal"])
def test_no_tensor_is_as_large_as_the_square_of_the_row(kind):
    length = 8192
    config = TINY.replace(attention_type=kind, attention_window=128, max_position_embeddings=length)
    stack = Stack(config)

    def run(x, real, policy=masks.policy):
        with tf.GradientTape() as tape:
            tape.watch(x)
            result = tf.reduce_sum(stack(x, allow=policy(config, length, real), training=True)["output"])
        return tape.gradient(result, x)

    specs = tf.TensorSpec([1, length, 12]), tf.TensorSpec([1, length], tf.int32)
    found = sizes(tf.function(run, autograph=False).get_concrete_function(*specs).graph)
    assert len(found) > 100 and max(found) < length * length // 8

    def dense(x, real):
        return run(x, real, lambda *arguments: tuple(map(masks.whole, masks.policy(*arguments))))

    assert max(sizes(tf.function(dense, autograph=False).get_concrete_function(*specs).graph)) >= length * length
