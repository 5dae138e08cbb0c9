"""Models from configurations: encoders, decoders, heads, generation, families."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "check_vocabulary": ".resizing",
    "count_parameters": ".counting",
    "from_config": ".pretrained",
    "from_pretrained": ".pretrained",
    "resize_token_embeddings": ".resizing",
    "save_pretrained": ".pretrained",
}, also=("presets",))


def presets() -> list[str]:
    """The names of all presets."""
    import tfplm.models.families  # noqa: F401  (registers them)
    from tfplm.core import registry
    return registry.presets()
