"""Single layers: sub-layers against NumPy, sharing, extension points."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfplm.core.config import Config
from tfplm.layers import Attention, Block, Dense, Dropout, FeedForward, LayerNorm, Residual, RMSNorm, Stack, masks
from tfplm.layers.attention import one_cluster
from tfplm.layers.positions import Positions, PositionScheme

TINY = Config(vocab_size=11, hidden_size=12, num_attention_heads=3, intermediate_size=19, num_hidden_layers=4,
              max_position_embeddings=20, initializer_range=0.3)
RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 5, 12)).astype(np.float32)
erf = np.vectorize(math.erf)
ACTIVATIONS = {
    None: lambda x: x, "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
    "gelu_new": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu": lambda x: np.maximum(x, 0), "silu": lambda x: x / (1 + np.exp(-x)), "tanh": np.tanh,
    "quick_gelu": lambda x: x / (1 + np.exp(-1.702 * x)),
}


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_dense(activation, training):
    layer = Dense(12, 7, activation)
    layer.bias.assign(RNG.normal(size=7))
    expected = ACTIVATIONS[activation](X @ np.asarray(layer.kernel) + np.asarray(layer.bias))
    np.testing.assert_allclose(layer(X, training=training), expected, atol=1e-5)
    again = Dense.from_config(layer.get_config())
    assert again.act == activation and again.kernel.shape == (12, 7)


def test_gelus_differ():
    """They differ in the third decimal, so a checkpoint needs the one with which it was trained."""
    x = np.linspace(-4, 4, 100)
    assert 1e-4 < np.abs(ACTIVATIONS["gelu"](x) - ACTIVATIONS["gelu_new"](x)).max() < 1e-3


@pytest.mark.parametrize(("kind", "use_bias"), [(LayerNorm, True), (LayerNorm, False), (RMSNorm, False)])
def test_norms(kind, use_bias):
    norm = kind(12, 1e-6, **({"use_bias": use_bias} if kind is LayerNorm else {}))
    assert len(norm.weights) == 1 + use_bias
    for weight in norm.weights:
        weight.assign(RNG.normal(size=12))
    if kind is LayerNorm:
        expected = (X - X.mean(-1, keepdims=True)) / np.sqrt(X.var(-1, keepdims=True) + 1e-6)
        expected = expected * np.asarray(norm.gamma) + (np.asarray(norm.beta) if use_bias else 0)
    else:
        expected = X / np.sqrt((X**2).mean(-1, keepdims=True) + 1e-6) * np.asarray(norm.gamma)
    np.testing.assert_allclose(norm(X), expected, atol=1e-5)
    again = kind.from_config(norm.get_config())
    assert again.epsilon == 1e-6 and len(again.weights) == 1 + use_bias


@pytest.mark.parametrize("placement", ["pre", "post"])
def test_a_residual_whose_norm_has_no_bias(placement):
    config = TINY.replace(norm_bias=False, norm_placement=placement)
    residual, y = Residual(config), RNG.normal(size=X.shape).astype(np.float32)
    (gamma,) = residual.weights
    gamma.assign(RNG.normal(size=12))
    x, norm = tf.constant(X), residual.norm
    with tf.GradientTape() as tape:
        tape.watch(x)
        result = residual.after(residual.before(x), y)
    np.testing.assert_allclose(result, norm(X + y) if placement == "post" else norm(X) + y, atol=1e-5)
    gradients = tape.gradient(result, [x, gamma.value])
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def attention_by_hand(layer, query, key, value, allow=None, bias=0.0):
    def project(dense, x):
        y = x @ np.asarray(dense.kernel) + np.asarray(dense.bias)
        return y.reshape(*x.shape[:2], layer.heads, layer.head_dim).transpose(0, 2, 1, 3)

    scores = project(layer.query, query) @ project(layer.key, key).transpose(0, 1, 3, 2) / math.sqrt(layer.head_dim)
    weights = softmax(np.where(True if allow is None else allow, scores + bias, -1e9))
    context = (weights @ project(layer.value, value)).transpose(0, 2, 1, 3).reshape(*query.shape[:2], -1)
    return context @ np.asarray(layer.out.kernel) + np.asarray(layer.out.bias), weights


def check_attention(layer, given):
    """Outputs in eager mode, with the attention map, and as one cluster."""
    key, bias = given.get("key", X), given["positions"].bias if "positions" in given else 0.0
    expected = attention_by_hand(layer, X, key, given.get("value", key), given.get("allow"), bias)
    output, weights = layer(X, **given, return_map=True)
    np.testing.assert_allclose(output, expected[0], atol=1e-5)
    np.testing.assert_allclose(weights, expected[1], atol=1e-5)
    np.testing.assert_allclose(layer(X, **given), expected[0], atol=1e-5)
    with one_cluster():
        inside = tf.function(lambda: layer(X, **given), autograph=False)()
        np.testing.assert_allclose(layer(X, **given, return_map=True)[1], expected[1], atol=1e-5)
    np.testing.assert_allclose(inside, expected[0], atol=1e-5)


@pytest.mark.parametrize("head_dim", [None, 5])
def test_attention(head_dim):
    layer = Attention(TINY.replace(head_dim=head_dim))
    memory, allow = RNG.normal(size=(2, 7, 12)).astype(np.float32), RNG.random((2, 1, 5, 7)) > 0.3
    allow[..., 0] = True
    bias = Positions(PositionScheme(), bias=RNG.normal(size=(1, 3, 5, 7)).astype(np.float32))
    own = Positions(PositionScheme(), bias=RNG.normal(size=(1, 3, 5, 5)).astype(np.float32))
    for given in ({}, {"key": memory}, {"key": memory, "allow": allow}, {"key": memory, "allow": allow, "positions": bias},
                  {"key": memory, "value": memory * 2}, {"allow": allow[..., :5], "positions": own}):
        check_attention(layer, given)
    cache = layer.keys_and_values(memory)
    np.testing.assert_allclose(layer(X, cache=cache), layer(X, key=memory), atol=1e-6)


@pytest.mark.parametrize("gated", [False, True])
def test_feed_forward(gated):
    layer = FeedForward(TINY.replace(ffn_gated=gated, ffn_bias=False, hidden_act="silu"))
    inner = ACTIVATIONS["silu"](X @ np.asarray(layer.up.kernel))
    if gated:
        inner = inner * (X @ np.asarray(layer.linear.kernel))
    np.testing.assert_allclose(layer(X), inner @ np.asarray(layer.down.kernel), atol=1e-5)


@pytest.mark.parametrize(("fields", "unique", "order"), [
    ({}, 4, [0, 1, 2, 3]), ({"share": "all"}, 1, [0, 0, 0, 0]),
    ({"share": "all", "num_hidden_groups": 2}, 2, [0, 0, 1, 1]),
    ({"share": "all", "inner_group_num": 2}, 2, [0, 1, 0, 1, 0, 1, 0, 1]),
    ({"share": "attention"}, 4, [0, 1, 2, 3]),
])
def test_sharing(fields, unique, order):
    stack = Stack(TINY.replace(**fields))
    assert len(stack.blocks) == unique
    assert stack.layers_in_order() == [stack.blocks[number] for number in order]
    shared = fields.get("share") == "attention"
    assert (len({id(block.attention) for block in stack.blocks}) == 1) == (shared or unique == 1)
    assert len({id(block.ffn) for block in stack.blocks}) == unique


def test_blocks_share_given_layers():
    one = Block(TINY)
    two = Block(TINY, ffn=(one.ffn, one.ffn_residual))
    assert two.ffn is one.ffn and two.attention is not one.attention
    y, maps, cache = two(X, return_maps=True)
    assert y.shape == X.shape and len(maps) == 1 and cache is None


def test_a_stack_of_other_blocks():
    class Twice(Block):
        def call(self, x, **keywords):
            y, maps, cache = super().call(x, **keywords)
            return 2 * y, maps, cache

    plain, other = Stack(TINY), Stack(TINY, block_class=Twice)
    other.set_weights(plain.get_weights())
    assert {type(block) for block in other.blocks} == {Twice}
    states = other(X)["output"]
    expected = X
    for block in plain.blocks:
        expected = 2 * block(expected)[0]
    np.testing.assert_allclose(states, expected, atol=1e-5)


@pytest.mark.parametrize("placement", ["pre", "post"])
def test_the_first_attention_without_norm(placement):
    stack = Stack(TINY.replace(first_norm=False, norm_placement=placement))
    assert [block.attention_residual.norm is None for block in stack.blocks] == [True, False, False, False]
    first = stack.blocks[0]
    attended = X + first.attention(X)
    y = first.ffn(first.ffn_residual.before(attended))
    np.testing.assert_allclose(first(X)[0], first.ffn_residual.after(attended, y), atol=1e-5)


def test_head_mask():
    """0 removes a head, 1 has no effect, and the maps are multiplied, too."""
    layer, factors = Attention(TINY), np.array([1, 0, 0.5], np.float32)
    for inner in (layer.query, layer.key):
        inner.kernel.assign(RNG.normal(size=inner.kernel.shape))
    output, weights = layer(X, head_mask=factors, return_map=True)
    _, plain = layer(X, return_map=True)
    np.testing.assert_allclose(weights, plain * factors[:, None, None], atol=1e-6)
    heads = weights @ layer.split(layer.value(X))
    expected = layer.out(heads.numpy().transpose(0, 2, 1, 3).reshape(X.shape))
    np.testing.assert_allclose(output, expected, atol=1e-6)
    np.testing.assert_allclose(layer(X, head_mask=factors), expected, atol=1e-6)
    with one_cluster():
        np.testing.assert_allclose(layer(X, head_mask=factors), expected, atol=1e-6)
    np.testing.assert_allclose(layer(X, head_mask=np.ones(3)), layer(X), atol=1e-6)


def test_dropout_rate_and_scale():
    layer, ones = Dropout(0.25), np.ones((200, 300), np.float32)
    dropped = np.asarray(layer(ones, training=True))
    np.testing.assert_allclose(np.unique(dropped), [0, 4 / 3], rtol=1e-6)
    assert abs((dropped == 0).mean() - 0.25) < 0.01
    np.testing.assert_array_equal(layer(ones), ones)
    rows, columns = (dropped == 0).mean(axis=1), (dropped == 0).mean(axis=0)
    assert min(rows.min(), columns.min()) > 0.1 and max(rows.max(), columns.max()) < 0.4  # no stripes


def grid(allow):
    return ["".join("#" if one else "." for one in row) for row in np.asarray(allow).reshape(np.shape(allow)[-2:])]


def test_masks_equal_the_diagrams():
    assert grid(masks.causal(4)) == ["#...", "##..", "###.", "####"]
    assert grid(masks.causal_reverse(4)) == ["####", ".###", "..##", "...#"]
    assert grid(masks.prefix(np.array([[0, 0, 1, 1]]))) == ["##..", "##..", "###.", "####"]
    assert grid(masks.banded(4, 1)) == ["#...", "##..", ".##.", "..##"]
    assert grid(masks.banded(4, 0, 1)) == ["##..", ".##.", "..##", "...#"]
    assert grid(masks.banded(5, 1, 1)) == ["##...", "###..", ".###.", "..###", "...##"]
    assert grid(masks.causal(2, 5, offset=2)) == ["###..", "####."]
    assert grid(masks.banded(1, 1, key_length=5, offset=3)) == ["..##."]
    assert grid(masks.combine(masks.causal(4), masks.padding(np.array([[1, 1, 0, 1]])), None)) == [
        "#...", "##..", "##..", "##.#"]
    assert masks.combine(None, None) is None
    own = np.array([[[1, 0], [1, 1]]])
    assert grid(masks.padding(own)) == ["#.", "##"]
    assert list(masks.policy(TINY, 4)) == [None]
    assert len(masks.policy(TINY.replace(attention_type="sparse", attention_window=2), 4)) == 2
