"""Toy checkpoints in the original TF1 layouts: Google's BERT with the slots of its optimizer, and OpenAI's GPT-2."""

import numpy as np
import tensorflow as tf

import tfplm
from tests.models.test_bert_by_hand import bert
from tfplm.models.pretrained.weights import named_variables


def variables(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_bert_toy(data, caplog):
    folder = data("tiny_checkpoints", "bert_toy")
    stored = variables(folder / "bert_model.ckpt")
    ids = np.array([[1, 5, 9, 14, 0, 0], [2, 3, 4, 5, 6, 7]], np.int32)
    batch = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int32), "token_type_ids": (ids > 5).astype(np.int32)}
    model = tfplm.from_pretrained(folder)
    assert tfplm.count_parameters(tfplm.from_pretrained(folder, "pretraining")) == 701
    assert not caplog.records and model.loading_report.fresh == []
    # the same names as in Hugging Face's layout, except for slashes and [in, out]
    renamed = {}
    for name, array in stored.items():
        name = name.removeprefix("bert/").replace("layer_", "layer.").replace("/", ".")
        name = name.replace("kernel", "weight").replace("gamma", "weight").replace("beta", "bias")
        name = name + ".weight" if name.endswith("_embeddings") else name
        renamed[name] = array.T if name.endswith("dense.weight") or ("self." in name and array.ndim == 2) else array
    config = {"num_attention_heads": 4, "num_hidden_layers": 2, "layer_norm_eps": 1e-12}
    hidden, pooled = bert(renamed, config, ids, batch["token_type_ids"], batch["attention_mask"])
    outputs = model(batch)
    real = batch["attention_mask"] == 1
    np.testing.assert_allclose(outputs["sequence_output"].numpy()[real], hidden[real], atol=1e-5)
    np.testing.assert_allclose(outputs["pooled_output"], pooled, atol=1e-5)


def test_gpt2_toy(data):
    folder = data("tiny_checkpoints", "gpt2_toy")
    stored = variables(folder / "model.ckpt")
    model = tfplm.from_pretrained(folder, "causal_lm")
    config = model.config
    assert (config.vocab_size, config.max_position_embeddings, config.hidden_size) == (356, 20, 15)
    assert tfplm.count_parameters(model) == 14_355
    named = named_variables(model)
    joined = np.concatenate([named[f"decoder/block_1/attention/{part}/kernel"] for part in ("query", "key", "value")], 1)
    np.testing.assert_array_equal(joined, stored["model/h1/attn/c_attn/w"][0])
    np.testing.assert_array_equal(named["decoder/norm/beta"], stored["model/ln_f/b"])
    ids = np.array([[1, 2, 300, 4]], np.int32)
    logits = model({"input_ids": ids}).numpy()
    assert logits.shape == (1, 4, 356) and np.isfinite(logits).all()
    np.testing.assert_allclose(logits[:, :3], model({"input_ids": ids[:, :3]}), atol=1e-5)


def test_saving_writes_the_loaded_tensors(data, tmp_path):
    for name, prefix, head in (("bert_toy", "bert_model.ckpt", "pretraining"), ("gpt2_toy", "model.ckpt", "causal_lm")):
        folder = data("tiny_checkpoints", name)
        tfplm.save_pretrained(tfplm.from_pretrained(folder, head), tmp_path / name, format="tf1")
        stored, written = variables(folder / prefix), variables(tmp_path / name / prefix)
        assert set(written) == {key for key in stored if "adam" not in key and key != "global_step"}
        for key, array in written.items():
            np.testing.assert_array_equal(array, stored[key])
