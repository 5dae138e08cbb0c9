"""tfplm: pre-trained language models for TensorFlow 2 and Keras 3.

The public names are imported on first use: `import tfplm` itself does not import TensorFlow.
"""

import importlib

_PUBLIC = {
    "SentenceEncoder": "tfplm.embed",
    "Tokenizer": "tfplm.tokenizers",
    "count_parameters": "tfplm.models",
    "from_config": "tfplm.models",
    "from_pretrained": "tfplm.models",
    "presets": "tfplm.models",
    "save_pretrained": "tfplm.models",
}

__version__ = "0.1.0"
__all__ = ["__version__", *sorted(_PUBLIC)]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tfplm' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
