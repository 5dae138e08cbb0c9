"""`backend="onnx"` and `"openvino"`: the vectors of TensorFlow."""

import numpy as np
import pytest

from tests.embed.encoder.encoder_cases import TEXTS, encoder
from tests.models.portable.portable_cases import needs
from tfplm.embed import SentenceEncoder
from tfplm.embed.encoder.recipe import DenseModule, Recipe

PLANS = [{"pooling": "REDUCE_MEAN", "mask_cls_sep": True}, {"pooling": "NONE"}, {"pooling": "CLASSIFICATION"},
         {"pooling": ["REDUCE_MAX", "REDUCE_MEAN_MAX", "LAST_TOKEN"], "layers": [-1, 0]}]
MORE = [{"pooling": name} for name in ("CLS_TOKEN", "CLS_POOLED", "MEAN_SQRT_LENGTH", "WEIGHTED_MEAN", "REGRESSION")]
MORE += [{"layers": [0, -1], "average_layers": True}, {"layers": [-2]}]


def same(folder, backend, texts=TEXTS, **settings):
    needs(backend)
    expected = SentenceEncoder.from_pretrained(folder, **settings)
    found = SentenceEncoder.from_pretrained(folder, backend=backend, **settings)
    np.testing.assert_allclose(found.encode(texts), expected.encode(texts), atol=1e-5)
    np.testing.assert_allclose(found.encode(texts[0]), expected.encode(texts[0]), atol=1e-5)
    assert found.dimension == expected.dimension
    return found


@pytest.fixture(scope="module")
def classifying(tmp_path_factory):
    """A folder with a classifier, whose model has a pooler, too."""
    import tfplm
    from tests.embed.encoder.encoder_cases import model, tokenizer

    folder = tmp_path_factory.mktemp("classifier")
    tfplm.save_pretrained(model("sequence_classification", num_labels=1), folder, tokenizer(folder))
    return folder


@pytest.mark.parametrize("settings", [
    pytest.param(each, marks=pytest.mark.slow) for each in PLANS + MORE], ids=str)
def test_poolings_in_onnx(settings, classifying):
    same(classifying, "onnx", **settings)


@pytest.mark.parametrize("settings", [pytest.param(each, marks=pytest.mark.slow) for each in (*PLANS, {})], ids=str)
def test_poolings_in_openvino(settings, classifying):
    same(classifying, "openvino", **settings)


@pytest.mark.parametrize("backend", ["onnx", pytest.param("openvino", marks=pytest.mark.slow)])
def test_texts_projections_and_prompts(backend, tmp_path):
    rng = np.random.default_rng(0)
    recipe = Recipe(normalize=True, dense=(DenseModule(rng.normal(size=(12, 5)).astype("float32"), None, "Tanh"),),
                    prompts={"query": "query: "}, default_prompt="query", pool_prompt=False)
    encoder(tmp_path, recipe).save_pretrained(tmp_path / "model")
    texts = [*TEXTS, *(" ".join(rng.choice(["the", "cat", "我", "a", "."], rng.integers(1, 60))) for _ in range(20))]
    found = same(tmp_path / "model", backend, texts)
    order = rng.permutation(len(texts))
    np.testing.assert_allclose(found.encode([texts[i] for i in order]), found.encode(texts)[order], atol=2e-6)
    other = found.with_recipe(Recipe())
    np.testing.assert_allclose(other.encode(texts[:3]),
                               SentenceEncoder(found.model, found.tokenizer).encode(texts[:3]), atol=1e-5)
    assert found.encode([]).shape == (0, 5)
    assert len(list((tmp_path / "model" / ".tfplm").iterdir())) == 1  # the same graph: projections are outside


@pytest.mark.slow
def test_new_weights_are_exported_again(made, tmp_path):
    needs("onnx")
    made.save_pretrained(tmp_path)
    before = SentenceEncoder.from_pretrained(tmp_path, backend="onnx").encode(TEXTS)
    encoder(tmp_path, initializer_range=0.1).save_pretrained(tmp_path)
    after = SentenceEncoder.from_pretrained(tmp_path, backend="onnx").encode(TEXTS)
    np.testing.assert_allclose(after, SentenceEncoder.from_pretrained(tmp_path).encode(TEXTS), atol=1e-5)
    assert np.abs(after - before).max() > 1e-2


@pytest.mark.slow
def test_int8_is_near(saved):
    needs("onnx")
    exact = SentenceEncoder.from_pretrained(saved).encode(TEXTS, normalize=True)
    found = SentenceEncoder.from_pretrained(saved, backend="onnx", precision="int8").encode(TEXTS, normalize=True)
    assert 0.98 < (exact * found).sum(1).min() < 1 - 1e-7


def test_settings_that_do_not_go_together(saved):
    with pytest.raises(ValueError, match="precision is 'int8' with the backend tensorflow"):
        SentenceEncoder.from_pretrained(saved, precision="int8")
    with pytest.raises(ValueError, match="dtype is 'bfloat16' with the backend onnx"):
        SentenceEncoder.from_pretrained(saved, dtype="bfloat16", backend="onnx")
