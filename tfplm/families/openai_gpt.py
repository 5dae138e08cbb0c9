"""GPT (Radford et al. 2018): a post-norm decoder of 12 layers, trained as a left-to-right language model."""

from tfplm.core.keys import Keys
from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.families import gpt2

MODEL_TYPE = "openai-gpt"
CLASS = "OpenAIGPT"
CONFIG = {
    **gpt2.CONFIG, "vocab_size": 40478, "max_position_embeddings": 512, "norm_placement": "post", "final_norm": False,
    "initializer_scheme": "flat", "bos_token_id": None, "eos_token_id": None,
}
PRESETS: dict[str, dict] = {"openai-gpt": {}}
EMBEDDINGS = (
    ("embeddings/word", "tokens_embed", None),
    ("embeddings/position", "positions_embed", None),
    (None, "position_ids", None),
)
NAMES = gpt2.NAMES.with_(base=EMBEDDINGS + gpt2.BLOCKS, tf1_prefix="", tf1_leaves=None)
CLASSES = gpt2.CLASSES


def _read(values: dict, layout: str) -> dict:
    return {**values, "afn": "gelu_new"} if values.get("afn") == "gelu" else values  # the tanh form in GPT's code


def _write(values: dict, config, layout: str) -> dict:
    return {**values, "afn": "gelu"} if values["afn"] == "gelu_new" else values


KEYS = Keys({**gpt2.OPENAI, "hidden_act": "afn"}, _read, _write, "never")
TOKENIZER = TokenizerRules("openai-gpt", "bpe", {"unk": "<unk>"}, tokenizer_class="OpenAIGPTTokenizer", also=("gpt",),
                           default_for=("reading", "learning"))
