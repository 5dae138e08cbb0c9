"""The base of models that train models: losses, counts, trained and saved models."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfplm.training.loop.wrapper import TrainingModel


def network(seed: int = 0, dtype: str = "float32") -> keras.Model:
    """Token ids `[B,T]` -> `[B,3]`."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((4,), dtype="int32"), keras.layers.Embedding(9, 5, dtype=dtype),
                              keras.layers.GlobalAveragePooling1D(dtype=dtype), keras.layers.Dense(3, dtype=dtype)])
    model.dtype_policy = keras.dtype_policies.get(dtype)
    return model


class Distillation(TrainingModel):
    """A student that learns the outputs of a teacher; the batch has the ids of both."""

    def __init__(self, student: keras.Model, teacher: keras.Model):
        super().__init__(student, "distillation", untrained=[teacher])
        with self.own_layers():
            self.match = keras.layers.Dense(3, name="match")
        self.match.build((None, 3))
        self.distance = keras.metrics.Mean(name="distance")
        self.seen = []

    def call(self, batch, training=False):
        self.seen.append(batch["weights"].dtype)
        wanted = self.untrained[0](batch["teacher/input_ids"])
        return tf.abs(self.match(self.inner(batch["input_ids"])) - tf.cast(wanted, self.compute_dtype))

    def example_losses(self, batch, outputs):
        return batch["weights"] * tf.reduce_sum(tf.cast(outputs, tf.float32), -1)

    def update_metrics(self, batch, outputs):
        self.distance.update_state(outputs)


def batch() -> dict:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 9, (6, 4)).astype(np.int32)
    return {"input_ids": ids, "teacher/input_ids": ids[:, ::-1].copy(), "weights": np.full(6, 1.001, np.float32),
            "attention_mask": np.arange(4)[None] < rng.integers(1, 5, (6, 1))}


def test_only_one_of_two_models_is_trained(tmp_path):
    student, teacher = network(0), network(1)
    model, before = Distillation(student, teacher), [v.numpy() for v in teacher.variables]
    model.compile("sgd")
    first = model.train_on_batch(batch(), return_dict=True)
    assert set(first) == {"loss", "distance"}
    assert first["loss"] == pytest.approx(3 * 1.001 * first["distance"], rel=1e-5)
    for _ in range(20):
        last = model.train_on_batch(batch(), return_dict=True)
    assert last["loss"] < 0.7 * first["loss"]
    assert all(np.array_equal(v.numpy(), old) for v, old in zip(teacher.variables, before))
    known = {id(variable) for variable in model.variables}
    assert not known & {id(variable) for variable in teacher.variables}  # they are also not in checkpoints
    assert known >= {id(variable) for variable in [*student.variables, *model.match.variables]}
    assert model.saved_models() == {"": student}
    model.save(tmp_path / "student.keras")
    again = keras.models.load_model(tmp_path / "student.keras")
    np.testing.assert_array_equal(again(batch()["input_ids"]), student(batch()["input_ids"]))


def test_training_is_counted_and_evaluation_is_not():
    model, rows = Distillation(network(0), network(1)), batch()
    model.compile("sgd", run_eagerly=True)
    real = int(rows["attention_mask"].sum())
    for _ in range(2):
        model.train_on_batch(rows)
    model.test_on_batch(rows)
    assert model.counts() == {"tokens": 2 * real, "positions": 48, "steps": 2}
    model.train_on_batch({name: rows[name] for name in ("input_ids", "teacher/input_ids", "weights")})
    assert model.counts() == {"tokens": 2 * real + 24, "positions": 72, "steps": 3}  # without a mask all are real


def test_weights_keep_their_precision_and_layers_have_the_policy():
    model = Distillation(network(0, "mixed_bfloat16"), network(1, "mixed_bfloat16"))
    assert model.compute_dtype == model.match.compute_dtype == "bfloat16" and model.match.variable_dtype == "float32"
    losses = model.example_losses(batch(), model(batch()))
    assert losses.dtype == tf.float32 and set(model.seen) == {tf.float32}


def test_the_loss_of_compile():
    class Around(TrainingModel):
        def call(self, batch, training=False):
            return self.inner(batch["input_ids"], training=training)

    plain, rows, labels = network(), batch(), np.arange(6, dtype=np.int32) % 3
    around = Around(network(), "around")
    for model, x in ((plain, rows["input_ids"]), (around, {"input_ids": rows["input_ids"]})):
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        model.logs = model.train_on_batch(x, labels, return_dict=True)
    assert plain.logs == around.logs and set(plain.logs) == {"loss", "accuracy"}
    for one, other in zip(plain.variables, around.inner.variables):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
