"""Every family, field and head gives in other programs what it gives in TensorFlow."""

import pytest

from tests.models import cases
from tests.models.portable.portable_cases import differences, needs, written

WITHOUT = {"task_types"}  # its batches have an input that the files do not
ENCODERS = [name for name in cases.CASES if name not in WITHOUT]
QUICK = ("bert",)
HEADS = [(name, head) for name in ENCODERS if name in cases.FAMILIES for head in cases.heads_of(name)
         if head not in ("causal_lm", "seq2seq_lm") and (cases.CASES[name].architecture != "seq2seq"
                                                         or head == "sequence_classification")]
QUICK_HEADS: list[tuple] = []
SLOW_HEADS = [("bert", head) for head in cases.heads_of("bert")] + [("gpt2", "sequence_classification"),
                                                                  ("bart", "sequence_classification"),
                                                                  ("albert", "multiple_choice"),
                                                                  ("roberta", "question_answering")]


def marked(case, quick, slow):
    return case if case in quick else pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=(
        pytest.mark.slow if case in slow else pytest.mark.all))


@pytest.mark.parametrize("name", [
    marked(name, QUICK, (*cases.FAMILIES, "prefix", "local", "bucketed", "rotary_decoder", "no_biases"))
    for name in ENCODERS if cases.CASES[name].architecture != "seq2seq"])
def test_hidden_states_in_onnx(name, tmp_path):
    needs("onnx")
    assert differences(name, None, written(cases.model(name), tmp_path, "onnx")) < 1e-5


@pytest.mark.parametrize(("name", "head"), [marked(case, QUICK_HEADS, SLOW_HEADS) for case in HEADS])
def test_heads_in_onnx(name, head, tmp_path):
    needs("onnx")
    assert differences(name, head, written(cases.model(name, head), tmp_path, "onnx")) < 1e-5


@pytest.mark.parametrize("name", [
    marked(name, ("bert",), ("albert", "modernbert", "roberta", "distilbert", "electra", "gpt2", "t5_encoder"))
    for name in ENCODERS if cases.CASES[name].architecture != "seq2seq"])
def test_hidden_states_in_openvino(name, tmp_path):
    needs("openvino")
    assert differences(name, None, written(cases.model(name), tmp_path, "openvino")) < 1e-5


@pytest.mark.parametrize(("name", "head"), [marked(case, (), [("bert", "question_answering")]) for case in HEADS])
def test_heads_in_openvino(name, head, tmp_path):
    needs("openvino")
    assert differences(name, head, written(cases.model(name, head), tmp_path, "openvino")) < 1e-5


@pytest.mark.parametrize("name", [
    marked(name, (), ("gpt2", "textcnn")) for name in ENCODERS
    if cases.CASES[name].architecture not in ("seq2seq", "bilstm")])
def test_hidden_states_in_litert(name, tmp_path):
    needs("litert")
    assert differences(name, None, written(cases.model(name), tmp_path, "litert")) < 1e-5


@pytest.mark.slow
def test_recurrent_models_are_refused_by_litert(tmp_path):
    needs("litert")
    with pytest.raises(ValueError, match="LiteRT cannot express the model: 'tf.TensorListReserve' op requires .*; expected "
                                         "operations of LiteRT only: export it with --format onnx or saved_model"):
        written(cases.model("bilstm"), tmp_path, "litert")
    assert not list(tmp_path.iterdir())
