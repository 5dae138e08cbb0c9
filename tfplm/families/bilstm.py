"""BiLSTM: a baseline without pre-training, of one layer or two, with 256 units in each direction.

Names of tensors are our own, in the layout of a Hugging Face directory, kernels transposed as there, gates in the order
input, forget, cell, output.
"""

from tfplm.core.weight_names import Names
from tfplm.families import bert, textcnn

MODEL_TYPE = "bilstm"
CLASS = "BiLSTM"
CONFIG = {**textcnn.PLAIN, "architecture": "bilstm", "embedding_size": 300, "hidden_size": 512, "num_hidden_layers": 1}
PRESETS = {"bilstm": {}, "bilstm-2-layers": {"num_hidden_layers": 2}}
_OURS, _HF = "encoder/block_{n}/", "encoder.layer.{n}."
BLOCKS = tuple(row for side in ("forward", "backward") for row in (
    (f"{_OURS}{side}/lstm_cell", f"{_HF}{side}.input", None),
    (f"{_OURS}{side}/lstm_cell/recurrent_kernel", f"{_HF}{side}.recurrent.weight", None, "transpose")))
NAMES = Names(textcnn.WORDS + BLOCKS, bert.PREDICTIONS + bert.LABELS, hf_prefix="bilstm.")
KEYS, TOKENIZER = bert.KEYS, bert.TOKENIZER
