"""BERT-base with random weights: forward pass and training step, compared with what else computes them on a CPU.

    python tests/benchmarks/encoder.py [--what forward train] [--dtype bfloat16 float32 int8]

Batch 8, length 128, no padding, 2 threads. Training step: AdamW, dropout 0.1, a classification head. Peers: KerasHub,
torch + transformers, and for the forward pass ONNX Runtime (float32, dynamic int8) and OpenVINO (see peers.py); those that
are not installed are left out.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import peers
from turns import parser, race, table

BATCH, LENGTH, LABELS = 8, 128, 2


def _ids():
    return np.random.default_rng(0).integers(1000, 30000, (BATCH, LENGTH)).astype("int32")


def tfplm_encoder(dtype):
    import tfplm
    return tfplm.from_config("bert-base-uncased", dtype=dtype)


def tfplm_classifier(dtype):
    import keras

    import tfplm
    from tfplm.training.optimizers.make import make_optimizer
    model = tfplm.from_config("bert-base-uncased", "sequence_classification", num_labels=LABELS, dtype=dtype)
    model.compile(make_optimizer(learning_rate=2e-5, weight_decay=0.01, schedule="constant", clip_norm=0.0),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def tfplm_forward(dtype):
    model, batch = tfplm_encoder(dtype), {"input_ids": _ids()}
    return lambda: model.predict_on_batch(batch)["sequence_output"]


def tfplm_train(dtype):
    model, batch, labels = tfplm_classifier(dtype), {"input_ids": _ids()}, np.arange(BATCH) % LABELS
    return lambda: model.train_on_batch(batch, labels)


def _keras_hub_backbone(dtype):
    import keras_hub
    return keras_hub.models.BertBackbone(vocabulary_size=30522, num_layers=12, num_heads=12, hidden_dim=768,
                                         intermediate_dim=3072, dropout=0.1, dtype=dtype)


def _keras_hub_batch():
    ids = _ids()
    return {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": np.ones_like(ids)}


def keras_hub_encoder(dtype, jit_compile):
    model = _keras_hub_backbone(dtype)
    model.compile(jit_compile=jit_compile)
    return model


def keras_hub_classifier(dtype, jit_compile):
    import keras
    import keras_hub
    model = keras_hub.models.BertTextClassifier(_keras_hub_backbone(dtype), num_classes=LABELS, preprocessor=None)
    model.compile(keras.optimizers.AdamW(2e-5, weight_decay=0.01),
                  keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=jit_compile)
    return model


def keras_hub_forward(dtype, jit_compile):
    model, batch = keras_hub_encoder(dtype, jit_compile), _keras_hub_batch()
    return lambda: model.predict_on_batch(batch)["sequence_output"]


def keras_hub_train(dtype, jit_compile):
    model, batch, labels = keras_hub_classifier(dtype, jit_compile), _keras_hub_batch(), np.arange(BATCH) % LABELS
    return lambda: model.train_on_batch(batch, labels)


def torch_forward(dtype):
    import torch
    import transformers
    model = transformers.BertModel(transformers.BertConfig()).eval().to(getattr(torch, dtype))
    ids = torch.tensor(_ids(), dtype=torch.long)

    def run():
        with torch.inference_mode():
            return model(ids).last_hidden_state.float().numpy()
    return run


def _batch64():
    ids = _ids().astype("int64")
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def onnx_forward(dtype):
    run, batch = peers.onnx_runtime("bert-base", dtype), _batch64()
    return lambda: run(batch)


def openvino_forward(dtype):
    run, batch = peers.openvino("bert-base", dtype), _batch64()
    return lambda: run(batch)


def torch_train(dtype):
    import torch
    import transformers
    model = transformers.BertForSequenceClassification(transformers.BertConfig(num_labels=LABELS)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-5)
    ids, labels = torch.tensor(_ids(), dtype=torch.long), torch.arange(BATCH) % LABELS

    def run():
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == "bfloat16"):
            loss = model(ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return float(loss.detach())
    return run


FORWARD = {
    "bfloat16": {"tfplm bfloat16": (tfplm_forward, "bfloat16"), "torch bfloat16": (torch_forward, "bfloat16"),
                 "OpenVINO bfloat16": (openvino_forward, "bfloat16"),
                 "KerasHub mixed_bfloat16": (keras_hub_forward, "mixed_bfloat16", "auto")},
    "int8": {"tfplm float32": (tfplm_forward, "float32"), "ONNX Runtime int8": (onnx_forward, "int8")},
    "float32": {"tfplm float32": (tfplm_forward, "float32"), "torch float32": (torch_forward, "float32"),
                "ONNX Runtime float32": (onnx_forward, "float32"), "OpenVINO float32": (openvino_forward, "float32"),
                "KerasHub float32 + XLA": (keras_hub_forward, "float32", True),
                "KerasHub float32": (keras_hub_forward, "float32", "auto")},
}
TRAIN = {
    "bfloat16": {"tfplm mixed_bfloat16": (tfplm_train, "mixed_bfloat16"), "torch autocast": (torch_train, "bfloat16"),
                 "KerasHub mixed_bfloat16": (keras_hub_train, "mixed_bfloat16", "auto")},
    "float32": {"tfplm float32": (tfplm_train, "float32"), "torch float32": (torch_train, "float32"),
                "KerasHub float32": (keras_hub_train, "float32", "auto")},
}


def main():
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--what", nargs="*", default=["forward", "train"], choices=["forward", "train"])
    flags.add_argument("--dtype", nargs="*", default=["bfloat16", "float32", "int8"],
                       choices=["bfloat16", "float32", "int8"])
    options = flags.parse_args()
    for what in options.what:
        for dtype in options.dtype:
            contenders = {"forward": FORWARD, "train": TRAIN}[what].get(dtype)
            if contenders is None:  # nobody trains in int8
                continue
            times = race(contenders, options.rounds, options.only)
            table(f"BERT-base {what}, {BATCH} x {LENGTH}, {dtype}", times, next(iter(contenders)), BATCH, "sequences/s")


if __name__ == "__main__":
    main()
