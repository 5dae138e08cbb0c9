"""TextCNN (Kim 2014): a baseline without pre-training. The sizes are the paper's: 3 x 100 filters, dropout 0.5.

Names of tensors are our own, in the layout of a Hugging Face directory, kernels as PyTorch's Conv1d has them.
"""

from tfplm.core.weight_names import Names
from tfplm.families import bert

MODEL_TYPE = "textcnn"
CLASS = "TextCNN"
# what the embeddings of a baseline have not
PLAIN = {"position_type": "none", "type_vocab_size": 0, "embedding_norm": False, "pooler": False,
         "num_attention_heads": 1, "hidden_act": "relu", "initializer_range": 0.1, "classifier_dropout": 0.5}
CONFIG = {**PLAIN, "architecture": "textcnn", "embedding_size": 300, "hidden_size": 300, "num_hidden_layers": 1,
          "kernel_sizes": [3, 4, 5]}
PRESETS: dict[str, dict] = {"textcnn": {}}
WORDS = (("embeddings/word", "embeddings.word_embeddings", None),)
BLOCKS = tuple((f"encoder/block_{{n}}/convolution_{width}", f"encoder.layer.{{n}}.convolution_{width}", None)
               for width in range(1, 20))
NAMES = Names(WORDS + BLOCKS, bert.PREDICTIONS + bert.LABELS, hf_prefix="textcnn.")
KEYS, TOKENIZER = bert.KEYS, bert.TOKENIZER
