"""Models from configurations: encoders, decoders, heads, generation, families."""

import importlib

_PUBLIC = {
    "count_parameters": "tfplm.models.counting", "from_config": "tfplm.models.pretrained",
    "from_pretrained": "tfplm.models.pretrained", "save_pretrained": "tfplm.models.pretrained",
    "check_vocabulary": "tfplm.models.resizing", "resize_token_embeddings": "tfplm.models.resizing",
}
__all__ = [*_PUBLIC, "presets"]


def presets() -> list[str]:
    """The names of all presets."""
    import tfplm.models.families  # noqa: F401  (registers them)
    from tfplm.core import registry
    return registry.presets()


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tfplm.models' has no attribute '{name}'")
