"""Objectives: each learns; losses equal sums computed by hand; tokens attend only to those that they may."""

import numpy as np
import pytest
import tensorflow as tf

from tests.pretrain.pretraining_cases import (
    ALL,
    CLS,
    MASK,
    SEP,
    SIZE,
    VOCABULARY,
    config_of,
    first_batch,
    make,
)
from tfplm.data.noise import POLICIES, mask_segment
from tfplm.pretrain.losses import binary_scores, class_scores, mean_weights
from tfplm.pretrain.objectives.catalogue import parse_objective
from tfplm.pretrain.objectives.objective import Setting
from tfplm.pretrain.objectives.replaced_tokens import generator_config, put_at
from tfplm.pretrain.objectives.task import make_tasks
from tfplm.pretrain.objectives.unilm import combined_mask

QUICK = {"mlm+nsp", "rtd+sop", "span-boundary", "span-corruption", "clm", "unilm"}  # one of each kind


def total(model, batch) -> float:
    return float(model.compute_loss(y_pred=model(batch)))


@pytest.mark.parametrize("objective", [
    objective if objective in QUICK else pytest.param(objective, marks=pytest.mark.slow) for objective in ALL])
def test_every_objective_learns(objective):
    model = make(objective)
    batch = first_batch(model)
    tensors = {key: tf.constant(value) for key, value in batch.items()}
    before = total(model, tensors)
    for _ in range(8):
        logs = model.train_on_batch(batch, return_dict=True)
    after = total(model, tensors)
    assert after < 0.97 * before
    names = {part.name for part in model.parts}
    assert {f"{name}_loss" for name in names} | {f"{name}_accuracy" for name in names} <= set(logs)
    assert int(model.tokens) == 8 * batch["attention_mask"].sum() and int(model.steps) == 8
    assert int(model.positions) == 8 * batch["attention_mask"].size


# ---- losses by hand


def softmax_loss(logits, label):
    return float(np.log(np.exp(logits).sum()) - logits[label])


def test_class_scores_by_hand():
    logits = np.array([[[1.0, 0.0, -1.0], [0.0, 2.0, 0.0]], [[0.5, 0.5, 3.0], [9.0, 9.0, 9.0]]], np.float32)
    labels, real = np.array([[0, 2], [2, 0]], np.int32), np.array([[1, 1], [1, 0]], np.int32)
    scores = class_scores(tf.constant(logits), tf.constant(labels), tf.constant(mean_weights(real)))
    losses = [softmax_loss(logits[0, 0], 0), softmax_loss(logits[0, 1], 2), softmax_loss(logits[1, 0], 2)]
    assert float(tf.reduce_mean(scores.losses)) == pytest.approx(np.mean(losses), rel=1e-6)
    assert float(scores.total) == pytest.approx(sum(losses), rel=1e-6)
    assert (float(scores.correct), float(scores.count)) == (2, 3)


def test_binary_scores_by_hand():
    logits, labels = np.array([[2.0, -1.0, 5.0]], np.float32), np.array([[1, 1, 0]], np.int32)
    scores = binary_scores(tf.constant(logits), tf.constant(labels), tf.constant(mean_weights(np.array([[1, 1, 0]]))))
    wanted = (np.log1p(np.exp(-2.0)) + np.log1p(np.exp(1.0))) / 2
    assert float(tf.reduce_mean(scores.losses)) == pytest.approx(wanted, rel=1e-6)
    assert (float(scores.correct), float(scores.count), float(scores.ones)) == (1, 2, 2)


def test_masked_lm_loss_is_that_of_the_whole_projection():
    """Projecting only the masked positions, or all and then selecting them, gives the same loss."""
    model = make("mlm")
    batch = first_batch(model)
    plain = {key: batch[key] for key in ("input_ids", "attention_mask", "token_type_ids")}
    everywhere = np.asarray(model.inner(plain))
    real = np.argwhere(batch["masked_lm_weights"] > 0)
    losses = [softmax_loss(everywhere[i, batch["masked_lm_positions"][i, j]], batch["masked_lm_ids"][i, j])
              for i, j in real]
    assert everywhere.shape == (8, 32, SIZE)
    logits, _, _ = model.tasks[0].predict(model.inner, batch, False)["mlm"]
    assert logits.shape == (8, batch["masked_lm_positions"].shape[1], SIZE)
    assert total(model, batch) == pytest.approx(np.mean(losses), rel=1e-5)


def test_weights_of_a_sum():
    model = make("mlm:2+nsp:0.25")
    batch = first_batch(model)
    columns = np.asarray(model(batch)["losses"]).mean(0)
    assert [part.name for part in model.parts] == ["mlm", "nsp"]
    assert total(model, batch) == pytest.approx(2 * columns[0] + 0.25 * columns[1], rel=1e-5)


def test_replicas_with_unequal_predictions_add_up():
    """Each replica's mean divided by the number of replicas, as gradients are summed, is the mean over all predictions.
    """
    model = make("mlm")
    batch = first_batch(model)
    batch["masked_lm_weights"] = mean_weights(np.arange(8)[:, None] + np.arange(batch["masked_lm_ids"].shape[1]) < 7)
    halves = [{key: value[part] for key, value in batch.items()} for part in (slice(0, 4), slice(4, 8))]
    assert (halves[0]["masked_lm_weights"] > 0).sum() != (halves[1]["masked_lm_weights"] > 0).sum()
    assert sum(total(model, half) / 2 for half in halves) == pytest.approx(total(model, batch), rel=1e-5)


# ---- attention


def test_encoder_as_language_model_does_not_attend_to_the_future():
    model = make("mlm,clm,clm-reverse")
    ids = np.random.default_rng(0).integers(5, 45, (2, 10)).astype("int32")
    changed = ids.copy()
    changed[:, 6] = 7
    for task, same in ((1, slice(0, 6)), (2, slice(7, 10)), (0, slice(0, 0))):
        def logits(x, task=task):
            batch = {"input_ids": tf.constant(x), "attention_mask": tf.ones_like(x), "labels": x, "label_weights": x,
                     "masked_lm_ids": x, "masked_lm_weights": x}
            (value,) = model.tasks[task].predict(model.inner, batch, False).values()
            return np.asarray(value[0])

        difference = np.abs(logits(ids) - logits(changed)).max((0, 2))
        assert (difference[same] < 1e-6).all() and difference.max() > 1e-4
        if task == 0:
            assert (difference > 1e-7).all()


def test_unilm_masks():
    mask = np.asarray(combined_mask(tf.constant([[1, 1, 1, 0]] * 4), tf.constant([3, 0, 0, 2]), tf.constant(range(4))))
    assert POLICIES == ("bidirectional", "left_to_right", "right_to_left", "seq2seq")
    np.testing.assert_array_equal(mask[0][:3], [[1, 1, 1, 0]] * 3)
    np.testing.assert_array_equal(mask[1][:3], [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]])
    np.testing.assert_array_equal(mask[2][:3], [[1, 1, 1, 0], [0, 1, 1, 0], [0, 0, 1, 0]])
    np.testing.assert_array_equal(mask[3][:3], [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0]])


def test_span_boundary_uses_only_the_neighbors():
    model = make("span-boundary")
    batch = {key: tf.constant(value) for key, value in first_batch(model).items()}
    starts, ends, positions = (np.asarray(batch[key]) for key in ("span_starts", "span_ends", "masked_lm_positions"))
    real = np.asarray(batch["masked_lm_weights"]) > 0
    assert ((starts < positions) & (positions < ends))[real].all()
    x = np.random.default_rng(0).normal(size=(8, 32, 16)).astype("float32")
    head = model.tasks[0].objectives[0].layers[0]
    before = np.asarray(head(x, positions, starts, ends))
    x[0, positions[0, 0]] += 1.0  # the position itself
    assert positions[0, 0] not in (set(starts[0][real[0]]) | set(ends[0][real[0]]))
    np.testing.assert_allclose(np.asarray(head(x, positions, starts, ends)), before, atol=1e-6)
    x[0, starts[0, 0]] += 1.0
    assert np.abs(np.asarray(head(x, positions, starts, ends))[0, 0] - before[0, 0]).max() > 1e-4


def test_mass_decoder_has_the_positions_of_the_text():
    model = make("mass")
    objective = model.tasks[0].objectives[0]
    raw = {"input_ids": np.array([[CLS, *range(10, 18), SEP]], np.int32), "attention_mask": np.ones((1, 10), np.int32),
           "token_type_ids": np.zeros((1, 10), np.int32)}
    noisy = objective.noise(raw, np.random.default_rng(3))
    compact = mask_segment(raw, np.random.default_rng(3), VOCABULARY)
    positions = compact["decoder_position_ids"][0]
    np.testing.assert_array_equal(np.flatnonzero(noisy["decoder_attention_mask"][0]), positions)
    np.testing.assert_array_equal(noisy["decoder_input_ids"][0][positions], compact["decoder_input_ids"][0])
    np.testing.assert_array_equal(raw["input_ids"][0][positions], noisy["labels"][0])
    assert set(np.delete(noisy["decoder_input_ids"][0], positions)) == {MASK}
    batch = {key: tf.constant(value) for key, value in noisy.items()}
    logits = np.asarray(model.tasks[0].predict(model.inner, batch, False)["mass"][0])
    elsewhere = np.where(noisy["decoder_attention_mask"] == 1, noisy["decoder_input_ids"], 20).astype(np.int32)
    again = model.tasks[0].predict(model.inner, {**batch, "decoder_input_ids": tf.constant(elsewhere)}, False)
    np.testing.assert_allclose(np.asarray(again["mass"][0]), logits, atol=1e-6)


# ---- replaced tokens


def test_put_at():
    ids = tf.constant([[1, 2, 3, 4], [5, 6, 7, 8]])
    positions, weights = tf.constant([[1, 3, 0], [0, 0, 0]]), tf.constant([[1.0, 0.5, 0.0], [2.0, 0.0, 0.0]])
    values = tf.constant([[20, 40, 99], [50, 99, 99]])
    np.testing.assert_array_equal(put_at(ids, positions, values, weights), [[1, 20, 3, 40], [50, 6, 7, 8]])


def test_replaced_token_detection():
    model = make("rtd")
    batch = {key: tf.constant(value) for key, value in first_batch(model).items()}
    objective = model.tasks[0].objectives[0]
    assert objective.generator.embeddings.word is model.inner.embeddings.word
    assert objective.generator.embeddings.position is model.inner.embeddings.position
    assert len(model.trainable_variables) == len({id(variable) for variable in model.trainable_variables})
    with tf.GradientTape(persistent=True) as tape:
        predictions = model.tasks[0].predict(model.inner, batch, False)
        found = binary_scores(*predictions["rtd"])
        loss = tf.reduce_mean(found.losses)
    own = list(objective.generator.stack.trainable_variables)
    assert all(gradient is None for gradient in tape.gradient(loss, [variable.value for variable in own]))
    labels = np.asarray(predictions["rtd"][1])
    masked = np.zeros_like(labels)
    real = np.asarray(batch["masked_lm_weights"]) > 0
    masked[np.nonzero(real)[0], np.asarray(batch["masked_lm_positions"])[real]] = 1
    assert labels.sum() > 0 and (labels <= masked).all()  # only masked positions can be replaced
    special = np.isin(np.asarray(batch["input_ids"]), [0, CLS, SEP])
    assert (np.asarray(batch["rtd_weights"])[special] == 0).all()
    columns = np.asarray(model(batch)["losses"]).mean(0)
    assert total(model, batch) == pytest.approx(columns[0] + 50 * columns[1], rel=1e-5)


def test_tokens_that_the_generator_predicts_correctly_are_original():
    model = make("rtd")
    batch = {key: tf.constant(value) for key, value in first_batch(model).items()}
    objective = model.tasks[0].objectives[0]
    objective.sample = lambda logits, training: batch["masked_lm_ids"]
    assert not np.asarray(model.tasks[0].predict(model.inner, batch, False)["rtd"][1]).any()


def test_samples_follow_the_generator():
    objective = make("rtd").tasks[0].objectives[0]
    logits = tf.tile(tf.math.log(tf.constant([[[0.5, 0.3, 0.2]]])), [1, 20000, 1])
    sampled = np.bincount(np.asarray(objective.sample(logits, True)).ravel(), minlength=3) / 20000
    np.testing.assert_allclose(sampled, [0.5, 0.3, 0.2], atol=0.02)
    fixed = [np.asarray(objective.sample(logits, False)) for _ in range(2)]
    np.testing.assert_array_equal(*fixed)
    assert (np.asarray(objective.sample(logits, True)) != np.asarray(objective.sample(logits, True))).any()


def test_generator_size():
    config = generator_config(config_of("rtd", hidden_size=256, num_attention_heads=4, intermediate_size=1024), 0.25)
    assert (config.hidden_size, config.num_attention_heads, config.intermediate_size) == (64, 1, 256)
    assert config.num_hidden_layers == 2 and config.word_embedding_size == 256


# ---- errors


@pytest.mark.parametrize("objective, architecture, message", [
    ("mlm", "denoising", "objective mlm trains an encoder, but bart is an encoder-decoder: use another --preset"),
    ("denoising", "mlm", "objective denoising trains an encoder-decoder, but bert is an encoder"),
    ("rtd", "mlm", "model_type is bert, but rtd trains ELECTRA's discriminator: use a preset of electra"),
    ("clm-reverse", "clm", "attention_type is causal, but clm-reverse needs causal_reverse .*: add --attention-type"),
])
def test_wrong_architecture(objective, architecture, message):
    with pytest.raises(ValueError, match=message):
        make_tasks(parse_objective(objective), Setting(config_of(architecture), VOCABULARY))


def test_missing_special_tokens():
    import dataclasses

    setting = Setting(config_of("mlm"), dataclasses.replace(VOCABULARY, mask=-1))
    with pytest.raises(ValueError, match="needs the special token\\(s\\) mask"):
        make_tasks(parse_objective("mlm"), setting)


def test_shared_objectives_are_one():
    model = make("mlm,mlm+nsp")
    assert model.tasks[0].objectives[0] is model.tasks[1].objectives[0]
    assert [part.name for part in model.parts] == ["mlm", "nsp"]


def test_weights_of_losses_are_not_rounded():
    """The layers compute in bfloat16, but the mean over the predictions is computed in float32."""
    model = make("mlm", dtype="mixed_bfloat16")
    batch = {key: tf.constant(value) for key, value in first_batch(model).items()}
    seen = []
    predict = model.tasks[0].predict
    model.tasks[0].predict = lambda backbone, x, training: seen.append(x) or predict(backbone, x, training)
    assert model(batch)["losses"].dtype == tf.float32 and np.isfinite(total(model, batch))
    assert seen[0]["masked_lm_weights"].dtype == tf.float32
