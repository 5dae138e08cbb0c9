"""Position schemes of attention layers: rotary positions against complex numbers, and custom schemes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.core.config import Config
from tfplm.layers import Attention, Dense, Stack, masks, positions
from tfplm.layers.attention import one_cluster
from tfplm.layers.kernels import fused as kernels
from tfplm.layers.positions import BucketedBias, Positions, PositionScheme, Rotary
from tfplm.models.pretrained.weights import named_variables

TINY = Config(vocab_size=11, hidden_size=12, num_attention_heads=3, intermediate_size=19, num_hidden_layers=4,
              initializer_range=0.3, position_type="rotary", attention_type="causal")
RNG = np.random.default_rng(5)
X = RNG.normal(size=(2, 5, 12)).astype(np.float32)
HEADS = RNG.normal(size=(2, 3, 5, 8)).astype(np.float32)
FORMS = [False, True]


def turned_by_hand(x, places, theta: float, interleaved: bool):
    """Su et al. 2021, section 3.2.2: a pair of units is a complex number, multiplied by e^(i position frequency)."""
    half = x.shape[-1] // 2
    pairs = x.reshape(*x.shape[:-1], half, 2) if interleaved else np.stack([x[..., :half], x[..., half:]], -1)
    angles = np.asarray(places)[..., None] * theta ** (-np.arange(half) / half)
    angles = angles[:, None] if angles.ndim == 3 else angles
    turned = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angles)
    parts = [turned.real, turned.imag]
    return np.stack(parts, -1).reshape(x.shape) if interleaved else np.concatenate(parts, -1)


@pytest.mark.parametrize("interleaved", FORMS)
@pytest.mark.parametrize("places", [np.arange(5), np.array([[0, 1, 2, 3, 4], [7, 9, 0, 0, 30]])], ids=["row", "given"])
def test_rotary(places, interleaved):
    turn = Rotary(8, 500.0, interleaved).turn(places.astype(np.int32))
    expected = turned_by_hand(HEADS, places, 500.0, interleaved)
    np.testing.assert_allclose(turn(HEADS), expected, atol=1e-5)
    inside = tf.function(lambda: turn(tf.constant(HEADS)), autograph=False)
    np.testing.assert_allclose(inside(), expected, atol=1e-5)


def test_the_two_forms_differ_and_depend_only_on_the_distance():
    q, k = RNG.normal(size=(2, 1, 1, 1, 8)).astype(np.float32)
    for interleaved in FORMS:
        rotary = Rotary(8, 100.0, interleaved)
        products = [np.sum(rotary.turn(np.array([place + 3]))(q) * rotary.turn(np.array([place]))(k))
                    for place in (0, 4, 90)]
        np.testing.assert_allclose(products, products[0], atol=1e-4)
    places = np.array([2])
    assert np.abs(Rotary(8).turn(places)(q) - Rotary(8, interleaved=True).turn(places)(q)).max() > 0.1


def test_frequencies_are_the_references_to_the_last_bit():
    """Those of torch, where rounding once, at the end, gives another float32 (of transformers' ModernBERT, heads of 64)."""
    places = [6, 14, 23, 25, 26, 27, 28, 31]
    expected = [0.1057371199131012, 0.005286856554448605, 0.00018177693709731102, 8.595699910074472e-05,
                5.910885374760255e-05, 4.0646555135026574e-05, 2.7950851290370338e-05, 9.088847036764491e-06]
    np.testing.assert_array_equal(Rotary(64, 160000.0).frequencies[places], np.array(expected, np.float32))


@pytest.mark.parametrize("interleaved", FORMS)
def test_the_gradient_of_a_rotation_is_the_inverse_rotation(interleaved):
    turn, upstream = Rotary(8, 100.0, interleaved).turn(np.arange(5)), RNG.normal(size=HEADS.shape).astype(np.float32)
    x = tf.constant(HEADS)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        loss = tf.reduce_sum(turn(x) * upstream)
        plain = tf.reduce_sum(kernels._rotate(x, turn.cos, turn.sin, interleaved) * upstream)
    np.testing.assert_allclose(tape.gradient(loss, x), tape.gradient(plain, x), atol=1e-5)


def test_angles_are_float32_in_half_precision():
    """At position 4001 the error of the angles in bfloat16 would be about 16."""
    places = np.array([4001], np.int32)
    low = Rotary(8).turn(places)(tf.cast(HEADS[:, :, :1], tf.bfloat16))
    assert low.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(low, tf.float32), turned_by_hand(HEADS[:, :, :1], places, 10000.0, False), atol=0.03)


@pytest.mark.parametrize("interleaved", FORMS)
def test_one_cluster_also_rotates(interleaved):
    layer = Attention(TINY)
    scheme = Rotary(4, 100.0, interleaved)
    located = Positions(scheme, scheme.turn(np.arange(5)))
    expected = layer(X, allow=masks.causal(5), positions=located)
    assert np.abs(expected - layer(X, allow=masks.causal(5))).max() > 1e-2
    with one_cluster():
        inside = tf.function(lambda: layer(X, allow=masks.causal(5), positions=located), autograph=False)()
    np.testing.assert_allclose(inside, expected, atol=1e-5)


def test_each_kind_of_layer_has_a_separate_base():
    stack = Stack(TINY.replace(layer_pattern=("local", "global"), rope_theta=160000.0, local_rope_theta=100.0))
    frequencies = [scheme.frequencies for scheme in (stack.schemes[0], stack.schemes[1])]
    np.testing.assert_allclose(frequencies, [[1, 0.1], [1, 0.0025]], rtol=1e-6)
    alike = Stack(TINY.replace(layer_pattern=["local", "global"])).schemes
    assert alike[0] is alike[1]


def stack_of(config: Config, length: int = 5, **keywords):
    stack = Stack(config)
    allow = masks.policy(config, length)
    return stack, stack(X[:, :length], allow=allow, **keywords)["output"]


def test_positions_of_a_stack():
    """By default they are indices in the row; adding a constant has no effect, as only distances count."""
    stack, expected = stack_of(TINY)
    allow = masks.policy(TINY, 5)
    places = np.arange(5, dtype=np.int32)[None]
    np.testing.assert_allclose(stack(X, allow=allow, position_ids=places)["output"], expected, atol=1e-6)
    np.testing.assert_allclose(stack(X, allow=allow, position_ids=places + 7)["output"], expected, atol=1e-5)
    assert np.abs(stack(X, allow=allow, position_ids=2 * places)["output"] - expected).max() > 1e-3


def test_keys_are_rotated_before_they_are_cached():
    stack, whole = stack_of(TINY)
    cache, outputs = stack.empty_cache(2, 5, "float32"), []
    for index in range(5):
        allow = masks.policy(TINY, 1, key_length=5, offset=index)
        result = stack(X[:, index:index + 1], allow=allow, cache=(cache, tf.constant(index)))
        cache = result["cache"]
        outputs.append(result["output"])
    np.testing.assert_allclose(np.concatenate(outputs, 1), whole, atol=1e-5)
    block = stack.blocks[0]
    keys = block.attention.split(block.attention.key(X))
    np.testing.assert_allclose(cache[0]["self"][0], stack.schemes[0].turn(np.arange(5))(keys), atol=1e-5)


class Weighted(PositionScheme, keras.layers.Layer):
    """A term of the scores with weights of the stack and of each layer, as in Transformer-XL and DeBERTa."""

    def __init__(self, config, **keywords):
        super().__init__(**keywords)
        self.table = self.add_weight(name="table", shape=(40, 12), initializer="random_normal")
        self.built = True

    @classmethod
    def of_layers(cls, config):
        return [cls(config, name="relative")] * len(config.layer_kinds)

    @classmethod
    def weights_of_layer(cls, config):
        return Dense(12, 12, name="position", use_bias=False)

    def score(self, attention, q, k):
        distances = np.arange(q.shape[2])[:, None] - np.arange(k.shape[2]) + 20
        rows = tf.gather(attention.position(self.table), distances)  # [T,S,H]
        rows = tf.reshape(rows, (*distances.shape, attention.heads, attention.head_dim))
        return tf.einsum("bntd,tsnd->bnts", q, rows) * attention.scale


def test_a_scheme_with_weights(monkeypatch):
    monkeypatch.setitem(positions.SCHEMES, "none", Weighted)
    config = TINY.replace(position_type="none", layer_pattern=("global", "local"), attention_window=3)
    stack = Stack(config, name="encoder")
    names = list(named_variables(stack))
    assert "relative/table" in names and names.count("relative/table") == 1
    assert [f"block_{number}/attention/position/kernel" in names for number in range(5)] == [True] * 4 + [False]
    assert len(names) == len(stack.weights)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(stack(X, allow=masks.policy(config, 5))["output"] ** 2)
    relative = [weight for weight in stack.weights if weight.name == "table" or "position" in weight.path]
    for gradient in tape.gradient(loss, [weight.value for weight in relative]):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0
    attention = stack.blocks[0].attention
    located = Positions(stack.schemes[0])
    _, weights = attention(X, positions=located, return_map=True)
    q, k = (attention.split(layer(X)) for layer in (attention.query, attention.key))
    scores = q @ tf.transpose(k, (0, 1, 3, 2)) * attention.scale + stack.schemes[0].score(attention, q, k)
    np.testing.assert_allclose(weights, tf.nn.softmax(scores), atol=1e-5)


def test_schemes_of_a_row_longer_than_a_band():
    """Local layers of a scheme with `score` are not split into blocks; those with a bias are."""
    config = TINY.replace(layer_pattern=["local"], attention_window=3, position_type="bucketed",
                          relative_attention_num_buckets=8)
    x = RNG.normal(size=(2, 90, 12)).astype(np.float32)
    stack = Stack(config)
    assert isinstance(stack.schemes[0], BucketedBias)
    allow = masks.policy(config, 90)
    whole = stack(x, allow=tuple(map(masks.whole, allow)))["output"]
    np.testing.assert_allclose(stack(x, allow=allow)["output"], whole, atol=1e-5)
