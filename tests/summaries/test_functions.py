"""The functions of `tfplm.summaries`: their output, read back from event files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.summaries import (
    EventFiles,
    create_writer,
    function_graph,
    histogram,
    input_images,
    layer_graph,
    nn_layer,
    text_samples,
    variable_summaries,
    write_hparams,
)
from tfplm.summaries.histograms import bucket_counts

STATISTICS = ("mean", "stddev", "max", "min")


def statistics_of(events: EventFiles, name: str) -> dict[str, float]:
    return {part: float(events.scalars(f"{name}/{part}")[1][-1]) for part in STATISTICS}


def expected(values) -> dict[str, float]:
    return {"mean": np.mean(values), "stddev": np.std(values), "max": np.max(values), "min": np.min(values)}


@pytest.mark.parametrize("kind", ["array", "tensor", "tf variable", "keras variable", "bfloat16", "integers"])
def test_variable_summaries_of_anything(tmp_path, kind):
    values = np.random.default_rng(0).integers(-40, 40, (7, 5, 3)).astype(np.float32)
    value = {"array": lambda: values, "tensor": lambda: tf.constant(values), "tf variable": lambda: tf.Variable(values),
             "keras variable": lambda: keras.Variable(values), "bfloat16": lambda: tf.constant(values, tf.bfloat16),
             "integers": lambda: values.astype(np.int64)}[kind]()
    with create_writer(tmp_path).as_default():
        variable_summaries("a/b", value, step=3)
    events = EventFiles(tmp_path)
    assert events.tags("scalars") == ["a/b/max", "a/b/mean", "a/b/min", "a/b/stddev"]
    assert statistics_of(events, "a/b") == pytest.approx(expected(values), rel=1e-5)
    steps, (buckets,) = events.points("a/b/histogram")
    assert list(steps) == [3]
    assert buckets.shape == (30, 3) and buckets[:, 2].sum() == values.size
    assert (buckets[0, 0], buckets[-1, 1]) == (values.min(), values.max())


def test_in_a_function_and_a_custom_loop(tmp_path):
    writer, weight = create_writer(tmp_path), tf.Variable([1.0, 3.0])

    @tf.function
    def step(number):
        weight.assign_add([1.0, 1.0])
        with writer.as_default(number):
            variable_summaries("weight", weight)

    for number in range(4):
        step(tf.constant(number, tf.int64))
    writer.close()
    steps, means = EventFiles(tmp_path).scalars("weight/mean")
    assert list(steps) == [0, 1, 2, 3] and list(means) == [3, 4, 5, 6]


@pytest.mark.parametrize("compiled", [False, True])
def test_one_argument_takes_its_name_from_the_scopes(tmp_path, compiled):
    """The tags are the scopes and `summaries`, also at the second call, eagerly and in a function."""
    weight, bias = keras.Variable(np.arange(6.0)), tf.Variable([1.0])
    writer = create_writer(tmp_path)

    def step(number):
        with writer.as_default(number), tf.name_scope("layer1"):
            with tf.name_scope("weights"):
                variable_summaries(weight)
            with tf.name_scope("biases"):
                variable_summaries(bias)

    step = tf.function(step) if compiled else step
    for number in range(2):
        step(tf.constant(number, tf.int64))
    with writer.as_default(2):
        variable_summaries(weight, step=7)
    writer.close()
    events = EventFiles(tmp_path)
    names = ["layer1/biases/summaries", "layer1/weights/summaries", "summaries"]
    assert events.tags("scalars") == [f"{name}/{part}" for name in names for part in sorted(STATISTICS)]
    assert events.tags("histograms") == [f"{name}/histogram" for name in names]
    assert list(events.scalars("layer1/weights/summaries/mean")[0]) == [0, 1]
    assert list(events.scalars("summaries/mean")[0]) == [7]
    assert statistics_of(events, "layer1/weights/summaries") == pytest.approx(expected(np.arange(6.0)), rel=1e-5)


@pytest.mark.parametrize("arguments", [("layer1/weights",), (tf.constant(1.0), "layer1")])
def test_a_name_without_a_variable(arguments):
    with pytest.raises(TypeError, match=r"expected variable_summaries\(variable\) or variable_summaries\(name, variable\)"):
        variable_summaries(*arguments)


def layers():
    """784 - 7 - 3, made in a name scope."""
    pixels = keras.Input((784,))
    with tf.name_scope("tower"):
        hidden = nn_layer(pixels, 784, 7, "layer1")
        return keras.Model(pixels, nn_layer(hidden, 7, 3, layer_name="layer2", act=tf.identity))


def test_nn_layer(tmp_path):
    model, pixels = layers(), np.random.default_rng(0).random((4, 784), np.float32)
    assert [tuple(weight.shape) for weight in model.trainable_weights] == [(784, 7), (7,), (7, 3), (3,)]
    (kernel, bias), (second, _) = (model.get_layer(f"layer{number}").get_weights() for number in (1, 2))
    assert np.abs(kernel).max() <= 0.2 and kernel.std() == pytest.approx(0.088, abs=0.003)
    assert (bias == np.float32(0.1)).all()
    writer, hidden = create_writer(tmp_path), np.maximum(pixels @ kernel + bias, 0)
    np.testing.assert_allclose(model(pixels), hidden @ second + np.float32(0.1), atol=1e-5)

    @tf.function
    def twice(step):  # tags are not numbered
        with writer.as_default(step):
            model(pixels)
            return model(pixels)

    twice(tf.constant(5, tf.int64))
    writer.close()
    events = EventFiles(tmp_path)
    parts = [f"{part}/summaries/{name}" for part in ("biases", "weights") for name in sorted((*STATISTICS, "histogram"))]
    assert events.tags() == sorted(f"tower/layer{number}/{part}" for number in (1, 2)
                                   for part in [*parts, "linear_compute/linear", "activations"])
    assert statistics_of(events, "tower/layer1/weights/summaries") == pytest.approx(expected(kernel), rel=1e-4, abs=1e-6)
    assert events.points("tower/layer1/activations")[1][0][-1, 1] == pytest.approx(hidden.max(), rel=1e-5)


def test_nn_layer_is_saved_and_learns(tmp_path):
    model, pixels = layers(), np.random.default_rng(0).random((8, 784), np.float32)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(pixels, np.arange(8) % 3, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(pixels), model(pixels))
    assert again.get_layer("layer1").scope == "tower/layer1"


def test_nn_layer_with_inputs_of_another_width():
    with pytest.raises(ValueError, match=r"layer1 has inputs of the shape \(2, 5\) and input_dim 784; expected input_dim 5"):
        nn_layer(tf.zeros((2, 5)), 784, 7, "layer1")


def test_nothing_is_done_without_a_writer_or_when_not_recording(tmp_path):
    variable_summaries("a", object(), step=0)  # the value is not even read
    with create_writer(tmp_path).as_default(0), tf.summary.record_if(False):
        variable_summaries("a", object())
        text_samples("t", ["x"])
    assert EventFiles(tmp_path).tags() == []


def test_histogram_equals_that_of_tensorflow(tmp_path):
    values = np.random.default_rng(1).normal(size=5000).astype(np.float32)
    with create_writer(tmp_path).as_default(0):
        histogram("ours", values)
        tf.summary.histogram("theirs", values)
    events = EventFiles(tmp_path)
    ours, theirs = (events.points(name)[1][0] for name in ("ours", "theirs"))
    np.testing.assert_allclose(ours[:, :2], theirs[:, :2], rtol=1e-6, atol=1e-7)
    assert np.abs(ours[:, 2] - theirs[:, 2]).max() <= 1  # a value on an edge may fall to either side
    assert events.tags("histograms") == ["ours", "theirs"]


def test_histograms_of_difficult_values():
    same = bucket_counts(tf.fill([6], 2.5)).numpy()
    assert same[-1].tolist() == [2.5, 2.5, 6] and same[:-1, 2].sum() == 0
    broken = bucket_counts(tf.constant([1.0, np.nan, 2.0, np.inf, -np.inf])).numpy()
    assert (broken[0, 0], broken[-1, 1], broken[:, 2].sum()) == (1, 2, 2)
    for values in (tf.zeros([0]), tf.constant([np.nan])):
        assert bucket_counts(values).numpy()[:, 2].sum() == 0
    assert bucket_counts(tf.constant([-3e38, 3e38, 3e38, 3e38])).numpy()[:, 2].sum() == 4  # their sum overflows


@pytest.mark.parametrize("shape", [(12, 784), (12, 28, 28), (12, 28, 28, 1), (12, 6, 9, 3)])
def test_input_images(tmp_path, shape):
    images = np.random.default_rng(0).random(shape).astype(np.float32)
    with create_writer(tmp_path).as_default(0):
        input_images("in", images, max_outputs=10)
    _, (content,) = EventFiles(tmp_path).points("in")
    height, width = (28, 28) if shape[1] in (28, 784) else shape[1:3]
    assert [int(size) for size in content[:2]] == [width, height] and len(content) == 12
    first = tf.io.decode_png(content[2]).numpy()
    np.testing.assert_allclose(first.reshape(-1) / 255, images[0].reshape(-1), atol=0.0041)


def test_text_samples_escape_masks_bars_and_lines(tmp_path):
    with create_writer(tmp_path).as_default(5):
        text_samples("table", [("我爱[MASK]京", "北"), ("<mask> | x", "two\nlines")])
        text_samples("list", ["床前明月光"])
        text_samples("plain", "**bold**")
    events = EventFiles(tmp_path)
    assert events.tags("text") == ["list", "plain", "table"]
    text = {tag: np.ravel(events.points(tag)[1][0])[0].decode() for tag in events.tags()}
    assert text["table"].splitlines() == ["| input | output |", "| --- | --- |", "| 我爱[MASK]京 | 北 |",
                                          "| &lt;mask> \\| x | two<br>lines |"]
    assert "床前明月光" in text["list"] and text["plain"] == "**bold**"


def test_graphs_of_functions_and_layers(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="only")])
    with create_writer(tmp_path).as_default(0):
        function_graph(model, tf.TensorSpec([None, 3]))
        assert layer_graph(model)
    events = EventFiles(tmp_path)
    assert events.has_graph() and events.tags("graph_keras_model") == ["keras"]
    assert any("/only/MatMul" in node.name for node in events.accumulator.Graph().node)


def test_a_subclassed_model_has_no_graph_of_layers(tmp_path):
    class Own(keras.Model):
        def call(self, x):
            return x

    with create_writer(tmp_path).as_default(0):
        assert not layer_graph(Own())


def test_hparams(tmp_path):
    with create_writer(tmp_path).as_default(0):
        write_hparams({"rate": 0.1, "name": "x", "none": None}, metrics={"accuracy": "../test"})
    events = EventFiles(tmp_path)
    assert events.tags("hparams") == ["_hparams_/experiment", "_hparams_/session_start_info"]


def test_reading_an_empty_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no event files; expected the folder of a summary writer"):
        EventFiles(tmp_path)
    with create_writer(tmp_path).as_default(0):
        tf.summary.scalar("loss", 1.0)
    with pytest.raises(KeyError, match="no tag 'los'; there are loss"):
        EventFiles(tmp_path).points("los")
