"""ERNIE 1.0 and 2.0 of Baidu (Sun et al. 2019): BERT's layout, 2.0 with an embedding of the task type."""

import dataclasses

from tfplm.families import bert
from tfplm.families.registry import TF1Release

MODEL_TYPE = "ernie"
CLASS = "Ernie"
CONFIG = {"vocab_size": 18000, "max_position_embeddings": 513, "hidden_act": "relu", "layer_norm_eps": 1e-5}
_2_0 = {"vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 4, "hidden_act": "gelu"}
PRESETS = {
    "ernie-1.0-base-zh": {},
    "ernie-2.0-base-en": _2_0,
    "ernie-2.0-large-en": {**_2_0, "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
    "ernie-3.0-base-zh": {"vocab_size": 40000, "max_position_embeddings": 2048, "type_vocab_size": 4,
                          "task_type_vocab_size": 3, "hidden_act": "gelu"},
}
TASKS = (("embeddings/task_type", "embeddings.task_type_embeddings", "embeddings/task_type_embeddings"),)
NAMES = bert.NAMES.with_(base=bert.NAMES.base + TASKS, hf_prefix="ernie.", tf1_prefix="ernie/")
TF1 = TF1Release("ernie_config.json", "ernie_model.ckpt", ("ernie/",))


def _read(values: dict, layout: str) -> dict:
    if "use_task_id" in values:
        size = values.get("task_type_vocab_size", 3)
        values["task_type_vocab_size"] = size if values.pop("use_task_id") else 0
    return bert.KEYS.read(values, layout)


def _write(values: dict, config, layout: str) -> dict:
    if config.task_type_vocab_size:
        values |= {"use_task_id": True, "task_type_vocab_size": config.task_type_vocab_size}
    return bert.KEYS.write(values, config, layout)


KEYS = dataclasses.replace(bert.KEYS, read=_read, write=_write)
TOKENIZER = bert.TOKENIZER
