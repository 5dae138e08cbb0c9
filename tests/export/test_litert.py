"""LiteRT files: run by its own interpreter, in float32, float16 and int8, with calibration and without."""

import numpy as np
import pytest

import tfplm
from tests.embed.encoder.encoder_cases import TEXTS, encoder, model, tokenizer
from tfplm.models.portable import litert
from tfplm.models.portable.formats import open_session
from tfplm.models.portable.portable import Portable

pytest.importorskip("ai_edge_litert", reason="ai-edge-litert not installed: pip install -e '.[litert]'")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")  # with matrices that are large enough to be made smaller
    made = encoder(folder, hidden_size=64, num_attention_heads=4, intermediate_size=256, num_hidden_layers=2)
    made.save_pretrained(folder / "model")
    return made, folder, tfplm.export(folder / "model", folder / "float32", format="litert")


def test_vectors_of_batches_of_any_shape(saved):
    made, folder, report = saved
    session = open_session(folder / "float32", "litert")
    for texts in (TEXTS[:1], TEXTS[:3], TEXTS):
        found = session(made.tokenizer(texts, max_length=40))["sentence_embedding"]
        np.testing.assert_allclose(found, made.encode(texts), atol=1e-5)
    assert report.agreement["sentence_embedding"].difference < 1e-5


def test_the_file_is_run_by_the_interpreter_alone(saved):
    from ai_edge_litert.interpreter import Interpreter

    made, folder, _ = saved
    run = Interpreter(str(folder / "float32" / "litert" / "model.tflite")).get_signature_runner("serving_default")
    batch = {name: array for name, array in made.tokenizer(TEXTS[0]).items() if name in run.get_input_details()}
    np.testing.assert_allclose(run(**batch)["sentence_embedding"], made.encode(TEXTS[:1]), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float16", "int8", "static int8"])
def test_smaller_files(saved, tmp_path, precision):
    _, folder, whole = saved
    options = {"precision": precision.split()[-1]}
    if precision.startswith("static"):
        (tmp_path / "texts.txt").write_text("\n".join(["the cat sleeps", "a dog running", "我们去公园散步"] * 20))
        options["calibrate"] = [str(tmp_path / "texts.txt")]
    report = tfplm.export(folder / "model", tmp_path / "small", format="litert", **options)
    assert report.int8 == {"float16": None, "int8": "dynamic", "static int8": "static"}[precision]
    assert report.bytes < {"float16": 0.6, "int8": 0.4, "static int8": 0.65}[precision] * whole.bytes
    for each in report.agreement.values():
        assert 0.98 < each.cosine < 1 - 1e-9 and each.difference > 1e-6


@pytest.mark.slow
def test_labels(tmp_path):
    built = model("sequence_classification", num_labels=3)
    tfplm.save_pretrained(built, tmp_path / "model", tokenizer(tmp_path))
    tfplm.export(tmp_path / "model", tmp_path / "lite", format="litert")
    batch = tokenizer(tmp_path)(TEXTS, max_length=40)
    np.testing.assert_allclose(open_session(tmp_path / "lite", "litert")(batch)["logits"], built(batch), atol=1e-5)


def test_a_model_that_is_too_large(tmp_path):
    large = Portable(lambda batch: batch, {}, (), weight_bytes=3 << 30)
    with pytest.raises(ValueError, match="the weights have 3072 MB in float32; expected at most 1900 MB for LiteRT with "
                                         "float32, as a flatbuffer has at most 2 GB: choose a smaller --precision"):
        litert.write(large, tmp_path, "float32", [])
    with pytest.raises(FileNotFoundError, match="expected a folder that tfplm export --format litert wrote"):
        open_session(tmp_path, "litert")
