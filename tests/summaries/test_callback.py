"""SummaryCallback in `fit`: the points it writes and their values."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.summaries.models import Tokens, data, functional, own
from tfplm.summaries import Embedding, EventFiles, SummaryCallback
from tfplm.training.loop.resume import Resume
from tfplm.training.optimizers.lookahead import Lookahead
from tfplm.training.optimizers.make import make_optimizer

SCALARS = ["accuracy", "loss", "optimizer/gradient_norm", "optimizer/learning_rate", "speed/examples_per_second",
           "speed/steps_per_second"]


class Recorded(keras.callbacks.Callback):
    """Computes the loss and the gradient norm of each batch before its step, independently of the training."""

    def __init__(self, x, y, batch):
        super().__init__()
        self.batches = [(x[i:i + batch], y[i:i + batch]) for i in range(0, len(x), batch)]
        self.losses, self.norms = [], []

    def on_train_batch_begin(self, batch, logs=None):
        x, y = self.batches[batch]
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, self.model(x)))
        self.losses.append(float(loss))
        gradients = tape.gradient(loss, [weight.value for weight in self.model.trainable_weights])
        self.norms.append(float(tf.linalg.global_norm(gradients)))


@pytest.mark.parametrize("steps_per_execution", [1, 5])
def test_scalars_at_their_interval(tmp_path, steps_per_execution):
    model, (x, y) = functional(steps_per_execution=steps_per_execution), data()
    model.fit(x, y, batch_size=10, epochs=2, validation_data=(x, y), verbose=0,
              callbacks=[SummaryCallback(tmp_path, {"scalars": 10, "weights": 15})])
    train, validation = EventFiles(tmp_path / "train"), EventFiles(tmp_path / "validation")
    assert train.tags("scalars") == SCALARS and validation.tags("scalars") == ["accuracy", "loss"]
    for tag in ("loss", "accuracy", "optimizer/learning_rate", "optimizer/gradient_norm"):
        assert list(train.points(tag)[0]) == [10, 20, 30, 40]
    assert list(validation.points("loss")[0]) == [20, 40]
    histograms = ["weights/hidden/bias", "weights/hidden/kernel", "weights/out/bias", "weights/out/kernel"]
    assert train.tags("histograms") == histograms
    assert list(train.points(histograms[0])[0]) == [0, 15, 30]
    assert train.scalars("optimizer/learning_rate")[1] == pytest.approx([0.01] * 4)
    assert train.tags("graph_keras_model") == ["keras"]


def test_the_values_are_correct(tmp_path):
    model, (x, y) = functional(keras.optimizers.SGD(0.5, global_clipnorm=0.1)), data()
    recorded = Recorded(x, y, 10)
    model.fit(x, y, batch_size=10, epochs=2, shuffle=False, verbose=0,
              callbacks=[recorded, SummaryCallback(tmp_path, {"scalars": 5})])
    events = EventFiles(tmp_path / "train")
    means = np.reshape(recorded.losses, (-1, 5)).mean(1)  # since the last point, across the two epochs
    np.testing.assert_allclose(events.scalars("loss")[1], means, rtol=1e-4)
    norms = events.scalars("optimizer/gradient_norm")[1]  # before clipping
    np.testing.assert_allclose(norms, recorded.norms[4::5], rtol=1e-4)
    last = events.points("weights/out/kernel")[1][-1]
    assert last[:, 2].sum() == 10
    examples, steps = (events.scalars(f"speed/{unit}_per_second")[1] for unit in ("examples", "steps"))
    np.testing.assert_allclose(examples, steps * 10, rtol=1e-3)


def test_metrics_that_are_not_means_are_kept(tmp_path):
    model, (x, y) = functional(), data()
    model.compile("sgd", model.loss, metrics=["accuracy", keras.metrics.SparseCategoricalAccuracy(name="again"),
                                              keras.metrics.SparseTopKCategoricalAccuracy(1, name="top")])
    model.fit(x, y, batch_size=10, verbose=0, callbacks=[SummaryCallback(tmp_path, {"scalars": 20})])
    events = EventFiles(tmp_path / "train")
    assert events.scalars("accuracy")[1] == pytest.approx(events.scalars("again")[1])


def test_metrics_of_several_numbers(tmp_path):
    model, (x, y) = functional(), data()
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), metrics=[keras.metrics.F1Score()])
    model.fit(x, np.eye(2)[y], batch_size=10, verbose=0, validation_split=0.5, callbacks=[SummaryCallback(tmp_path)])
    for run in ("train", "validation"):
        assert {"f1_score/0", "f1_score/1", "loss"} <= set(EventFiles(tmp_path / run).tags("scalars"))


def test_everything_on_request(tmp_path):
    model, (x, y) = own(), data(100)

    def words(model):
        return {"head": Embedding(model.head.kernel.numpy(), list("甲乙丙丁戊己"))}

    look = {"probe": (x[:8], y[:8]), "tokens": list("我爱北京天安"), "attentions": {"layers": [1]},
            "projector": words, "samples": lambda model: [("今天[MASK]气", "天")], "layers": r"block_0|head"}
    every = {"scalars": 4, "weights": 4, "activations": 5, "gradients": 5, "attentions": 10, "projector": 10,
             "samples": 2}
    model.fit(x, y, batch_size=10, verbose=0, callbacks=[SummaryCallback(tmp_path, every, look)])
    events = EventFiles(tmp_path / "train")
    paths = ["block_0", "block_0/dense", "block_0/dense_1", "head"]
    assert [tag for tag in events.tags() if tag.startswith("activations")] == [f"activations/{path}" for path in paths]
    assert "gradients/block_0/dense_1/kernel" in events.tags() and "weights/shared/kernel" not in events.tags()
    assert list(events.points("gradients/head/bias")[0]) == [5, 10]
    assert events.tags("images") == ["attention/layer_1/head_0"]
    assert list(events.points("samples")[0]) == [2, 4, 6, 8, 10]
    assert (tmp_path / "train" / "projector_config.pbtxt").is_file()
    assert events.has_graph()


def test_tokens_are_counted(tmp_path):
    ids = np.random.default_rng(0).integers(0, 11, (60, 7)).astype(np.int32)
    mask = (np.arange(7) < 4).astype(np.int32)[None].repeat(60, 0)
    model = Tokens()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    callback = SummaryCallback(tmp_path, {"scalars": 2})
    model.fit({"input_ids": ids, "attention_mask": mask}, ids[:, 0] % 2, batch_size=10, verbose=0, callbacks=[callback])
    events = EventFiles(tmp_path / "train")
    tokens, examples = (events.scalars(f"speed/{unit}_per_second")[1] for unit in ("tokens", "examples"))
    np.testing.assert_allclose(tokens, examples * 4, rtol=1e-3)
    assert int(callback._counter.total) == 240
    assert np.isfinite(events.scalars("optimizer/gradient_norm")[1]).all()  # with the sparse gradient of the embeddings


def test_a_second_fit_continues_the_curves(tmp_path):
    model, (x, y) = functional(), data()
    for _ in range(2):
        model.fit(x, y, batch_size=10, verbose=0, callbacks=[SummaryCallback(tmp_path, {"scalars": 10})])
    steps, _ = EventFiles(tmp_path / "train").points("optimizer/gradient_norm")
    assert list(steps) == [10, 20, 30, 40]


@pytest.mark.parametrize("wrap", [lambda inner: Lookahead(inner, steps=2), keras.optimizers.LossScaleOptimizer])
def test_wrapped_optimizers(tmp_path, wrap):
    model, (x, y) = functional(wrap(keras.optimizers.SGD(1e-6, gradient_accumulation_steps=2))), data(80)
    model.fit(x, y, batch_size=10, verbose=0, callbacks=[SummaryCallback(tmp_path, {"scalars": 1})])
    steps, norms = EventFiles(tmp_path / "train").scalars("optimizer/gradient_norm")
    assert list(steps) == [1, 2, 3, 4] and (norms > 0.01).all() and (norms < 10).all()


def test_resumed_in_the_middle_of_an_epoch(tmp_path):
    class Killed(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 12:
                raise InterruptedError

    x, y = data()
    dataset = tf.data.Dataset.from_tensor_slices((x, y)).batch(10)
    losses = {}
    for folder, runs in (("whole", [[]]), ("parts", [[Killed()], []])):
        for extra in runs:
            resume = [Resume(tmp_path / f"checkpoints_{folder}", every_steps=5)]
            with contextlib.suppress(InterruptedError):
                functional().fit(dataset, verbose=0, callbacks=[
                    SummaryCallback(tmp_path / folder, {"scalars": 5}), *resume, *extra])
        losses[folder] = EventFiles(tmp_path / folder / "train").scalars("loss")
    np.testing.assert_array_equal(losses["whole"][0], losses["parts"][0])
    np.testing.assert_allclose(losses["whole"][1], losses["parts"][1], rtol=1e-5)


def test_the_callback_does_not_change_the_weights(tmp_path):
    (x, y), weights = data(), []
    for callbacks in ([], [SummaryCallback(tmp_path, {"scalars": 3})]):
        model = functional("adam")
        model.fit(x, y, batch_size=10, shuffle=False, verbose=0, callbacks=callbacks)
        weights.append(model.get_weights())
    for plain, own_ in zip(*weights):
        np.testing.assert_array_equal(plain, own_)


@pytest.mark.parametrize("ours, accumulation", [(True, 2), *[
    pytest.param(*case, marks=pytest.mark.slow) for case in ((True, None), (False, None), (False, 2))]])
def test_gradient_norm_with_accumulation_and_our_optimizers(tmp_path, accumulation, ours):
    optimizer = (make_optimizer("adamw", learning_rate=1e-6, schedule="constant", clip_norm=0.01,
                                accumulation=accumulation or 1)
                 if ours else
                 keras.optimizers.Adam(1e-6, gradient_accumulation_steps=accumulation, global_clipnorm=0.01))
    model, (x, y) = functional(optimizer), data(80)
    model.fit(x, y, batch_size=10, shuffle=False, verbose=0, callbacks=[SummaryCallback(tmp_path, {"scalars": 1})])
    steps, norms = EventFiles(tmp_path / "train").scalars("optimizer/gradient_norm")
    batch = 10 * (accumulation or 1)
    assert list(steps) == list(range(1, 80 // batch + 1))
    fresh = functional()
    for index, norm in enumerate(norms):
        part = slice(index * batch, (index + 1) * batch)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y[part], fresh(x[part])))
        gradients = tape.gradient(loss, [weight.value for weight in fresh.trainable_weights])
        assert norm == pytest.approx(float(tf.linalg.global_norm(gradients)), rel=1e-3)


def test_ctrl_c_loses_nothing(tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 12:
                raise KeyboardInterrupt

    model, (x, y) = functional(), data()
    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=10, verbose=0, callbacks=[SummaryCallback(tmp_path, {"scalars": 5}), Interrupt()])
    assert list(EventFiles(tmp_path / "train").points("loss")[0]) == [5, 10]


def test_errors_name_what_is_missing(tmp_path):
    with pytest.raises(ValueError, match=r"every gradients=5 needs look=\{'probe': \.\.\.\}, which was not given"):
        SummaryCallback(tmp_path, {"gradients": 5})
    for wrong in (-1, 2.5, "5"):
        with pytest.raises(ValueError, match=r"every scalars=.*; expected a number of steps, or 0 for never"):
            SummaryCallback(tmp_path, {"scalars": wrong})
    with pytest.raises(TypeError, match="gradient"):
        SummaryCallback(tmp_path, {"gradient": 5})


def test_the_model_can_still_be_saved(tmp_path):
    model, (x, y) = functional(), data()
    model.fit(x, y, batch_size=10, verbose=0, callbacks=[SummaryCallback(tmp_path)])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
