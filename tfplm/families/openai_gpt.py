"""GPT (Radford et al. 2018): a post-norm decoder of 12 layers, trained as a left-to-right language model."""

from tfplm.families import gpt2

MODEL_TYPE = "openai-gpt"
CLASS = "OpenAIGPT"
DIALECT = "gpt"
CONFIG = {
    **gpt2.CONFIG, "vocab_size": 40478, "max_position_embeddings": 512, "norm_placement": "post", "final_norm": False,
    "initializer_scheme": "flat", "bos_token_id": None, "eos_token_id": None,
}
PRESETS = {"openai-gpt": {}}
EMBEDDINGS = (
    ("embeddings/word", "tokens_embed", None),
    ("embeddings/position", "positions_embed", None),
    (None, "position_ids", None),
)
NAMES = gpt2.NAMES.with_(base=EMBEDDINGS + gpt2.BLOCKS, tf1_prefix="", tf1_leaves=None)
