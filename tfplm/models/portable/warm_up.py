"""Requests that TensorFlow Serving runs before it says that a SavedModel is ready, so that the first user need not wait."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.core.protobuf import Definition, Field

FILE = Path("assets.extra", "tf_serving_warmup_requests")


@functools.cache
def _log_class():
    """The class of `PredictionLog`, with the fields of TensorFlow Serving's prediction_log.proto that a request needs."""
    file = Definition("tfplm.serving")
    file.add("ModelSpec", model=Field(1, "string"), signature_name=Field(3, "string"))
    file.add("Input", key=Field(1, "string"), value=Field(2, "bytes"))  # an entry of a map; the value is a TensorProto
    file.add("Request", model_spec=Field(1, "ModelSpec"), inputs=Field(2, "Input", "repeated"))
    file.add("PredictLog", request=Field(1, "Request"))
    file.add("PredictionLog", predict_log=Field(6, "PredictLog"))
    return file.message_class("PredictionLog")


def write_warm_up(folder: Path, requests: Sequence[Mapping[str, np.ndarray]],
                  signature: str = "serving_default") -> None:
    """Writes `assets.extra/tf_serving_warmup_requests` into the folder of a SavedModel: TFRecords of `PredictionLog`.

    requests: the arrays of each request by the names of the inputs.
    """
    (folder / FILE).parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / FILE)) as writer:
        for request in requests:
            record = _log_class()()
            inner = record.predict_log.request
            inner.model_spec.model, inner.model_spec.signature_name = "model", signature  # any name
            for key, array in request.items():
                inner.inputs.add(key=key, value=tf.make_tensor_proto(array).SerializeToString())
            writer.write(record.SerializeToString(deterministic=True))
