"""A forward pass of BERT in plain NumPy, with the names of the checkpoint, equals the model (Devlin et al. 2019)."""

import math
from pathlib import Path

import numpy as np

import tfplm
from tests.models import golden
from tfplm.core.checkpoints import open_checkpoint
from tfplm.core.config import read_json

MINILM = Path(__file__).parents[1] / "golden" / "minilm" / "golden.npz"
erf = np.vectorize(math.erf)


def layer_norm(x, w, name, epsilon):
    x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + epsilon)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]


def dense(x, w, name):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def bert(w, config, ids, types, mask):
    """Three int32 `[B,T]` -> hidden states `[B,T,H]` and pooled output `[B,H]`, float64."""
    heads, epsilon = config["num_attention_heads"], config["layer_norm_eps"]
    x = (w["embeddings.word_embeddings.weight"][ids] + w["embeddings.token_type_embeddings.weight"][types]
         + w["embeddings.position_embeddings.weight"][:ids.shape[1]])
    x = layer_norm(x, w, "embeddings.LayerNorm", epsilon)
    rows, length, width = x.shape
    for number in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{number}"
        q, k, v = (dense(x, w, f"{layer}.attention.self.{part}").reshape(rows, length, heads, -1).transpose(0, 2, 1, 3)
                   for part in ("query", "key", "value"))  # [B,N,T,D]
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(width / heads)
        context = softmax(np.where(mask[:, None, None, :] == 1, scores, -1e9)) @ v
        context = context.transpose(0, 2, 1, 3).reshape(rows, length, width)
        x = layer_norm(x + dense(context, w, f"{layer}.attention.output.dense"), w, f"{layer}.attention.output.LayerNorm",
                       epsilon)
        inner = dense(x, w, f"{layer}.intermediate.dense")
        inner = 0.5 * inner * (1 + erf(inner / math.sqrt(2)))
        x = layer_norm(x + dense(inner, w, f"{layer}.output.dense"), w, f"{layer}.output.LayerNorm", epsilon)
    return x, np.tanh(dense(x[:, 0], w, "pooler.dense"))


def weights(folder):
    with open_checkpoint(folder) as checkpoint:
        return {name: np.asarray(checkpoint[name], np.float64 if checkpoint.dtype(name).kind == "f" else None)
                for name in checkpoint}


def check(folder, batch):
    types = batch.get("token_type_ids", np.zeros_like(batch["input_ids"]))
    hidden, pooled = bert(weights(folder), read_json(folder / "config.json"), batch["input_ids"], types,
                          batch["attention_mask"])
    outputs = tfplm.from_pretrained(folder)(batch)
    real = batch["attention_mask"] == 1
    np.testing.assert_allclose(outputs["sequence_output"].numpy()[real], hidden[real], atol=1e-5)
    np.testing.assert_allclose(outputs["pooled_output"], pooled, atol=1e-5)
    return outputs["sequence_output"].numpy()


def test_tiny():
    check(golden.FOLDER / "bert", golden.batch("bert"))


def test_minilm(minilm):
    """A trained model: its vectors equal those of sentence-transformers (`make_minilm.py`)."""
    with np.load(MINILM) as file:
        stored = dict(file)
    batch = {name: stored[name] for name in ("input_ids", "attention_mask")}
    hidden = check(minilm, batch)
    mask = batch["attention_mask"][:, :, None]
    mean = (hidden * mask).sum(1) / mask.sum(1)
    vectors = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, stored["vectors"], atol=1e-5)
    length = stored["tokens"].shape[1]
    real = batch["attention_mask"][:2, :length] == 1
    np.testing.assert_allclose(hidden[:2, :length][real], stored["tokens"][real], atol=1e-4)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_minilm_tokenizer_fits(minilm):
    with np.load(MINILM) as file:
        ids = file["input_ids"]
    tokenizer = tfplm.Tokenizer.from_pretrained(minilm)
    batch = tokenizer(["The cat sleeps on the warm stone.", "我们下午去公园散步。"])
    for row, stored in zip(batch["input_ids"], ids[[0, 3]]):
        shared = min(len(row), len(stored))
        np.testing.assert_array_equal(row[:shared], stored[:shared])
    assert len(tokenizer) == tfplm.from_pretrained(minilm).config.vocab_size
