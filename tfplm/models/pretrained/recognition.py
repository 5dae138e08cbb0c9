"""The family and the form of a checkpoint: weights and files win over the config."""

from pathlib import Path
from typing import Any

import numpy as np

from tfplm.core.checkpoints import Checkpoint
from tfplm.core.config import Config
from tfplm.core.weight_names import Names, Place, detect_prefix
from tfplm.families import registry
from tfplm.families.registry import Family

# heads with logits over the vocabulary
LANGUAGE_MODELS = {*registry.LANGUAGE_MODELS.values(), "pretraining"}
_ROWS = 4096  # of two matrices that are compared at a time


def recognize(config: dict[str, Any], checkpoint: Checkpoint, directory: Path) -> Family:
    """The family of a directory's model.

    Raises:
        ValueError: no family has such weights, or the config's `model_type` is not supported.
    """
    names = checkpoint.names()
    if checkpoint.layout == "tf1":
        if family := registry.tf1_family(names):
            return family
        raise ValueError(f"{checkpoint.path}: no known family has tensors such as {', '.join(sorted(names)[:3])}")
    family = registry.family(config.get("model_type") or _by_prefix(names) or Config.model_type)
    other = family.true_type(names, directory)
    return registry.family(other) if other else family


def _by_prefix(names: list[str]) -> str | None:
    # "roberta." is the prefix of XLM-R and CamemBERT as well
    for model_type in sorted(registry.families(), key=lambda name: registry.family(name).names.hf_prefix != f"{name}."):
        prefix = registry.family(model_type).names.hf_prefix
        if prefix and any(name.startswith(prefix) for name in names):
            return model_type
    return None


def is_tied(config: Config, checkpoint: Checkpoint, names: Names, head: str | None, compare: bool) -> bool:
    """Whether the logits over the vocabulary are computed with the token embeddings.

    The tensors decide, because the config's flag is unreliable: transformers 5 writes `tie_word_embeddings: true` even
    if T5 v1.1 or mT5 has a separate output matrix, and published files with false may lack one.

    Args:
        config: as the file states it. head: the head that the checkpoint was saved with, None if unknown or headless.
        compare: whether to compare an output matrix with the embeddings where the flag is true, which reads both;
            without comparison the flag decides.
    """
    found = _find("lm_decoder/kernel", checkpoint, names)
    if found is None:  # a checkpoint without such a head leaves the form of a fresh one to the flag
        parts = ("lm_bias", "lm_transform/kernel", "lm_norm/gamma")
        return (config.tie_word_embeddings or head in LANGUAGE_MODELS
                or any(_find(part, checkpoint, names) is not None for part in parts))
    table = _find("embeddings/word/embeddings", checkpoint, names)
    if not config.tie_word_embeddings or not compare or table is None:
        return config.tie_word_embeddings
    return _equal(*(place.read(checkpoint.read(name)) for name, place in (found, table)))


def _find(path: str, checkpoint: Checkpoint, names: Names) -> tuple[str, Place] | None:
    """(name, place) of the tensor for a variable of ours, None if there is none."""
    prefix = detect_prefix(names, checkpoint.layout, checkpoint.names())
    return next(((name, place) for place in names.places(path, checkpoint.layout, prefix) for name in place.names
                 if name in checkpoint), None)


def _equal(kernel: np.ndarray, table: np.ndarray) -> bool:
    """Whether a kernel `[H,V]` is the transpose of a table `[V,H]`."""
    rows = kernel.T
    return rows.shape == table.shape and all(np.array_equal(rows[start:start + _ROWS], table[start:start + _ROWS])
                                             for start in range(0, len(table), _ROWS))
