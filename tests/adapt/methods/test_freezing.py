"""Freezing: only the variables that are trained change."""

import keras
import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import TINY, save_bert, train
from tfplm.adapt.finetune.inference import Inference
from tfplm.adapt.methods.freezing import GradualUnfreezing, parse_amount, set_trained
from tfplm.adapt.methods.frozen_features import FrozenFeatures, collate_states
from tfplm.models.pretrained.weights import named_variables
from tfplm.training.optimizers.make import make_optimizer


def model_of(preset: str = "bert-tiny", head: str = "sequence_classification", **changes):
    keras.utils.set_random_seed(0)
    return tfplm.from_config(preset, head, **{**TINY, "num_hidden_layers": 3, "vocab_size": 50, **changes})


def trained_parts(model) -> set[str]:
    """The trainable parts of the model: `encoder/block_2`, `pooler`, ..."""
    return {"/".join(path.split("/")[:2]) if path.startswith(("encoder/block", "decoder/block")) else path.split("/")[0]
            for path, variable in named_variables(model).items() if variable.trainable}


ALL = {"embeddings", "encoder/block_0", "encoder/block_1", "encoder/block_2", "pooler", "classifier"}


@pytest.mark.parametrize("amount, expected", [
    ("all", ALL), ("head", {"pooler", "classifier"}), ("features", {"pooler", "classifier"}),
    ("last:0", {"pooler", "classifier"}), ("last:1", {"encoder/block_2", "pooler", "classifier"}),
    ("last:3", ALL - {"embeddings"}), ("last:4", ALL)])
def test_amounts(amount, expected):
    model = model_of()
    set_trained(model, amount)
    assert trained_parts(model) == expected
    set_trained(model, "all")
    assert trained_parts(model) == ALL


@pytest.mark.parametrize("preset, changes, expected", [
    ("gpt2", {"intermediate_size": None}, {"encoder/block_2", "encoder", "decoder/block_2", "decoder", "classifier"}),
    ("textcnn", {"hidden_size": 36}, {"encoder/block_2", "classifier"}),
    ("bilstm", {}, {"encoder/block_2", "classifier"}),
    ("t5-small", {"head_dim": 16}, {"encoder/block_2", "decoder/block_2", "encoder", "decoder"}),
    ("distilbert-base-uncased", {}, {"encoder/block_2", "classifier"})])
def test_amounts_in_other_families(preset, changes, expected):
    head = "seq2seq_lm" if preset == "t5-small" else "sequence_classification"
    model = model_of(preset, head, **changes)
    set_trained(model, "last:1")
    parts = {part.replace("classifier_dense", "classifier") for part in trained_parts(model)}
    assert parts <= expected | {"lm_decoder"} and parts >= {part for part in expected if "classifier" in part}
    assert "embeddings" not in parts and any("block_2" in part for part in parts)
    assert not any("block_0" in part or "block_1" in part for part in parts)


@pytest.mark.parametrize("amount", ["last", "last:", "last:-1", "none", "1"])
def test_wrong_amounts(amount):
    with pytest.raises(ValueError, match=r"expected all, head, features, or last:N for the N top layers"):
        parse_amount(amount)


def test_shared_layers_cannot_be_frozen_one_by_one():
    model = model_of("albert-base-v2", embedding_size=16)
    set_trained(model, "head")
    with pytest.raises(ValueError, match=r"the layers of this model share their weights \(share='all'\)"):
        set_trained(model, "last:1")


def batches(count: int = 4):
    rng = np.random.RandomState(0)
    for _ in range(count):
        ids = rng.randint(0, 50, (4, 6)).astype("int32")
        yield {"input_ids": ids, "attention_mask": np.ones_like(ids)}, (ids.sum(1) % 2).astype("int32")


def changes(model, before: dict) -> set[str]:
    return {path for path, variable in named_variables(model).items() if not np.array_equal(variable.numpy(), before[path])}


def compiled(model, eager: bool = True, **options):
    model.compile(make_optimizer("adamw", learning_rate=0.01, total_steps=100, schedule="constant", warmup_ratio=0.0,
                                 **options), keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=eager)
    model.optimizer.build(model.trainable_variables)
    return model


class Record(keras.callbacks.Callback):
    """Records the trainable parts of each epoch, and the parts that changed."""

    def __init__(self):
        super().__init__()
        self.trained, self.changed = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.trained.append(trained_parts(self.model))
        self._before = {path: variable.numpy() for path, variable in named_variables(self.model).items()}

    def on_epoch_end(self, epoch, logs=None):
        self.changed.append({path.split("/")[0] if "block" not in path else "/".join(path.split("/")[:2])
                             for path in changes(self.model, self._before)})


@pytest.mark.parametrize("every, first", [(1, 3), (2, 1), (2, 3), pytest.param(1, 0, marks=pytest.mark.slow)])
def test_gradual_unfreezing(every, first):
    model, record = compiled(model_of(), eager=every > 1), Record()  # a graph has to be traced again
    data = next(iter(batches(1)))
    model.fit(*data, epochs=5, initial_epoch=first, verbose=0, callbacks=[GradualUnfreezing(every), record])
    head = {"pooler", "classifier"}
    tops = [head, head | {"encoder/block_2"}, head | {"encoder/block_1", "encoder/block_2"}, ALL - {"embeddings"}, ALL]
    expected = [tops[min(epoch // every, 4)] for epoch in range(first, 5)]
    assert record.trained == expected and record.changed == expected
    assert trained_parts(model) == ALL


def test_layer_rates_decrease_from_the_head_to_the_embeddings():
    model = compiled(model_of(), layer_decay=0.5, weight_decay=0.0, optimizer="sgd", clip_norm=0.0)
    other = compiled(model_of(), weight_decay=0.0, optimizer="sgd", clip_norm=0.0)
    before = {path: variable.numpy() for path, variable in named_variables(model).items()}
    (x, y), = batches(1)
    for each in (model, other):
        each.fit(x, y, verbose=0)
    for path, power in (("classifier/kernel", 0), ("encoder/block_2/ffn/up/kernel", 1), ("encoder/block_0/ffn/up/kernel", 3),
                        ("embeddings/word/embeddings", 4)):
        own, plain = (np.abs(named_variables(each)[path].numpy() - before[path]).max() for each in (model, other))
        assert own / plain == pytest.approx(0.5 ** power, rel=0.05), path


@pytest.mark.parametrize("head, changes", [
    ("sequence_classification", {}), ("token_classification", {}),
    pytest.param("question_answering", {}, marks=pytest.mark.slow),
    pytest.param("sequence_classification", {"classifier_pooling": "last"}, marks=pytest.mark.slow)])
def test_outputs_from_frozen_features_equal_those_of_the_model(head, changes):
    model = model_of(head=head, **changes)
    frozen = FrozenFeatures(model)
    features = [{"input_ids": np.arange(3, 3 + length, dtype=np.int32)} for length in (5, 9, 2)]
    expected = Inference(model)(features, per_token=head != "sequence_classification")
    frozen.remember(features)
    found = Inference(frozen, collate=collate_states(frozen))(features, per_token=head != "sequence_classification")
    for one, other in zip(keras.tree.flatten(found), keras.tree.flatten(expected)):
        np.testing.assert_allclose(one, other, atol=1e-5)
    if frozen._first_only:
        assert all(state.shape == (1, 32) for state in frozen._states)


@pytest.mark.parametrize("preset, head", [("textcnn", "sequence_classification"), ("bilstm", "token_classification"),
                                          ("bart-base", "seq2seq_lm"), ("bert-tiny", "multiple_choice")])
def test_models_without_frozen_features(preset, head):
    model = model_of(preset, head, **({"hidden_size": 36, "num_attention_heads": 1} if preset == "textcnn" else {}))
    with pytest.raises(ValueError, match=rf"--train features was given for \w+ with the head {head}; expected an"):
        FrozenFeatures(model)


@pytest.mark.slow
def test_training_on_features_equals_training_the_head(tiny, classifier, tmp_path):
    results = [train(tiny, tmp_path / amount, data=str(classifier.data), train=amount) for amount in ("head", "features")]
    start = named_variables(tfplm.from_pretrained(tiny, None))
    for path, variable in named_variables(results[0].model).items():
        other = named_variables(results[1].model)[path].numpy()
        np.testing.assert_allclose(other, variable.numpy(), atol=2e-4, err_msg=path)
        if path.startswith(("embeddings", "encoder")):
            np.testing.assert_array_equal(other, start[path].numpy())
        else:
            assert path.startswith(("pooler", "classifier"))
    assert results[0].dev["loss"] == pytest.approx(results[1].dev["loss"], abs=1e-3)
    assert results[1].feature_seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize("task", ["tagging", "question-answering"])
def test_features_of_tokens(task, tiny, tagger, answerer, tmp_path):
    data, options = (tagger.data, {"crf": True, "max_length": 8, "stride": 2}) if task == "tagging" else \
        (answerer.data, {"max_length": 64})
    result = train(tiny, tmp_path / "model", task=task, data=str(data), train="features", learning_rate=1e-2, **options)
    assert result.history["loss"][-1] < result.history["loss"][0]


@pytest.mark.slow
def test_gradual_unfreezing_of_a_fine_tuning(classifier, tmp_path):
    source = save_bert(tmp_path / "source", num_hidden_layers=2)
    result = train(source, tmp_path / "model", data=str(classifier.data), unfreeze_every=1, epochs=3)
    assert result.history["loss"][-1] < result.history["loss"][0]
    albert = save_bert(tmp_path / "albert", "bert-tiny", share="all", num_hidden_layers=2)
    with pytest.raises(ValueError, match="share their weights"):
        train(albert, tmp_path / "other", data=str(classifier.data), unfreeze_every=1)
