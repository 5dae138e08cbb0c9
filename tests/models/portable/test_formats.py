"""The table of formats, the form of ONNX files, precisions, and errors."""

import collections
import importlib.util

import numpy as np
import pytest

from tests.models import cases
from tests.models.portable.portable_cases import differences, needs, written
from tfplm.models.portable.formats import FORMATS, format_of, open_session
from tfplm.models.portable.signatures import portable_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT in ONNX."""
    needs("onnx")
    folder = tmp_path_factory.mktemp("bert")
    written(cases.model("bert"), folder, "onnx")
    return folder


@pytest.fixture(scope="module")
def graph(folder):
    import onnx

    return onnx.load(folder / "onnx" / "model.onnx").graph


def test_inputs_and_outputs_have_the_names_of_other_exporters(graph):
    assert [each.name for each in graph.input] == ["input_ids", "attention_mask", "token_type_ids"]
    assert [each.name for each in graph.output] == ["last_hidden_state", "pooler_output"]
    axes = [[axis.dim_param or axis.dim_value for axis in each.type.tensor_type.shape.dim]
            for each in (*graph.input, *graph.output)]
    assert axes == [["batch", "sequence"]] * 3 + [["batch", "sequence", 12], ["batch", 12]]
    assert {each.type.tensor_type.elem_type for each in graph.input} == {7}  # int64


def test_no_shape_is_computed_for_attention(graph):
    """Each reshape has a constant shape, in which 0 stands for the axis of its input."""
    constants = {each.name for each in graph.initializer}
    reshapes = [node for node in graph.node if node.op_type == "Reshape"]
    assert len(reshapes) == 8 and all(node.input[1] in constants for node in reshapes)


def test_onnx_runtime_fuses_norms_and_activations(folder, tmp_path):
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    onnxruntime.InferenceSession(str(folder / "onnx" / "model.onnx"), options, providers=["CPUExecutionProvider"])
    kinds = collections.Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    assert kinds["Erf"] == kinds["Sqrt"] == kinds["ReduceMean"] == 0
    assert kinds["LayerNormalization"] + kinds["SkipLayerNormalization"] + kinds["EmbedLayerNormalization"] == 5
    assert kinds["Gelu"] + kinds["BiasGelu"] + kinds["FastGelu"] == 2


def test_a_session_fills_in_what_a_batch_leaves_out(folder):
    session = open_session(folder, "onnx")
    batch = cases.batch("bert", padded=False)
    whole = session({**batch, "attention_mask": np.ones_like(batch["input_ids"]),
                     "token_type_ids": np.zeros_like(batch["input_ids"]), "another": 3})
    short = session({"input_ids": batch["input_ids"]})
    np.testing.assert_array_equal(whole["last_hidden_state"], short["last_hidden_state"])


@pytest.mark.parametrize(("name", "precision", "calibrated", "most"), [
    ("onnx", "int8", False, 0.3), pytest.param("onnx", "float16", False, 3e-3, marks=pytest.mark.slow),
    pytest.param("onnx", "int8", True, 0.3, marks=pytest.mark.slow),
    pytest.param("openvino", "float16", False, 3e-3, marks=pytest.mark.slow),
    pytest.param("openvino", "int8", False, 0.3, marks=pytest.mark.slow),
    pytest.param("openvino", "int8", True, 0.4, marks=pytest.mark.slow)])
def test_precisions(name, precision, calibrated, most, tmp_path):
    needs(name)
    batches = [cases.batch("bert", rows, length) for rows in (1, 3) for length in range(7, 20, 3)] if calibrated else []
    session = written(cases.model("bert"), tmp_path, name, precision, batches)
    assert 0 < differences("bert", None, session) < most


@pytest.mark.slow
def test_smaller_precisions_are_smaller_files(tmp_path):
    import tfplm

    needs("onnx")
    model = tfplm.from_config("bert-tiny", num_hidden_layers=1, vocab_size=500)
    sizes = {}
    for precision in ("float32", "float16", "int8"):
        (tmp_path / precision).mkdir()
        written(model, tmp_path / precision, "onnx", precision)
        sizes[precision] = (tmp_path / precision / "onnx" / "model.onnx").stat().st_size
    assert sizes["float16"] < 0.65 * sizes["float32"] and sizes["int8"] < 0.5 * sizes["float32"]


def test_errors_of_the_table(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="there is no format 'onx'; did you mean 'onnx'[?]; expected one of .*openvino"):
        format_of("onx")
    with pytest.raises(ValueError, match="the precision is 'int4'; expected one of float32, float16, int8"):
        format_of("onnx", "int4")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"onnx needs tf2onnx and onnx.*are not installed: pip install -e '\.\[onnx\]'"):
        FORMATS["onnx"].load(("tf2onnx", "onnx"))


def test_a_folder_without_the_file(tmp_path):
    for name in ("onnx", "openvino"):
        needs(name)
        with pytest.raises(FileNotFoundError, match=f"expected a folder that tfplm export --format {name} wrote"):
            open_session(tmp_path, name)


def test_only_float32_models_are_written():
    model = cases.model("bert", dtype="bfloat16")
    with pytest.raises(ValueError, match="computes in bfloat16; expected float32.*--precision"):
        portable_model(model)
