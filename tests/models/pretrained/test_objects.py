"""Models in checkpoints of `tf.train.Checkpoint`: complete, read without other files, and restored into a new model."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.models import cases
from tfplm.adapt.methods.auxiliary_lm import WithLanguageModel
from tfplm.models.pretrained.objects import DESCRIPTION
from tfplm.models.pretrained.source import open_source
from tfplm.models.pretrained.weights import named_variables
from tfplm.training.loop.run_checkpoint import RunCheckpoint

pytestmark = pytest.mark.usefixtures("eagerly")


def equal(model, other) -> bool:
    ours, theirs = named_variables(model), named_variables(other)
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[path], theirs[path]) for path in ours)


def saved(folder, name="bert", head="sequence_classification", key="model", **fields):
    """A model, and the prefix of its checkpoint."""
    model = tfplm.from_config(cases.CASES[name].replace(**fields), head)
    return model, tf.train.Checkpoint(**{key: model}).save(str(folder / "ckpt"))


@pytest.mark.parametrize("name, head", [
    ("bert", "pretraining"), ("albert", "masked_lm"), ("bart", "seq2seq_lm"),
    *(pytest.param(name, head, marks=pytest.mark.slow) for name, head in (
        ("gpt2", "causal_lm"), ("t5", "seq2seq_lm"), ("bert", "token_classification"), ("modernbert", "masked_lm")))])
def test_a_checkpoint_is_complete_and_describes_itself(name, head, tmp_path):
    model, _ = saved(tmp_path, name, head)
    again = tfplm.from_pretrained(tmp_path, head)
    assert equal(again, model) and not again.loading_report.fresh and not again.loading_report.ignored
    source = open_source(tmp_path)
    assert (source.layout, source.head, source.config) == ("objects", head, model.config)
    other = tfplm.from_config(model.config, head)
    tf.train.Checkpoint(model=other).restore(tf.train.latest_checkpoint(tmp_path)).assert_consumed()
    assert equal(other, model)


def test_seeds_of_dropout_are_restored(tmp_path):
    keras.utils.set_random_seed(1)
    batch = cases.batch("bert")
    model, path = saved(tmp_path, hidden_dropout_prob=0.5)
    expected = [model(batch, training=True).numpy() for _ in range(2)]
    tf.train.Checkpoint(model=model).restore(path)
    found = [model(batch, training=True).numpy() for _ in range(2)]
    np.testing.assert_array_equal(found, expected)
    assert not np.array_equal(*found)


def test_the_model_has_any_place_in_the_checkpoint(tmp_path):
    model = tfplm.from_config(cases.CASES["bert"], "masked_lm")
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)
    tf.train.Checkpoint(a=optimizer, deep=tf.train.Checkpoint(net=model), other=tf.Variable([1.0])).save(
        str(tmp_path / "deep" / "ckpt"))
    assert equal(tfplm.from_pretrained(tmp_path / "deep", "masked_lm"), model)
    tf.train.Checkpoint(model).save(str(tmp_path / "root" / "ckpt"))
    assert equal(tfplm.from_pretrained(tmp_path / "root", "masked_lm"), model)


def test_other_heads_labels_and_sizes(tmp_path, caplog):
    model, prefix = saved(tmp_path, num_hidden_layers=2)
    batch = cases.batch("bert")
    encoder = tfplm.from_pretrained(prefix)
    np.testing.assert_array_equal(encoder(batch)["sequence_output"], model.features(batch)["sequence_output"])
    assert "classifier/kernel" in encoder.loading_report.ignored
    assert tfplm.from_pretrained(prefix, "sequence_classification", num_labels=5)(batch).shape[-1] == 5
    assert "not in the checkpoint, so newly initialized: classifier/" in caplog.text
    assert len(tfplm.from_pretrained(prefix, num_hidden_layers=1).stack.blocks) == 1
    with pytest.raises(ValueError, match="(?s)does not match the model .*wrong shape: embeddings/word/embeddings is "):
        tfplm.from_pretrained(prefix, vocab_size=7)
    tfplm.save_pretrained(tfplm.from_pretrained(prefix, "sequence_classification"), tmp_path / "hf")
    assert equal(tfplm.from_pretrained(tmp_path / "hf", "sequence_classification"), model)


def test_the_latest_of_several_is_read(tmp_path):
    model = tfplm.from_config(cases.CASES["bert"])
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(model=model), tmp_path, max_to_keep=2)
    for value in (1.0, 2.0, 3.0):
        model.embeddings.word.embeddings.assign(keras.ops.full_like(model.embeddings.word.embeddings, value))
        manager.save()
    for source, value in ((tmp_path, 3.0), (tmp_path / "ckpt-2", 2.0)):
        assert (tfplm.from_pretrained(source).embeddings.word.embeddings.numpy() == value).all()


def test_two_models_and_a_newer_description(tmp_path):
    model = tfplm.from_config(cases.CASES["bert"])
    tf.train.Checkpoint(a=model, b=tfplm.from_config(cases.CASES["bert"])).save(str(tmp_path / "two" / "ckpt"))
    with pytest.raises(ValueError, match=r"has 2 models; expected one: save the one that you need"):
        tfplm.from_pretrained(tmp_path / "two")

    class Newer(tf.train.experimental.PythonState):
        def serialize(self):
            return json.dumps({"config": {"newer": 1}, "head": None, "num_labels": 2})

        def deserialize(self, string_value):
            pass

    tf.train.Checkpoint(model=tf.train.Checkpoint(**{DESCRIPTION: Newer()})).save(str(tmp_path / "newer" / "ckpt"))
    with pytest.raises(ValueError, match=f"'{DESCRIPTION}' is not the description of a model .*newer.*from a newer version"):
        tfplm.from_pretrained(tmp_path / "newer")


def test_checkpoints_without_our_names_are_restored_by_their_objects(tmp_path):
    """As they were saved before: by attributes alone."""
    model = tfplm.from_config(cases.CASES["bert"])
    tf.train.Checkpoint(model=tf.train.Checkpoint(embeddings=model.embeddings)).save(str(tmp_path / "ckpt"))
    other = tfplm.from_config(cases.CASES["bert"])
    tf.train.Checkpoint(model=other).restore(tf.train.latest_checkpoint(tmp_path)).expect_partial()
    np.testing.assert_array_equal(other.embeddings.word.embeddings, model.embeddings.word.embeddings)


def test_checkpoints_of_a_training_run_are_read(tmp_path):
    """There the variables are also in a list, and the model may be within the one that is trained."""
    model = tfplm.from_config(cases.CASES["gpt2"], "sequence_classification")
    trained = WithLanguageModel(model, 0.5)
    trained.compile(keras.optimizers.Adam(), "mse")
    trained.optimizer.build(trained.trainable_variables)
    RunCheckpoint(trained, str(tmp_path), 1).save({})
    assert equal(tfplm.from_pretrained(tmp_path, "sequence_classification"), model)
