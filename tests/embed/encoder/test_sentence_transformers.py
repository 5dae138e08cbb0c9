"""Folders of sentence-transformers: reading, writing, and the vectors of a trained model."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.embed.encoder.encoder_cases import TEXTS, encoder
from tfplm.core.checkpoints import write_safetensors
from tfplm.embed import Pooling, SentenceEncoder
from tfplm.embed.encoder.pooling import PoolingPlan
from tfplm.embed.encoder.recipe import DenseModule, Recipe
from tfplm.embed.encoder.sentence_transformers import read_recipe

GOLDEN = Path(__file__).parents[2] / "golden" / "minilm" / "golden.npz"
# the texts of tests/golden/make_minilm.py
SENTENCES = ["The cat sleeps on the warm stone.", "A kitten is napping in the sun.", "Interest rates rose again.",
             "我们下午去公园散步。", "", "Numbers such as 3.14159 and 2,718 are tokenised piece by piece, naïvely."]


def write(path: Path, values) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values), encoding="utf-8")


def modules(*kinds: str, package="sentence_transformers.models.{}") -> list[dict]:
    return [{"idx": n, "name": str(n), "path": "" if n == 0 else f"{n}_{kind}", "type": package.format(kind)}
            for n, kind in enumerate(kinds)]


def folder(tmp_path, pooling: dict, kinds=("Transformer", "Pooling", "Normalize"), **keywords) -> Path:
    write(tmp_path / "modules.json", modules(*kinds, **keywords))
    write(tmp_path / "1_Pooling" / "config.json", {"word_embedding_dimension": 12, **pooling})
    return tmp_path


@pytest.mark.parametrize(("config", "expected"), [
    ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, [Pooling.REDUCE_MEAN]),
    ({"pooling_mode_lasttoken": True}, [Pooling.LAST_TOKEN]),
    ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True, "pooling_mode_max_tokens": True},
     [Pooling.FIRST_TOKEN, Pooling.REDUCE_MAX, Pooling.REDUCE_MEAN]),
    ({"pooling_mode_weightedmean_tokens": True}, [Pooling.WEIGHTED_MEAN]),
    ({"pooling_mode_mean_sqrt_len_tokens": True}, [Pooling.MEAN_SQRT_LENGTH]),
    ({"pooling_mode": "cls"}, [Pooling.FIRST_TOKEN]),
    ({"pooling_mode": ["mean", "max"]}, [Pooling.REDUCE_MEAN, Pooling.REDUCE_MAX]),
    ({}, [Pooling.REDUCE_MEAN]),
])
def test_pooling_modes(config, expected, tmp_path):
    recipe = read_recipe(folder(tmp_path, config))
    assert list(recipe.plan.strategies) == expected and recipe.normalize


def test_settings_and_prompts(tmp_path):
    write(tmp_path / "sentence_bert_config.json", {"max_seq_length": 17, "do_lower_case": True})
    write(tmp_path / "config_sentence_transformers.json",
          {"prompts": {"query": "为这个句子生成表示：", "document": ""}, "default_prompt_name": "query"})
    recipe = read_recipe(folder(tmp_path, {"include_prompt": False}, ("Transformer", "Pooling"),
                                package="sentence_transformers.base.modules.x.{}"))
    assert recipe == Recipe(PoolingPlan(), False, 17, True, (), {"query": "为这个句子生成表示：", "document": ""}, "query",
                            False)


def test_any_other_folder_has_no_recipe(tmp_path):
    assert read_recipe(tmp_path) is None


@pytest.mark.parametrize(("pooling", "kinds", "message"), [
    ({"pooling_mode": "attention"}, ("Transformer", "Pooling"), "pooling_mode 'attention', which is not supported"),
    ({"pooling_mode_new": True}, ("Transformer", "Pooling"), "has pooling_mode_new, which is not supported"),
    ({}, ("Transformer", "Pooling", "LSTM"), "the module sentence_transformers.models.LSTM at position 2"),
    ({}, ("CLIPModel", "Pooling"), "starts with sentence_transformers.models.CLIPModel, expected a Transformer"),
    ({}, ("Transformer", "Normalize"), "has no Pooling module"),
    ({}, ("Transformer", "Pooling", "Normalize", "Dense"), "the module sentence_transformers.models.Dense at position 3"),
])
def test_unsupported_modules_are_rejected(pooling, kinds, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_recipe(folder(tmp_path, pooling, kinds))


@pytest.mark.parametrize(("activation", "function"), [("activation.Tanh", np.tanh), ("linear.Identity", lambda x: x)])
def test_dense_modules_are_read(activation, function, tmp_path):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(5, 12)).astype(np.float32), rng.normal(size=5).astype(np.float32)
    folder(tmp_path, {}, ("Transformer", "Pooling", "Dense"))
    write(tmp_path / "2_Dense" / "config.json", {"activation_function": f"torch.nn.modules.{activation}"})
    write_safetensors(tmp_path / "2_Dense", {"linear.weight": weight, "linear.bias": bias})
    (dense,) = read_recipe(tmp_path).dense
    x = rng.normal(size=(3, 12)).astype(np.float32)
    np.testing.assert_allclose(dense(x), function(x @ weight.T + bias), atol=1e-6)


def test_an_unusual_dense_module_is_rejected(tmp_path):
    folder(tmp_path, {}, ("Transformer", "Pooling", "Dense"))
    write(tmp_path / "2_Dense" / "config.json", {"activation_function": "torch.nn.modules.activation.Mish"})
    with pytest.raises(ValueError, match="Dense module with activation 'Mish'"):
        read_recipe(tmp_path)


@pytest.mark.parametrize("poolings", [["cls", "mean"], ["mean", "max"]])
def test_saving_and_loading(poolings, tmp_path):
    made = encoder(tmp_path)
    rng = np.random.default_rng(0)
    dense = DenseModule(rng.normal(size=(24, 7)).astype(np.float32), rng.normal(size=7).astype(np.float32), "Tanh")
    recipe = Recipe(PoolingPlan.of(poolings), True, 20, True, (dense,), {"q": "query: "}, "q")
    made = SentenceEncoder(made.model, made.tokenizer, recipe)
    made.save_pretrained(tmp_path / "saved")
    loaded = SentenceEncoder.from_pretrained(tmp_path / "saved")
    assert loaded.recipe.prompts == {"q": "query: "} and loaded.recipe.max_length == 20
    np.testing.assert_allclose(loaded.encode(TEXTS), made.encode(TEXTS), atol=2e-6)
    np.testing.assert_allclose(loaded.encode(TEXTS, normalize=False, prompt="")[0] * 0 + 1, 1)


def test_an_empty_prompt_is_no_text(tmp_path):
    made = encoder(tmp_path, Recipe(prompts={"query": "query: ", "document": ""}, default_prompt="query"))
    np.testing.assert_allclose(made.encode("a dog", prompt="document"), made.encode("a dog", prompt=""), atol=2e-6)
    with pytest.raises(ValueError, match="mask_cls_sep cannot exclude the prompt from the pooling"):
        Recipe(PoolingPlan.of("mean", mask_cls_sep=True), pool_prompt=False)


def test_a_recipe_that_sentence_transformers_cannot_express(tmp_path):
    made = encoder(tmp_path, PoolingPlan.of("mean", -2))
    with pytest.raises(ValueError, match="sentence-transformers cannot express"):
        made.save_pretrained(tmp_path / "saved")


def test_minilm_gives_the_vectors_of_sentence_transformers(minilm):
    encoder = SentenceEncoder.from_pretrained(minilm)
    assert encoder.recipe.normalize and encoder.recipe.max_length == 256 and encoder.dimension == 384
    golden = np.load(GOLDEN)
    np.testing.assert_allclose(encoder.encode(SENTENCES), golden["vectors"], atol=1e-5)
    np.testing.assert_allclose(np.stack([encoder.encode(text) for text in SENTENCES]), golden["vectors"], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("dtype", "tolerance"), [
    ("float32", 0.0005), pytest.param("bfloat16", 0.002, marks=pytest.mark.all)])
def test_minilm_on_sts_b(dtype, tolerance, data, minilm):
    stats = pytest.importorskip("scipy.stats")
    lines = (data("stsb") / "dev.tsv").read_text("utf-8").splitlines()[1:]
    first, second, scores = zip(*(line.split("\t")[7:10] for line in lines))
    encoder = SentenceEncoder.from_pretrained(minilm, dtype=dtype)
    a, b = encoder.encode(list(first)), encoder.encode(list(second))
    spearman = stats.spearmanr((a * b).sum(1), np.array(scores, float)).statistic
    assert abs(spearman - 0.8672) < tolerance


@pytest.mark.slow
def test_sentence_transformers_reads_what_is_saved(tmp_path):
    library = pytest.importorskip("sentence_transformers")
    made = encoder(tmp_path)
    made.save_pretrained(tmp_path / "saved")
    theirs = library.SentenceTransformer(str(tmp_path / "saved"), device="cpu").encode(TEXTS)
    np.testing.assert_allclose(theirs, made.encode(TEXTS), atol=1e-5)
