"""Folders of static embeddings, and the vectors of texts: those of model2vec."""

import json
import pickle

import numpy as np
import pytest

from tests.embed.static import static_cases as cases
from tests.embed.static.static_cases import TEXTS, WORDS, reference, vectors, write
from tfplm import SentenceEncoder
from tfplm.core.config import write_json
from tfplm.embed.encoder.whitening import Whitening
from tfplm.embed.encoder.workers import encode_in_processes
from tfplm.embed.static.encoder import StaticEncoder

RNG = np.random.default_rng(5)
TABLES = {"float32": {"embeddings": vectors()}, "float16": {"embeddings": vectors(kind="float16")},
          "int8": {"embeddings": vectors(kind="int8")},
          "weights": {"embeddings": vectors(), "weights": RNG.random(len(WORDS)).astype("float32")},
          "clusters": {"embeddings": vectors(7), "mapping": RNG.integers(0, 7, len(WORDS)),
                       "weights": RNG.random(len(WORDS))}}


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "static", TABLES["float32"])


@pytest.mark.parametrize("kind", TABLES)
@pytest.mark.parametrize("settings", [{"normalize": True}, {"normalize": False, "max_length": 5}, {"max_length": None}],
                         ids=["normalized", "short", "unlimited"])
def test_vectors_are_those_of_model2vec(tmp_path, kind, settings):
    encoder = SentenceEncoder.from_pretrained(write(tmp_path, TABLES[kind], **settings))
    expected = reference(TEXTS, TABLES[kind], **settings)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=2e-6, rtol=1e-5)
    for text, row in zip(TEXTS, expected):  # one by one, and in another order
        np.testing.assert_allclose(encoder.encode(text), row, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", TABLES)
def test_the_package_model2vec_gives_the_same(tmp_path, kind):
    model2vec = pytest.importorskip("model2vec")
    encoder = SentenceEncoder.from_pretrained(write(tmp_path / "theirs", TABLES[kind], max_length=20))
    theirs = model2vec.StaticModel.from_pretrained(tmp_path / "theirs")
    atol = 2e-3 if kind == "float16" else 1e-6  # theirs are rounded to float16
    np.testing.assert_allclose(encoder.encode(TEXTS), theirs.encode(TEXTS), atol=atol)
    encoder.save_pretrained(tmp_path / "ours")
    again = model2vec.StaticModel.from_pretrained(tmp_path / "ours")
    np.testing.assert_array_equal(again.encode(TEXTS), theirs.encode(TEXTS))
    theirs.save_pretrained(tmp_path / "back")
    np.testing.assert_array_equal(SentenceEncoder.from_pretrained(tmp_path / "back").encode(TEXTS), encoder.encode(TEXTS))


def test_it_is_a_sentence_encoder(folder):
    encoder = SentenceEncoder.from_pretrained(folder)
    assert isinstance(encoder, StaticEncoder) and encoder.dimension == 6 and encoder.parameters == 6 * len(WORDS)
    assert encoder.config.vocab_size == len(WORDS) and encoder.num_labels is None and encoder.freeze() is encoder
    assert encoder.encode([]).shape == (0, 6) and encoder.encode("").tolist() == [0] * 6
    expected = encoder.encode(["the cat sleeps"])
    np.testing.assert_array_equal(encoder.encode([b"the cat sleeps"]), expected)
    np.testing.assert_array_equal(encoder.encode([["the", "cat", "nowhere", "sleeps"]]), expected)
    np.testing.assert_array_equal(encoder.encode([("the cat", "sleeps")]), expected)
    np.testing.assert_array_equal(encoder.encode(["cat sleeps"], prompt="the "), expected)
    mixed = encoder.encode(["the cat sleeps", ("the", "cat sleeps"), ["the", "cat", "sleeps"]])
    np.testing.assert_array_equal(mixed, np.repeat(expected, 3, 0))
    rows = encoder.tokenize(["the cat sleeps", "?"])
    assert [row.input_ids.tolist() for row in rows] == [[2, 3, 4], []]
    np.testing.assert_array_equal(encoder.encode_ids(rows), np.concatenate([expected, np.zeros((1, 6))]))
    assert encoder.frame([2, 3], [4]).input_ids.tolist() == [2, 3, 4]
    np.testing.assert_array_equal(encoder.embed({"input_ids": [[2, 3, 4]]}), expected)
    assert encoder.encode("the cat", normalize=False) == pytest.approx(vectors()[[2, 3]].mean(0))
    with pytest.raises(TypeError, match="text 1 is int '3'"):
        encoder.encode(["the", 3])
    with pytest.raises(ValueError, match="text 1 has an id that is not in the vocabulary; expected 0 to 27"):
        encoder.encode_ids([[2], [28]])
    with pytest.raises(AttributeError, match="has no Keras model"):
        _ = encoder.model


@pytest.mark.parametrize(("settings", "message"), [
    ({"pooling": "cls"}, "expected the mean over the last layer"), ({"layers": [-2]}, "expected the mean over the last"),
    ({"num_labels": 2}, "num_labels was given; expected neither"), ({"hidden_size": 3}, "hidden_size was given")])
def test_settings_of_other_encoders_are_refused(folder, settings, message):
    with pytest.raises(ValueError, match=message):
        SentenceEncoder.from_pretrained(folder, **settings)


def test_settings_of_static_encoders(folder):
    encoder = SentenceEncoder.from_pretrained(folder, "REDUCE_MEAN", normalize=False, max_length=2, dtype="bfloat16")
    np.testing.assert_allclose(encoder.encode(TEXTS), reference(TEXTS, TABLES["float32"], normalize=False, max_length=2),
                               atol=1e-6)


def test_saved_and_read_again(folder, tmp_path):
    encoder = SentenceEncoder.from_pretrained(folder, normalize=False)
    encoder.save_pretrained(tmp_path / "again")
    again = SentenceEncoder.from_pretrained(tmp_path / "again")
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))
    config = json.loads((tmp_path / "again" / "config.json").read_text())
    assert config["normalize"] is False and config["hidden_dim"] == 6 and config["embedding_dtype"] == "float32"
    assert [module["type"].rpartition(".")[2] for module in json.loads((tmp_path / "again" / "modules.json").read_text())
            ] == ["StaticEmbedding"]


def test_a_whitening_becomes_part_of_the_table(folder, tmp_path):
    encoder = SentenceEncoder.from_pretrained(folder, normalize=False)
    texts = [text for text in TEXTS if encoder.tokenize([text])[0].input_ids.size]
    encoder.whitening = Whitening(RNG.normal(size=6).astype("float32"), RNG.normal(size=(6, 4)).astype("float32"))
    encoder.save_pretrained(tmp_path / "white")
    again = SentenceEncoder.from_pretrained(tmp_path / "white")
    assert again.dimension == 4
    np.testing.assert_allclose(again.encode(texts), encoder.encode(texts), atol=1e-5)
    weighted = SentenceEncoder.from_pretrained(write(tmp_path / "weighted", TABLES["weights"]))
    weighted.whitening = encoder.whitening
    with pytest.raises(ValueError, match="the static table has weights, with which a whitening cannot be part"):
        weighted.save_pretrained(tmp_path / "none")


def test_folders_of_sentence_transformers(tmp_path):
    """Without model2vec's config, unknown tokens count, and nothing is cut."""
    inner = tmp_path / "0_StaticEmbedding"
    write(inner, {"embedding.weight": vectors()})
    (inner / "config.json").unlink()
    parts = [("0_StaticEmbedding", "StaticEmbedding"), ("1_Normalize", "Normalize")]
    (tmp_path / "modules.json").write_text(json.dumps(
        [{"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
         for index, (path, kind) in enumerate(parts)]))
    encoder = SentenceEncoder.from_pretrained(tmp_path)
    expected = vectors()[[1, 2]].mean(0)
    np.testing.assert_allclose(encoder.encode("unheard the"), expected / np.linalg.norm(expected), atol=1e-6)
    long = "the cat " * 3000
    np.testing.assert_allclose(encoder.encode(long, normalize=False), vectors()[[2, 3]].mean(0), atol=1e-4)


BROKEN = {
    "no table": ({"other": vectors()}, {}, "has the tensors other; expected embeddings, the vectors of tokens"),
    "shape": ({"embeddings": vectors()[0]}, {}, r"embeddings has the shape \[6\]; expected the vectors of tokens"),
    "rows": ({"embeddings": vectors(5)}, {}, "embeddings has 5 rows, but the tokenizer has 28 tokens; expected equal"),
    "weights": ({**TABLES["float32"], "weights": np.ones(3)}, {}, r"weights has the shape \[3\]; expected a number"),
    "mapping": ({"embeddings": vectors(3), "mapping": np.arange(28)}, {}, "mapping names rows outside of the 3 of embed"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_folders_that_do_not_fit(tmp_path, name):
    tensors, config, message = BROKEN[name]
    with pytest.raises(ValueError, match=message):
        SentenceEncoder.from_pretrained(write(tmp_path, tensors, **config))


def test_a_folder_without_its_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="is not a tokenizer of the library `tokenizers`"):
        SentenceEncoder.from_pretrained(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="has no tokenizer.json; expected the tokenizer of the static embeddings"):
        SentenceEncoder.from_pretrained(folder)


def test_other_processes_open_it_again(folder):
    encoder = SentenceEncoder.from_pretrained(folder)
    assert pickle.loads(pickle.dumps(encoder.origin)) == encoder.origin
    again = SentenceEncoder.from_pretrained(**encoder.origin).with_recipe(encoder.recipe)
    np.testing.assert_array_equal(again.encode(TEXTS), encoder.encode(TEXTS))


@pytest.mark.slow
def test_several_processes(folder):
    encoder = SentenceEncoder.from_pretrained(folder)
    (parts,) = [np.concatenate([found for _, found in encode_in_processes(encoder, [TEXTS[:5], TEXTS[5:]], 2)])]
    np.testing.assert_array_equal(parts, encoder.encode(TEXTS))


def test_config_without_model_type_is_another_model(tmp_path):
    write(tmp_path, TABLES["float32"])
    write_json(tmp_path / "config.json", {"hidden_dim": 6})
    with pytest.raises(ValueError):
        SentenceEncoder.from_pretrained(tmp_path)


def test_cases_are_of_many_kinds():
    assert len(TEXTS) > 10 and len(TABLES) == 5 and cases.backend().get_vocab_size() == len(WORDS)
