"""Keras' own files: frozen parts stay frozen, the optimizer goes on, `.h5` is refused, `export` needs no argument."""

import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.models import cases
from tests.models.golden import flat
from tfplm.training import make_optimizer

LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
LABELS = np.array([0, 1, 1])


def classifier(name="bert", head="sequence_classification"):
    return tfplm.from_config(cases.CASES[name], head)


def frozen(model: keras.Model) -> list[str]:
    trained = {id(variable) for variable in model.trainable_weights}
    return [variable.path for variable in model.weights if id(variable) not in trained]


def whole(model):
    model.trainable = False


def embeddings(model):
    model.embeddings.trainable = False


def first_block(model):
    model.stack.blocks[0].trainable = False


def one_dense(model):
    model.stack.blocks[1].attention.query.trainable = False


def all_but_norms(model):
    model.stack.trainable = False
    for block in model.stack.blocks:
        block.attention_residual.norm.trainable = block.ffn_residual.norm.trainable = True


def one_variable(model):
    model.embeddings.word.embeddings.trainable = False


def thawed_inside(model):
    """The blocks would be trained, but the stack around them is not."""
    model.stack.trainable = False
    model.stack.blocks[1].trainable = True


PARTS = [whole, embeddings, first_block, one_dense, all_but_norms, one_variable, thawed_inside]


@pytest.mark.parametrize("freeze", PARTS)
def test_frozen_parts_survive(tmp_path, freeze):
    model = classifier()
    everything = len(frozen(model))
    freeze(model)
    assert len(frozen(model)) > everything == 0
    model.save(tmp_path / "model.keras")
    for again in (keras.models.load_model(tmp_path / "model.keras"), keras.models.clone_model(model),
                  type(model).from_config(model.get_config())):
        assert frozen(again) == frozen(model) and again.trainable == model.trainable
        again.trainable = False  # the setter of Keras changes nothing if the model has the value already
        again.trainable = True
        assert frozen(again) == []
    for one in (first_block, one_dense):  # the flags below a frozen layer are kept, too
        one(model)
    assert type(model).from_config(model.get_config()).get_config() == model.get_config()


@pytest.mark.parametrize("name", ["share_attention", "share_all", "t5", "sinusoidal", "textcnn"])
def test_frozen_parts_of_other_models(name):
    model = classifier(name, cases.LM[cases.CASES[name].architecture])
    plain = frozen(model)
    assert len(plain) == (name == "sinusoidal")  # its positions are never trained
    model.trainable = False
    model.trainable = True
    assert frozen(model) == plain
    model.embeddings.trainable = False
    stack = model.decoder if model.is_seq2seq else model.stack
    stack.blocks[-1].trainable = False
    again = type(model).from_config(model.get_config())
    assert frozen(again) == frozen(model) != plain


def test_training_goes_on_where_it_stopped(tmp_path):
    model, batch = classifier(), cases.batch("bert")
    model.embeddings.trainable = False
    model.compile(keras.optimizers.AdamW(1e-2), LOSS, run_eagerly=True)
    model.fit(batch, LABELS, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "Skipping variable loading for optimizer"
        again = keras.models.load_model(tmp_path / "model.keras")
    assert int(again.optimizer.iterations) == 2
    for ours, theirs in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    before = np.array(again.embeddings.word.embeddings), np.array(again.head.classifier.kernel)
    again.run_eagerly = True
    again.fit(batch, LABELS, verbose=0)
    np.testing.assert_array_equal(again.embeddings.word.embeddings, before[0])
    assert np.abs(again.head.classifier.kernel - before[1]).max() > 0


def functional(backbone):
    ids = keras.Input((None,), dtype="int32")
    return keras.Model(ids, keras.layers.Dense(2)(backbone(ids)["pooled_output"]))


def sequential(backbone):
    return keras.Sequential([keras.Input((5,), dtype="int32"), backbone, keras.layers.Activation("tanh")])


@pytest.mark.parametrize(("outer", "head"), [(functional, None), (sequential, "sequence_classification")])
def test_inside_of_other_models(tmp_path, outer, head):
    backbone = classifier(head=head)
    first_block(backbone)
    backbone.embeddings.trainable = False
    model, ids = outer(backbone), np.full((2, 5), 3, np.int32)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(ids), model(ids))
    assert len(frozen(again)) == len(frozen(model)) == len(frozen(backbone)) > 10
    cloned = keras.models.clone_model(model)
    assert len(frozen(cloned)) == len(frozen(model))
    with pytest.raises(ValueError, match=r"expected a path NAME\.keras, found .*\.h5: .* HDF5"):
        model.save(tmp_path / "model.h5")
    with pytest.raises(ValueError, match=r"expected a path NAME\.keras, found .*\.h5: .* HDF5"):
        keras.saving.save_model(backbone, tmp_path / "backbone.h5")


def test_h5_is_refused(tmp_path):
    model = classifier()
    for name in ("model.h5", "model.hdf5"):
        message = rf"expected a path NAME\.keras, found .*{name}: .* HDF5. Use model\.save\('NAME\.keras"
        with pytest.raises(ValueError, match=message):
            model.save(tmp_path / name)
    assert not list(tmp_path.iterdir())
    model.compile("sgd", LOSS, run_eagerly=True)
    with pytest.raises(ValueError, match="legacy format HDF5"):
        model.fit(cases.batch("bert"), LABELS, verbose=0,
                  callbacks=[keras.callbacks.ModelCheckpoint(tmp_path / "model.h5")])


def test_weights_alone_may_be_h5(tmp_path):
    model, again = classifier(), classifier()
    model.save_weights(tmp_path / "model.weights.h5")
    again.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(again(cases.batch("bert")), model(cases.batch("bert")))


@pytest.mark.parametrize(("name", "head", "after"), [
    ("bert", "sequence_classification", "fit"),
    pytest.param("bert", None, "predict", marks=pytest.mark.slow),
    pytest.param("t5", "seq2seq_lm", "call", marks=pytest.mark.slow),
    pytest.param("gpt2", "causal_lm", "nothing", marks=pytest.mark.slow),
    pytest.param("roberta", "token_classification", "nothing", marks=pytest.mark.slow),
    pytest.param("bert", "multiple_choice", "nothing", marks=pytest.mark.slow),
    pytest.param("bilstm", "sequence_classification", "nothing", marks=pytest.mark.slow),
    pytest.param("local", "masked_lm", "nothing", marks=pytest.mark.slow),
    pytest.param("modernbert", "masked_lm", "nothing", marks=pytest.mark.slow)])
def test_export_without_arguments(tmp_path, name, head, after):
    model, batch = classifier(name, head), cases.batch(name, head=head)
    if after == "fit":
        model.compile("sgd", LOSS, run_eagerly=True)
        model.fit(batch, LABELS, verbose=0)
    elif after == "predict":
        model.predict(batch, verbose=0)
    elif after == "call":
        model(batch)
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    for rows, length in ((3, 9), (1, 4)):
        part = {key: batch.get(key, 0 * batch["input_ids"])[:rows, ..., :length] for key in model.input_signature()}
        ours, theirs = flat(model(part)), flat(loaded.serve({key: tf.constant(value) for key, value in part.items()}))
        assert set(ours) == set(theirs)
        for key, value in ours.items():
            np.testing.assert_allclose(theirs[key], value, atol=1e-5)
    assert set(loaded.signatures["serving_default"].structured_input_signature[1]) == set(model.input_signature())


@pytest.mark.slow
def test_another_process_knows_the_classes(tmp_path):
    model = classifier()
    model.compile(make_optimizer("adamw", learning_rate=1e-3, schedule="linear", total_steps=9), LOSS, run_eagerly=True)
    model.fit(cases.batch("bert"), LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    program = (f"import keras, tfplm; model = keras.models.load_model({str(tmp_path / 'model.keras')!r}); "
               "print(int(model.optimizer.iterations))")
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "1"
