"""ONNX files in other precisions: float16 weights, and int8 products of matrices."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

_LARGE = 1024  # elements; smaller constants, such as biases and norms, stay float32
_FLOAT16 = float(np.finfo(np.float16).max)


def to_float16_weights(model: onnx.ModelProto) -> None:
    """Stores the large constants as float16, half of the size.

    A node converts each of them to float32, once, when a session is opened: CPUs compute in float32.
    """
    graph, casts = model.graph, []
    for constant in list(graph.initializer):
        if constant.data_type != TensorProto.FLOAT or np.prod(constant.dims) < _LARGE:
            continue
        values, name = numpy_helper.to_array(constant), constant.name
        stored = numpy_helper.from_array(np.clip(values, -_FLOAT16, _FLOAT16).astype(np.float16), f"{name}_float16")
        constant.CopyFrom(stored)
        casts.append(helper.make_node("Cast", [stored.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


class _Batches(quantization.CalibrationDataReader):
    """The calibration batches, as ONNX Runtime reads them."""

    def __init__(self, batches: Sequence[dict[str, np.ndarray]], names: list[str]):
        self._batches, self._names = iter(batches), names

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._batches, None)
        return None if batch is None else {name: np.asarray(batch[name], np.int64) for name in self._names}


def write_int8(model: onnx.ModelProto, file: Path, scratch: Path, calibration: Sequence[dict[str, np.ndarray]]) -> None:
    """Writes the model with int8 weights of products and embeddings.

    Without calibration dynamic: the range of the other factor of each product is measured at each call. With
    calibration static: it is fixed, as measured over these batches.

    Args:
        scratch: a folder for intermediate files.
    """
    source = scratch / "model.onnx"
    source.write_bytes(model.SerializeToString())
    if not calibration:
        quantization.quantize_dynamic(source, file, weight_type=quantization.QuantType.QInt8, per_channel=True,
                                      extra_options={"MatMulConstBOnly": True})
        return
    prepared = scratch / "prepared.onnx"
    quant_pre_process(source, prepared, skip_symbolic_shape=True)  # fuses, so that fused nodes stay whole
    reader = _Batches(calibration, [each.name for each in model.graph.input])
    quantization.quantize_static(
        prepared, file, reader, quant_format=quantization.QuantFormat.QDQ, op_types_to_quantize=["MatMul", "Gather"],
        per_channel=True, activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
        extra_options={"MatMulConstBOnly": True})
