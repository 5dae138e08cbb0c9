"""Distillation: model2vec's recipe, against its computation in NumPy."""

import json

import numpy as np
import pytest

import tfplm
from tests.embed.encoder.encoder_cases import encoder, model
from tfplm import SentenceEncoder, cli
from tfplm.core.config import read_json
from tfplm.embed.static.distill import distill, principal_components, quantized, sif_weights
from tfplm.tokenizers.pruning import pruned

TEXTS = ["the cat sleeps", "我们去公园", "a dog on a warm stone.", "", "query: [MASK] 3"]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    made = encoder(folder)
    made.save_pretrained(folder / "model")
    return folder / "model", made


def expected_table(made, size, sif=1e-4):
    """Tokens without [CLS], [SEP] and [MASK], each as a text; components; weights."""
    tokens = [token for token in sorted(made.tokenizer.vocab, key=made.tokenizer.vocab.get)
              if token not in ("[CLS]", "[SEP]", "[MASK]")]
    ids = made.tokenizer.convert_tokens_to_ids(tokens)
    table = made.encode_ids([[2, token, 3] for token in ids]).astype(float)
    centred = table - table.mean(0)
    _, _, rows = np.linalg.svd(centred, full_matrices=False)
    scores = centred @ rows[:size].T
    scores *= np.sign(scores[np.abs(scores).argmax(0), np.arange(size)])
    inverse = 1 / np.arange(2, len(ids) + 2)
    return tokens, scores * (sif / (sif + inverse / inverse.sum()))[:, None]


def test_the_recipe(teacher):
    folder, made = teacher
    found = distill(folder, dimension=5, precision="float32")
    tokens, table = expected_table(made, 5)
    np.testing.assert_allclose(found.files.table.vectors, table, atol=2e-5)
    assert [token for token, _ in sorted(found.files.backend.get_vocab().items(), key=lambda pair: pair[1])] == tokens
    assert found.recipe.normalize and found.recipe.max_length == 512 and found.dimension == 5
    ids = [[tokens.index(token) for token in ("the", "cat", "sleeps")]]
    expected = table[ids].mean(1)
    np.testing.assert_allclose(found.encode(["the cat sleeps"]), expected / np.linalg.norm(expected), atol=1e-4)


def test_settings(teacher):
    folder, made = teacher
    plain = distill(folder, pca=False, sif=0, precision="float32", max_length=0)
    tokens, _ = expected_table(made, 5)
    direct = made.encode_ids([[2, made.tokenizer.vocab[token], 3] for token in tokens])
    np.testing.assert_allclose(plain.files.table.vectors, direct, atol=1e-5)
    assert plain.recipe.max_length is None and plain.files.config["apply_pca"] is None
    first = distill(folder, pca=False, sif=0, precision="float32", pooling="cls").files.table.vectors
    assert np.abs(first - direct).max() > 0.1
    assert "cat" not in distill(folder, remove="c").files.backend.get_vocab()
    half, whole = distill(folder).files.table.vectors, distill(folder, precision="int8").files.table.vectors
    assert half.shape == whole.shape == (36, 12) and half.dtype == np.float16 and np.abs(whole).max() == 127


@pytest.mark.parametrize(("settings", "message"), [
    ({"dimension": 13}, "dimension is 13, but the vectors of .* have 12 components; expected at most as many"),
    ({"dimension": 0}, "dimension is 0; expected at least 1"), ({"sif": 1.0}, "sif is 1.0; expected a number from 0"),
    ({"dimension": 3, "pca": False}, "pca is off; expected it on"), ({"max_length": -1}, "max_length is -1; expected"),
    ({"pooling": "max"}, "pooling is 'max'; expected one of mean, cls, last, pooler"),
    ({"precision": "int4"}, "precision is 'int4'; expected one of float32, float16, int8"),
    ({"remove": "["}, r"remove is '\[', which is not a regular expression"),
    ({"remove": ""}, None), ({"remove": "."}, "none of the 39 tokens is left")])
def test_wrong_settings(teacher, settings, message):
    if message is None:
        assert distill(teacher[0], **settings).files.table.tokens == 36
        return
    with pytest.raises(ValueError, match=message):
        distill(teacher[0], **settings)


def test_principal_components_and_weights():
    rows = np.random.default_rng(1).normal(size=(50, 4)) @ np.diag([4.0, 1.0, 0.1, 2.0]) + 7
    found = principal_components(rows.astype("float32"), 3)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(0) ** 2, np.linalg.svd(rows - rows.mean(0))[1][:3] ** 2 / 50, rtol=1e-4)
    assert (found[np.abs(found).argmax(0), range(3)] > 0).all()
    weights = sif_weights(1000, 1e-4)
    assert weights[0] == pytest.approx(1e-4 / (1e-4 + 0.5 / (1 / np.arange(2, 1002)).sum())) and (np.diff(weights) > 0).all()
    assert quantized(np.zeros((2, 2)), "int8").tolist() == [[0, 0], [0, 0]]


def test_the_command(teacher, tmp_path, capsys):
    target = tmp_path / "static"
    assert cli.main(["static", str(teacher[0]), str(target), "--dimension", "4", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row == {"target": str(target), "tokens": 36, "dimension": 4, "precision": "float16", "bytes": 288}
    assert {path.name for path in target.iterdir()} >= {"config.json", "model.safetensors", "tokenizer.json", "modules.json"}
    config = read_json(target / "config.json")
    assert config["model_type"] == "model2vec" and config["sif_coefficient"] == 1e-4 and config["apply_pca"] == 4
    assert SentenceEncoder.from_pretrained(str(target)).encode(TEXTS).shape == (5, 4)
    assert cli.main(["static", str(teacher[0]), str(target)]) == 1
    assert "written before" in capsys.readouterr().err
    assert cli.main(["static", str(teacher[0]), str(target), "--overwrite", "--quiet"]) == 0
    assert cli.main(["static", str(target), str(tmp_path / "again")]) == 1
    assert "has static embeddings; expected an encoder to distil" in capsys.readouterr().err
    assert cli.main(["static", str(target), str(target)]) == 1
    assert "is both the source and the target" in capsys.readouterr().err


def test_other_tokenizers(tmp_path):
    """Byte-level BPE: the first word is read with a space before it, and the merges stay whole."""
    tokenizer = tfplm.Tokenizer.from_bpe(*_bpe(tmp_path), model_type="roberta")
    small, text, ids = pruned(tokenizer, "x")
    spec = json.loads(text)
    assert spec["pre_tokenizer"]["add_prefix_space"] is True and spec["post_processor"] is None
    assert "<s>" not in spec["model"]["vocab"] and "<mask>" not in spec["model"]["vocab"]
    assert {"<pad>", "<unk>", "a", "ab"} <= set(spec["model"]["vocab"])
    assert [tokenizer.convert_ids_to_tokens(int(index)) for index in ids] == list(spec["model"]["vocab"])
    assert small.vocab == spec["model"]["vocab"] and small.unk_token == "<unk>" and small.mask_token is None
    saved = model(preset="roberta-base", vocab_size=len(tokenizer))
    tfplm.save_pretrained(saved, tmp_path / "model", tokenizer)
    made = distill(tmp_path / "model", dimension=3)
    np.testing.assert_allclose(made.encode("ab"), made.encode(" ab"), atol=1e-6)


def _bpe(folder):
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b", "Ġ", "ab", "Ġab"]
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\na b\nĠ ab\n")
    return folder / "vocab.json", folder / "merges.txt"


@pytest.mark.slow
def test_distilled_minilm_keeps_most_of_its_correlation(data, minilm):
    from tfplm.embed.commands.sts_eval import evaluate, read_pairs

    made = distill(minilm)
    pairs = read_pairs(str(data("stsb") / "dev.tsv"))
    assert evaluate(made, pairs)[0] > 70
