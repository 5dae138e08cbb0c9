"""The contract of all families and fields: shapes, dtypes, names, gradients, padding, precision, graph and XLA."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.models import cases
from tests.models.golden import flat
from tfplm.families import registry
from tfplm.models.pretrained.weights import named_variables

LM = {name: cases.LM[config.architecture] for name, config in cases.CASES.items()}
WITH_HEADS = [(name, head) for name in cases.FAMILIES for head in cases.heads_of(name)]


def test_cases():
    assert set(cases.FAMILIES) == set(registry.families()) and len(cases.FAMILIES) >= 15
    assert len(cases.CASES) >= 15 + 34 and len(WITH_HEADS) >= 81


@pytest.mark.parametrize("name", cases.CASES)
def test_headless(name):
    config, batch = cases.CASES[name], cases.batch(name)
    attends = config.architecture not in cases.BASELINES
    outputs = cases.model(name)(batch, output_hidden_states=True, output_attentions=attends)
    decoder = config.decoder() if config.architecture == "seq2seq" else config
    rows, length = batch.get("decoder_input_ids", batch["input_ids"]).shape
    assert outputs["sequence_output"].shape == (rows, length, 12)
    inner = config.inner_group_num
    assert len(outputs["hidden_states"]) == decoder.num_hidden_layers * inner + 1
    np.testing.assert_array_equal(outputs["hidden_states"][-1], outputs["sequence_output"])
    assert ("pooled_output" in outputs) == (config.pooler or not attends)
    if config.architecture == "seq2seq":
        assert outputs["encoder_output"].shape == (3, 9, 12)
        assert outputs["cross_attentions"][0].shape == (3, decoder.num_attention_heads, length, 9)
        assert len(outputs["encoder_hidden_states"]) == config.num_hidden_layers + 1
    assert all(array.dtype == np.float32 for array in flat(outputs).values())
    if not attends:
        assert outputs["pooled_output"].shape == (rows, 12)
        with pytest.raises(ValueError, match=f"a {config.model_type} model has no attention"):
            cases.model(name)(batch, output_attentions=True)
        return
    assert len(outputs["attentions"]) == decoder.num_hidden_layers * inner
    assert outputs["attentions"][0].shape == (rows, decoder.num_attention_heads, length, length)
    sums = np.sum(outputs["attentions"][0], axis=-1)
    np.testing.assert_allclose(sums, 1, atol=1e-5)


WITH_EACH_HEAD = ("bert", "bart", "bilstm", "distilbert", "electra", "gpt2", "modernbert", "roberta", "textcnn")


@pytest.mark.parametrize(("name", "head"), [
    (name, head) if name in WITH_EACH_HEAD else pytest.param(name, head, marks=pytest.mark.slow)
    for name, head in WITH_HEADS])
def test_head_shapes(name, head):
    batch = cases.batch(name, head=head)
    rows, length = batch.get("decoder_input_ids", batch["input_ids"]).shape[:2]
    labels = {"num_labels": 5} if head in ("sequence_classification", "token_classification") else {}
    outputs = flat(cases.model(name, head, **labels)(batch))
    tokens = (rows, length, cases.VOCABULARY)
    expected = {
        "pretraining": {"masked_lm": tokens, "next_sentence": (rows, 2)},
        "replaced_token_detection": {"logits": (rows, length)}, "sequence_classification": {"logits": (rows, 5)},
        "token_classification": {"logits": (rows, length, 5)}, "multiple_choice": {"logits": (rows, 2)},
        "question_answering": {"start": (rows, length), "end": (rows, length)},
    }.get(head, {"logits": tokens})
    assert {key: array.shape for key, array in outputs.items()} == expected
    assert all(array.dtype == np.float32 and np.isfinite(array).all() for array in outputs.values())


@pytest.mark.parametrize("name", cases.sweep())
def test_names_are_unique_and_structural(name):
    model = cases.model(name, LM[name])
    named = named_variables(model)
    assert len(named) == len({id(v) for v in model.weights}) == len(model.weights)
    assert all("//" not in path and not path.startswith("/") for path in named)
    assert [v.path for v in named.values()] == [f"{model.name}/{path}" for path in named]
    again = tfplm.from_config(cases.CASES[name], LM[name])
    assert list(named_variables(again)) == list(named)


@pytest.mark.parametrize("name", cases.sweep())
def test_gradients_reach_every_variable(name):
    model, batch = cases.model(name, LM[name]), cases.batch(name)
    batch.pop("attention_mask")
    length = cases.CASES[name].max_position_embeddings - 2
    for key, ids in batch.items():  # every row of the small tables is needed only once
        batch[key] = np.resize(ids, (3, length))
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(batch, training=False)))
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients):
        assert gradient is not None, variable.path
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0, variable.path
    assert len(model.non_trainable_variables) == sum("seed" in v.path or ("sinusoid" in name and "position" in v.path)
                                                     for v in model.non_trainable_variables)


@pytest.mark.parametrize("name", cases.sweep(["bart", "bert", "bilstm", "gpt2", "modernbert", "t5", "textcnn", "groups",
                                              "prefix", "sparse"]))
def test_eager_and_graph_agree(name):
    check_compiled(name, jit=False)


@pytest.mark.parametrize("name", cases.sweep(["bert", "gpt2", "t5"], cases.QUICK))
def test_eager_and_xla_agree(name):
    check_compiled(name, jit=True)


def check_compiled(name, jit):
    model, batch = cases.model(name, LM[name]), cases.batch(name)
    compiled = tf.function(lambda b: model(b, training=False), jit_compile=jit)
    np.testing.assert_allclose(compiled(batch), model(batch), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", cases.sweep())
def test_padding_and_other_rows_do_not_change_outputs(name):
    model, batch = cases.model(name, LM[name]), cases.batch(name)
    together = model(batch)
    target = "decoder_" if "decoder_input_ids" in batch else ""
    for row in (0, 2):
        alone = {key: value[row:row + 1] for key, value in batch.items()}
        for side in {"", target}:
            real = int(alone[f"{side}attention_mask"].sum())
            for key in alone:
                if key.startswith("decoder_") == (side == "decoder_"):
                    alone[key] = alone[key][:, :real]
        length = alone[f"{target}input_ids"].shape[1]
        np.testing.assert_allclose(model(alone)[0], together[row, :length], atol=5e-6, rtol=1e-5)
        for key in ("attention_mask", "decoder_attention_mask"):  # without a mask all tokens are real
            alone.pop(key, None)
        np.testing.assert_allclose(model(alone)[0], together[row, :length], atol=5e-6, rtol=1e-5)


HALF = [(name, "bfloat16") for name in cases.FAMILIES]
HALF += [(name, policy) for name in ("bert", "gpt2", "bart", "t5") for policy in ("mixed_bfloat16", "mixed_float16")]
QUICK_HALF = [(name, "bfloat16") for name in ("bart", "bert", "bilstm", "gpt2", "modernbert", "t5", "textcnn")]
QUICK_HALF += [("bert", "mixed_bfloat16"), ("bert", "mixed_float16")]


@pytest.mark.parametrize(("name", "policy"), [
    case if case in QUICK_HALF else pytest.param(*case, marks=pytest.mark.slow) for case in HALF])
def test_half_precision(name, policy):
    exact, batch = cases.model(name, LM[name]), cases.batch(name)
    model = tfplm.from_config(cases.CASES[name], LM[name], dtype=policy)
    for path, variable in named_variables(model).items():
        variable.assign(named_variables(exact)[path])
    assert {v.dtype for v in model.trainable_variables} == {"bfloat16" if policy == "bfloat16" else "float32"}
    logits = model(batch)
    assert logits.dtype == np.float32 and keras.config.dtype_policy().name == "float32"
    expected = exact(batch).numpy()
    error = np.abs(logits - expected)[batch.get("decoder_attention_mask", batch["attention_mask"]) == 1]
    assert 0 < error.mean() < (0.004 if policy == "mixed_float16" else 0.03) * np.abs(expected).max()


@pytest.mark.parametrize("name", cases.sweep(["bart", "bert", "bilstm", "gpt2", "modernbert", "t5", "textcnn", "layerdrop"],
                                             cases.FAMILIES))
def test_dropout_only_in_training(name):
    model, batch = cases.model(name, LM[name]), cases.batch(name)
    if cases.CASES[name].hidden_dropout_prob == 0:
        model = tfplm.from_config(cases.CASES[name].replace(hidden_dropout_prob=0.1), LM[name])
    np.testing.assert_array_equal(model(batch), model(batch))
    assert np.abs(model(batch, training=True) - model(batch, training=True)).max() > 1e-3


def test_layerdrop_skips_layers():
    config = cases.CASES["bert"].replace(layerdrop=0.5, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    keras.utils.set_random_seed(1)
    model, batch = tfplm.from_config(config), cases.batch("bert")
    lengths = {len(np.unique([float(tf.reduce_sum(x)) for x in
                              model(batch, training=True, output_hidden_states=True)["hidden_states"]]))
               for _ in range(15)}
    assert lengths == {1, 2, 3}  # of two layers none, one or both were applied


def test_dropout_is_sampled_again_in_every_call_of_a_graph():
    model, batch = cases.model("bert"), cases.batch("bert")
    run = tf.function(lambda: model(batch, training=True)["sequence_output"])
    assert np.abs(run() - run()).max() > 1e-3


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
def test_summary(name):
    lines = []
    cases.model(name, LM[name]).summary(print_fn=lambda line, **_: lines.append(line), expand_nested=True)
    assert f"{tfplm.count_parameters(cases.model(name, LM[name])):,}" in "\n".join(lines)


def test_masked_lm_at_positions():
    batch = cases.batch("bert")
    positions = np.array([[1, 2], [0, 4], [3, 3]], np.int32)
    logits = cases.model("bert", "masked_lm")(batch)
    chosen = cases.model("bert", "masked_lm")({**batch, "masked_lm_positions": positions})
    np.testing.assert_allclose(chosen, np.take_along_axis(logits.numpy(), positions[:, :, None], 1), atol=1e-6)
    both = cases.model("bert", "pretraining")({**batch, "masked_lm_positions": positions})
    assert both["masked_lm"].shape == (3, 2, cases.VOCABULARY)


def test_ids_alone_and_position_ids():
    model, batch = cases.model("bert"), cases.batch("bert", padded=False)
    ids = batch["input_ids"]
    expected = model({"input_ids": ids})["sequence_output"]
    np.testing.assert_array_equal(model(ids)["sequence_output"], expected)
    places = np.tile(np.arange(9, dtype=np.int32), (3, 1))
    np.testing.assert_allclose(model({"input_ids": ids, "position_ids": places})["sequence_output"], expected, atol=1e-6)
    moved = model({"input_ids": ids, "position_ids": places[:, ::-1]})["sequence_output"]
    assert np.abs(moved - expected).max() > 1e-2


@pytest.mark.parametrize("name", ["rotary", "rotary_decoder", "local", "rotary_seq2seq"])
def test_rotary_positions_do_not_depend_on_the_side_of_padding(name):
    """Only distances count, both with indices as positions and with given positions of the real tokens."""
    model, batch = cases.model(name), cases.batch(name)
    key = "encoder_output" if model.is_seq2seq else "sequence_output"
    real = batch["attention_mask"] == 1
    expected = np.asarray(model(batch)[key])[real]
    rolled = {name: array if name.startswith("decoder") else np.stack([np.roll(row, shift) for row, shift in
                                                                       zip(array, (~real).sum(1))])
              for name, array in batch.items()}
    places = np.maximum(np.cumsum(rolled["attention_mask"], axis=1) - 1, 0).astype(np.int32)
    for more in ({}, {"position_ids": places}, {"position_ids": places + 5}):
        outputs = np.asarray(model({**rolled, **more})[key])
        np.testing.assert_allclose(outputs[rolled["attention_mask"] == 1], expected, atol=2e-5)
    moved = np.asarray(model({**rolled, "position_ids": 2 * places})[key])[rolled["attention_mask"] == 1]
    assert np.abs(moved - expected).max() > 1e-3


def test_heads_without_bias_and_with_a_common_layer():
    """The names of the transform common to all heads; the mean of the real tokens."""
    paths = {head: {path for path in named_variables(cases.model("head_transform", head)) if not path.startswith(
        ("embeddings", "encoder"))} for head in ("masked_lm", "sequence_classification", "question_answering")}
    transform = {"head_dense/kernel", "head_norm/gamma", "head_norm/beta"}
    assert paths == {"masked_lm": transform | {"lm_bias"}, "question_answering": transform | {"qa/kernel", "qa/bias"},
                     "sequence_classification": transform | {"classifier/kernel", "classifier/bias"}}
    model, batch = cases.model("head_transform", "sequence_classification"), cases.batch("head_transform")
    states = np.asarray(model(batch, output_hidden_states=True)["sequence_output"])
    head, mask = model.head, batch["attention_mask"]
    mean = np.stack([row[:real].mean(0) for row, real in zip(states, mask.sum(1))])
    np.testing.assert_allclose(model(batch), head.classifier(head.head_norm(head.head_dense(mean))), atol=1e-5)
    batch.pop("attention_mask")
    states = np.asarray(model(batch, output_hidden_states=True)["sequence_output"])
    expected = head.classifier(head.head_norm(head.head_dense(states.mean(1))))
    np.testing.assert_allclose(model(batch), expected, atol=1e-5)


def test_no_bias_remains():
    names = [path for path in named_variables(cases.model("no_biases")) if not path.startswith("pooler")]
    assert len(names) > 10 and not [path for path in names if path.endswith(("bias", "beta"))]
    assert "encoder/block_0/attention_residual/norm/gamma" not in names
    assert "encoder/block_1/attention_residual/norm/gamma" in names


def test_early_exit():
    model, batch = cases.model("bert"), cases.batch("bert")
    states = model(batch, output_hidden_states=True)["hidden_states"]
    outputs = model.features({key: tf.constant(value) for key, value in batch.items()}, depth=1)
    np.testing.assert_array_equal(outputs["sequence_output"], states[1])
