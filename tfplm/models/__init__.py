"""Models: encoders, decoders, encoder-decoders, heads, generation, scoring, and pre-trained weights."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "check_vocabulary": ".pretrained.resizing",
    "count_parameters": ".pretrained.counting",
    "from_config": ".pretrained.api",
    "from_pretrained": ".pretrained.api",
    "open_source": ".pretrained.source",
    "resize_token_embeddings": ".pretrained.resizing",
    "save_pretrained": ".pretrained.api",
}, also=("presets",))


def presets() -> list[str]:
    """The names of all presets."""
    from tfplm.families import registry
    return registry.presets()
