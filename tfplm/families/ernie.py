"""ERNIE 1.0 and 2.0 of Baidu (Sun et al. 2019): BERT's layout, 2.0 with an embedding of the task type."""

from tfplm.families import bert

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
