"""`tfplm export`: folders that other programs load, the report, and errors that leave nothing behind."""

import importlib.util
import json

import numpy as np
import pytest

import tfplm
from tests.embed.encoder.encoder_cases import TEXTS, encoder, model, tokenizer
from tests.models.portable.portable_cases import needs
from tfplm import cli
from tfplm.embed import SentenceEncoder
from tfplm.embed.encoder.recipe import DenseModule, Recipe
from tfplm.embed.encoder.sentence_transformers import read_recipe
from tfplm.export import run as export_run
from tfplm.export.report import Agreement
from tfplm.export.verification import check
from tfplm.models.portable.formats import open_session


def sentences(folder, normalize=True, projected=True):
    """A folder of sentence-transformers with a projection and normalization."""
    kernel = np.random.default_rng(0).normal(size=(12, 5)).astype("float32")
    recipe = Recipe(normalize=normalize, dense=(DenseModule(kernel, None, "Tanh"),) if projected else (), max_length=24)
    made = encoder(folder, recipe)
    made.save_pretrained(folder / "model")
    return made, folder / "model"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(encoder, folder, report) of an export to ONNX."""
    needs("onnx")
    made, folder = sentences(tmp_path_factory.mktemp("sentences"))
    report = tfplm.export(folder, folder.parent / "onnx", format="onnx")
    return made, folder.parent / "onnx", report


def test_a_folder_for_sentence_transformers_and_fastembed(exported):
    made, folder, _ = exported
    assert {path.name for path in folder.iterdir()} == {
        "onnx", "config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt",
        "modules.json", "1_Pooling", "2_Dense", "3_Normalize", "sentence_bert_config.json",
        "config_sentence_transformers.json", "export.json"}
    assert json.loads((folder / "tokenizer_config.json").read_text())["model_max_length"] == 24
    recipe = read_recipe(folder)
    assert recipe.normalize and recipe.max_length == 24 and recipe.dense[0].kernel.shape == (12, 5)
    session = open_session(folder, "onnx")
    assert session.outputs == ("last_hidden_state", "sentence_embedding")
    batch = made.tokenizer(TEXTS, max_length=24)
    np.testing.assert_allclose(session(batch)["sentence_embedding"], made.encode(TEXTS), atol=1e-5)


def test_the_report(exported):
    _, folder, report = exported
    assert report.format == "onnx" and report.exported == "sentence vectors" and report.int8 is None
    assert {name: each.lowest_cosine > 1 - 1e-9 for name, each in report.agreement.items()} == {
        "last_hidden_state": True, "sentence_embedding": True}
    assert report.agreement["sentence_embedding"].difference < 1e-5
    assert set(report.speed) == {"tensorflow", "onnx"} and all(each.texts_per_second > 0 for each in report.speed.values())
    saved = json.loads((folder / "export.json").read_text())
    assert {**saved, "files": None} == {**json.loads(json.dumps(report.as_dict())), "files": None}
    assert "sentence_embedding: largest difference" in report.text(folder)


def test_fastembed_loads_the_folder(exported):
    if importlib.util.find_spec("fastembed") is None:
        pytest.skip("fastembed not installed: pip install fastembed")
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    made, folder, _ = exported
    TextEmbedding.add_custom_model("tests/exported", PoolingType.MEAN, False, ModelSource(hf="tests/exported"), dim=12)
    theirs = np.array(list(TextEmbedding("tests/exported", specific_model_path=str(folder)).embed(TEXTS)))
    ours = made.with_recipe(Recipe(max_length=24)).encode(TEXTS)
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


def test_sentence_transformers_loads_the_folder(exported):
    if importlib.util.find_spec("sentence_transformers") is None or importlib.util.find_spec("optimum") is None:
        pytest.skip("sentence-transformers with optimum not installed: pip install 'sentence-transformers[onnx]'")
    from sentence_transformers import SentenceTransformer

    made, folder, _ = exported
    theirs = SentenceTransformer(str(folder), backend="onnx", local_files_only=True).encode(TEXTS)
    np.testing.assert_allclose(theirs, made.encode(TEXTS), atol=1e-5)


@pytest.mark.slow
def test_static_int8_and_scores(tmp_path, capsys):
    needs("onnx")
    _, folder = sentences(tmp_path, projected=False)
    words = ["the cat sleeps", "a dog", "我们去公园", "rates rose again.", "天气好", "running dogs"]
    (tmp_path / "texts.txt").write_text("\n".join(words * 5) + "\n", encoding="utf-8")
    rows = [f"{a}\t{b}\t{i + j}" for i, a in enumerate(words) for j, b in enumerate(words)]
    (tmp_path / "pairs.tsv").write_text("\n".join(["sentence1\tsentence2\tscore", *rows]) + "\n", encoding="utf-8")
    cli.main(["export", str(folder), str(tmp_path / "int8"), "--format", "onnx", "--precision", "int8", "--calibrate",
              str(tmp_path / "texts.txt"), "--data", str(tmp_path / "pairs.tsv"), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["int8"] == "static" and report["bytes"] > 0
    assert 0.98 < report["agreement"]["sentence_embedding"]["cosine"] < 1
    assert set(report["scores"]) == {"tensorflow", "onnx"} and set(report["scores"]["onnx"]) == {"spearman", "pearson"}


@pytest.mark.slow
def test_a_head_and_what_lies_beside_it(tmp_path):
    needs("onnx")
    built = model("sequence_classification", num_labels=3)
    tfplm.save_pretrained(built, tmp_path / "model", tokenizer(tmp_path))
    tfplm.export(tmp_path / "model", tmp_path / "onnx", format="onnx")
    batch = tokenizer(tmp_path)(TEXTS, max_length=40)
    np.testing.assert_allclose(open_session(tmp_path / "onnx", "onnx")(batch)["logits"], built(batch), atol=1e-5)
    config = json.loads((tmp_path / "onnx" / "config.json").read_text())
    assert config["architectures"] == ["BertForSequenceClassification"] and len(config["id2label"]) == 3
    report = tfplm.export(tmp_path / "model", tmp_path / "onnx", format="onnx", head="none", overwrite=True)
    assert report.exported == "hidden states" and open_session(tmp_path / "onnx", "onnx").outputs[0] == "last_hidden_state"


@pytest.mark.slow
def test_openvino_is_loaded_by_its_own_runtime(tmp_path):
    needs("openvino")
    import openvino

    made, folder = sentences(tmp_path)
    tfplm.export(folder, tmp_path / "openvino", format="openvino")
    compiled = openvino.compile_model(tmp_path / "openvino" / "openvino" / "openvino_model.xml", "CPU",
                                      {"INFERENCE_PRECISION_HINT": "f32"})
    batch = {name: array.astype(np.int64) for name, array in made.tokenizer(TEXTS, max_length=24).items()}
    np.testing.assert_allclose(compiled(batch)["sentence_embedding"], made.encode(TEXTS), atol=1e-5)


@pytest.mark.slow
def test_a_finetuned_model_is_scored(classifier, tmp_path):
    needs("onnx")
    report = tfplm.export(classifier.folder, tmp_path / "onnx", format="onnx", data=str(classifier.data / "dev.tsv"))
    assert report.exported == "head sequence_classification" and set(report.scores) == {"onnx", "tensorflow"}
    assert report.scores["onnx"] == pytest.approx(report.scores["tensorflow"], abs=1e-5)
    assert (tmp_path / "onnx" / "task.json").is_file()


@pytest.mark.slow
def test_poolings_that_others_cannot_express_have_no_modules(saved, tmp_path):
    needs("onnx")
    tfplm.export(saved, tmp_path / "onnx", format="onnx", pooling=["REDUCE_MEAN_MAX"], layers=[0, -1])
    assert not (tmp_path / "onnx" / "modules.json").exists()
    session = open_session(tmp_path / "onnx", "onnx")
    made = SentenceEncoder.from_pretrained(saved, "REDUCE_MEAN_MAX", [0, -1])
    assert session.outputs == ("sentence_embedding",)
    np.testing.assert_allclose(session(made.tokenizer(TEXTS, max_length=40))["sentence_embedding"], made.encode(TEXTS),
                               atol=1e-5)


# Errors

def test_options_that_do_not_go_together(saved, tmp_path):
    with pytest.raises(ValueError, match="the pooling is mean and the head masked_lm; expected one of them"):
        tfplm.export(saved, tmp_path / "x", format="onnx", pooling=["mean"], head="masked_lm")
    with pytest.raises(ValueError, match="texts to calibrate, but the precision is float32; expected int8"):
        tfplm.export(saved, tmp_path / "x", format="onnx", calibrate=["a.txt"])
    with pytest.raises(ValueError, match="there is no format 'onyx'; did you mean 'onnx'"):
        tfplm.export(saved, tmp_path / "x", format="onyx")
    assert not (tmp_path / "x").exists()


def test_a_missing_package_is_named_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"the format openvino needs openvino.*pip install -e '\.\[openvino\]'"):
        tfplm.export(tmp_path / "nothing", tmp_path / "x", format="openvino")


def test_calibration_without_texts(saved, tmp_path):
    needs("onnx")
    (tmp_path / "empty.txt").write_text("\n \n")
    with pytest.raises(ValueError, match="empty.txt: there is no text to calibrate with; expected one per line"):
        tfplm.export(saved, tmp_path / "x", format="onnx", precision="int8", calibrate=[str(tmp_path / "empty.txt")])


def test_targets_that_are_not_written(saved, tmp_path):
    needs("onnx")
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(FileExistsError, match="has other files .mine.txt.; expected an empty or new folder"):
        tfplm.export(saved, tmp_path, format="onnx")
    (tmp_path / "export.json").write_text("{}")
    with pytest.raises(FileExistsError, match="was written before .*--overwrite"):
        tfplm.export(saved, tmp_path, format="onnx")
    with pytest.raises(ValueError, match="is both the source and the target"):
        tfplm.export(saved, saved, format="onnx")


@pytest.mark.parametrize("broken", ["write", pytest.param("compare", marks=pytest.mark.slow)])
def test_nothing_is_left_of_an_export_that_failed(broken, saved, tmp_path, monkeypatch):
    needs("onnx")

    def fail(*arguments):
        raise ValueError("broken")

    monkeypatch.setattr(export_run, broken, fail)
    with pytest.raises(ValueError, match="broken"):
        tfplm.export(saved, tmp_path / "deep" / "target", format="onnx")
    assert [path.name for path in (tmp_path / "deep").iterdir()] == []


def test_outputs_that_differ_are_refused():
    near, far, nan = Agreement(1e-6, 3.0, 1.0, 1.0), Agreement(0.1, 3.0, 0.85, 0.1), Agreement(*[float("nan")] * 4)
    for precision in ("float32", "float16", "int8"):
        check({"logits": near}, "onnx", precision)
        for wrong in (far, nan):
            with pytest.raises(ValueError, match="file differs from the model.*; expected at .* Nothing was written"):
                check({"logits": wrong}, "onnx", precision)
