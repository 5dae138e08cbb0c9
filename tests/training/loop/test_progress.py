"""The output of the progress bar, and its options."""

import io
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.training.loop.progress import Line, Progress
from tfplm.training.loop.resume import Resume


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    ids = keras.Input((6,), dtype="int32", name="input_ids")
    model = keras.Model({"input_ids": ids}, keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Embedding(9, 4)(ids))))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def data():
    random = np.random.RandomState(0)
    return tf.data.Dataset.from_tensor_slices(
        ({"input_ids": random.randint(0, 9, (40, 6)).astype("int32")}, random.randint(0, 3, 40))).batch(8)


def test_plain_lines(network):
    out = io.StringIO()
    network.fit(data(), epochs=2, verbose=0, validation_data=data(), callbacks=[Progress(interval=0, file=out)])
    lines = out.getvalue().splitlines()
    assert len(lines) == 10  # for steps except the first, which compiles, and for epochs; none for validation
    assert re.fullmatch(r"epoch 1/2  step 3/5  accuracy \S+  loss \S+  .* examples/s  .* tokens/s  \d:\d\d:\d\d left",
                        lines[1])
    assert re.match(r"epoch 2/2  step 5/5  accuracy \S+  loss \S+  val_accuracy \S+  val_loss \S+  ", lines[-1])


def test_tokens_equal_examples_times_length(network):
    out = io.StringIO()
    network.fit(data(), verbose=0, callbacks=[Progress(interval=None, file=out)])
    found = re.search(r"([\d,]+) examples/s  ([\d,]+) tokens/s", out.getvalue())
    examples, tokens = (int(number.replace(",", "")) for number in found.groups())
    assert tokens == pytest.approx(6 * examples, rel=0.05)


def test_one_line_per_epoch_and_none_when_quiet(network, capsys):
    out = io.StringIO()
    network.fit(data(), epochs=2, verbose=0, callbacks=[Progress(interval=None, file=out)])
    assert len(out.getvalue().splitlines()) == 2
    network.fit(data(), verbose=0, validation_data=data(), callbacks=[Progress(quiet=True)])
    assert capsys.readouterr() == ("", "")


def test_a_bar_in_a_terminal(network):
    out = Terminal()
    network.fit(data(), verbose=0, validation_data=data(), callbacks=[Progress(file=out)])
    assert re.search(r"epoch 1/1 \|#{10}\| 5/5  accuracy \S+  loss ", out.getvalue().replace("█", "#"))
    assert "validation" in out.getvalue()


def test_evaluation(network):
    out = io.StringIO()
    network.evaluate(data(), verbose=0, callbacks=[Progress(file=out)])
    assert re.match(r"evaluation  step 5/5  accuracy \S+  loss \S+", out.getvalue())


def test_only_the_chief_shows_progress(network, monkeypatch, capsys):
    monkeypatch.setattr("tfplm.training.loop.progress.is_chief", lambda: False)
    network.fit(data(), verbose=0, callbacks=[Progress()])
    assert capsys.readouterr().err == ""


def test_in_the_middle_of_an_epoch_after_resuming(network, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        network.fit(data(), verbose=0, callbacks=[Resume(tmp_path, every_steps=1), Stop()])
    out = io.StringIO()
    network.fit(data(), verbose=0, callbacks=[Resume(tmp_path), Progress(interval=0, file=out)])
    assert out.getvalue().startswith("epoch 1/1  step 4/5")  # the third, not saved, compiles


def test_remaining_time():
    line = Line("epoch", 100, io.StringIO(), None, False)
    line.done = 40
    assert line._text({}, {"steps": 0.01}, now=1.0) == "1:40:00 left"
    assert line._text({"loss": 0.123456}, {"examples": 1234.5, "steps": 1.0}) == "loss 0.1235  1,234 examples/s"


def test_remaining_time_respects_a_time_limit():
    line = Line("epoch", 100, io.StringIO(), None, False, limit=lambda: 42.0)
    assert line._text({}, {"steps": 0.01}, now=1.0) == "0:00:42 left"
