"""Sentence vectors: pooling, encoding, whitening, contrastive training."""

import importlib

_PUBLIC = {
    "Pooling": "pooling",
    "SearchIndex": "search.search_index",
    "SentenceEncoder": "sentence_encoder",
    "Whitening": "whitening",
    "encode_file": "encode_file",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        value = getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
        globals()[name] = value  # over the submodule that may have the same name
        return value
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
