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
