"""SavedModels with the tokenizer inside: the same answers in a process without tfplm, TensorFlow Serving's layout."""

import numpy as np
import pytest

import tfplm
from tests.embed.encoder.encoder_cases import TEXTS, encoder, model, tokenizer
from tests.export.stranger import stranger
from tfplm.embed.encoder.recipe import Recipe
from tfplm.models.portable import saved_model
from tfplm.models.portable.formats import open_session
from tfplm.models.portable.warm_up import FILE, _log_class

pytest.importorskip("tensorflow_text", reason="tensorflow-text not installed: pip install -e '.[text]'")

@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """(encoder, folder, report)."""
    folder = tmp_path_factory.mktemp("vectors")
    made = encoder(folder, Recipe(normalize=True, max_length=24, prompts={"q": "query: "}, default_prompt="q"))
    made.save_pretrained(folder / "model")
    return made, folder / "served", tfplm.export(folder / "model", folder / "served", format="saved_model")


@pytest.mark.slow
def test_text_to_vectors_without_tfplm(exported):
    made, folder, _ = exported
    found = stranger(folder, text=TEXTS)
    np.testing.assert_allclose(found["sentence_embedding"], made.encode(TEXTS), atol=1e-5)


@pytest.mark.slow
def test_ids_and_tokens(exported):
    made, folder, report = exported
    session = open_session(folder, "saved_model")
    assert session.takes_texts and not session.takes_pairs  # a prompt belongs to single texts
    batch = made.tokenizer([f"query: {text}" for text in TEXTS], max_length=24)
    tokens = {name: value.numpy() for name, value in session._signatures["tokenize"](
        text=np.array([text.encode() for text in TEXTS], object)).items()}
    for name in batch:
        np.testing.assert_array_equal(tokens[name], batch[name])
    np.testing.assert_allclose(session(batch)["sentence_embedding"], made.encode(TEXTS), atol=1e-5)
    assert {"sentence_embedding", "sentence_embedding of texts"} <= set(report.agreement)


@pytest.mark.slow
def test_the_folder_of_tensorflow_serving(exported):
    _, folder, _ = exported
    import tensorflow as tf
    from tensorflow.core.framework.tensor_pb2 import TensorProto

    assert (folder / "1" / "saved_model.pb").is_file() and (folder / "1" / "variables" / "variables.index").is_file()
    requests = [_log_class().FromString(record.numpy()).predict_log.request
                for record in tf.data.TFRecordDataset(str(folder / "1" / FILE))]
    assert [request.model_spec.signature_name for request in requests] == ["serving_default"] * 2
    signature = open_session(folder, "saved_model")._signatures["serving_default"]
    for request, rows in zip(requests, (1, 8)):  # they can be run
        (entry,) = request.inputs
        proto = TensorProto.FromString(entry.value)
        assert signature(**{entry.key: tf.constant(tf.make_ndarray(proto))})["sentence_embedding"].shape[0] == rows


@pytest.mark.slow
def test_only_operations_that_tensorflow_serving_has(exported):
    """Neither clusters of XLA, nor operations of TensorFlow Text that are newer than the image's (2.12)."""
    import tensorflow as tf
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    graph = SavedModel.FromString((exported[1] / "1" / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    nodes = [node for part in (graph.node, *(function.node_def for function in graph.library.function)) for node in part]
    operations = {node.op for node in nodes}
    assert {op for op in operations if not hasattr(tf.raw_ops, op)} == {"FastWordpieceTokenizeWithOffsets"}
    assert not any("xla" in op.lower() for op in operations)
    assert not any("_XlaMustCompile" in node.attr and node.attr["_XlaMustCompile"].b for node in nodes)


@pytest.mark.slow
def test_labels_pairs_and_probabilities(tmp_path):
    built = model("sequence_classification", num_labels=3, id2label={0: "差评", 1: "neutral", 2: "好评"})
    tfplm.save_pretrained(built, tmp_path / "model", tokenizer(tmp_path))
    tfplm.export(tmp_path / "model", tmp_path / "served", format="saved_model", max_length=20)
    texts, pairs = TEXTS[:5], TEXTS[:5][::-1]
    for given in ({"text": texts}, {"text": texts, "text_pair": pairs}):
        found = stranger(tmp_path / "served", "pairs" if "text_pair" in given else "serving_default", **given)
        logits = np.asarray(built(tokenizer(tmp_path)(*given.values(), max_length=20)))
        np.testing.assert_allclose(found["logits"], logits, atol=1e-5)
        assert found["label"] == [built.id2label[index] for index in logits.argmax(1)]
        np.testing.assert_allclose(np.sum(found["probabilities"], 1), 1, atol=1e-5)


@pytest.mark.slow
def test_tags(tmp_path):
    built = model("token_classification", num_labels=2, id2label={0: "O", 1: "B-LOC"})
    tfplm.save_pretrained(built, tmp_path / "model", tokenizer(tmp_path))
    tfplm.export(tmp_path / "model", tmp_path / "served", format="saved_model")
    found = open_session(tmp_path / "served", "saved_model").texts(["the cat", "我们下午去公园散步。"])
    assert found["label"].shape == found["input_ids"].shape == (2, 12)
    assert set(found["label"][0, 4:]) == {b""} and set(found["label"][1]) <= {b"O", b"B-LOC"}


def test_a_tokenizer_that_stays_outside(tmp_path, caplog, monkeypatch):
    built = model()
    tfplm.save_pretrained(built, tmp_path / "model", tokenizer(tmp_path))

    def differs(*arguments):
        raise saved_model.NotInGraph("its ids of the text 'a' are [1]..., but TensorFlow Text's [2]...")

    monkeypatch.setattr(saved_model, "check_exact", differs)
    tfplm.export(tmp_path / "model", tmp_path / "served", format="saved_model", head="none")
    (line,) = [record.getMessage() for record in caplog.records if "SavedModel" in record.getMessage()]
    assert "takes ids, not texts: the tokenizer has no exact form in TensorFlow, as its ids of the text 'a'" in line
    session = open_session(tmp_path / "served", "saved_model")
    assert not session.takes_texts and set(session._signatures) == {"ids", "serving_default"}
    with pytest.raises(ValueError, match="the precision is 'int8'; expected one of float32 for the format saved_model"):
        tfplm.export(tmp_path / "model", tmp_path / "other", format="saved_model", precision="int8")
    with pytest.raises(FileNotFoundError, match=r"saved_model.pb; expected a folder that tfplm export --format"):
        open_session(tmp_path, "saved_model")
