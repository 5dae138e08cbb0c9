"""Recognition of the family of a checkpoint and of tied weights; weights and files have priority over the config."""

from pathlib import Path
from typing import Any

import numpy as np

from tfplm.core.checkpoints import Checkpoint
from tfplm.core.config import Config
from tfplm.core.weight_names import Location, Names, detect_prefix
from tfplm.families import registry
from tfplm.families.registry import Family
from tfplm.models.pretrained.wrapping import GENERIC, best_family, plain_names, prefixes

# heads with logits over the vocabulary
LANGUAGE_MODELS = {*registry.LANGUAGE_MODELS.values(), "pretraining"}
_ROWS = 4096  # number of rows of two matrices that are compared at a time


def recognize(config: dict[str, Any], checkpoint: Checkpoint, directory: Path) -> Family:
    """The family of the model in a directory.

    Raises ValueError if no family has such weights, or the `model_type` of the config is not supported.
    """
    names = checkpoint.names()
    if checkpoint.layout == "tf1":
        _reject_other_albert(checkpoint)
        if family := registry.tf1_family(names) or best_family(checkpoint, _tf1_families(directory)):
            return family
        raise ValueError(f"{checkpoint.path} has tensors such as {', '.join(sorted(names)[:3])}, expected those of a "
                         f"known family: {', '.join(sorted(registry.families()))}")
    family = registry.family(config.get("model_type") or _by_prefix(checkpoint) or Config.model_type)
    other = family.true_type(plain_names(checkpoint, family), directory)
    return registry.family(other) if other else family


def _by_prefix(checkpoint: Checkpoint) -> str | None:
    """The model type whose prefix the names have, perhaps after that of another module; None if there is none."""
    names = checkpoint.names()
    # "roberta." is also the prefix of XLM-R and CamemBERT
    families = sorted(map(registry.family, registry.families()),
                      key=lambda family: family.names.hf_prefix != f"{family.model_type}.")
    own = [family for family in families if family.names.hf_prefix not in GENERIC]
    for family in own:
        if any(name.startswith(family.names.hf_prefix) for name in names):
            return family.model_type
    for family in own:
        if any(f".{family.names.hf_prefix}" in name for name in names):
            return family.model_type
    for family in families:
        if prefixes(family.names, "hf", names)[family.names.hf_prefix]:
            return family.model_type
    return None


def _tf1_families(directory: Path) -> list[Family]:
    """The families with a TF1 release, that of the config file in the directory first."""
    folder = directory if directory.is_dir() else directory.parent
    found = [registry.family(name) for name in registry.families() if registry.family(name).tf1]
    return sorted(found, key=lambda family: not (folder / family.tf1_config).is_file())


def _reject_other_albert(checkpoint: Checkpoint) -> None:
    """Raises ValueError for brightmart's ALBERT, whose layout is not that of Google."""
    signs = [name for name in checkpoint.names() if "/layer_shared/" in name or name.endswith("/word_embeddings_2")]
    if signs:
        raise ValueError(f"{checkpoint.path} has {len(signs)} tensors such as {signs[0]}: it is an ALBERT of "
                         "github.com/brightmart/albert_zh, whose layout is not supported; expected Google's layout "
                         "(encoder/transformer/group_0): use the files albert_*_google of the same author, or a "
                         "conversion to Hugging Face's layout")


def is_tied(config: Config, checkpoint: Checkpoint, names: Names, head: str | None, compare: bool) -> bool:
    """Returns True if the logits over the vocabulary are computed with the token embeddings.

    This depends on the tensors, as the flag of the config is unreliable: transformers 5 writes `tie_word_embeddings:
    true` even if T5 v1.1 or mT5 has a separate output matrix, and published files with false may not have one.

    Args:
        config: the configuration in the file.
        checkpoint: the weights.
        names: the table of weight names.
        head: the head with which the checkpoint was saved; None if unknown or without head.
        compare: compare an output matrix with the embeddings if the flag is true, which reads both; otherwise the flag
            is used.
    """
    found = _find("lm_decoder/kernel", checkpoint, names)
    if found is None:  # without such a head in the checkpoint, the flag determines the form of a new one
        parts = ("lm_bias", "lm_transform/kernel", "lm_norm/gamma")
        return (config.tie_word_embeddings or head in LANGUAGE_MODELS
                or any(_find(part, checkpoint, names) is not None for part in parts))
    table = _find("embeddings/word/embeddings", checkpoint, names)
    if not config.tie_word_embeddings or not compare or table is None:
        return config.tie_word_embeddings
    return _equal(*(location.read(checkpoint.read(name)) for name, location in (found, table)))


def _find(path: str, checkpoint: Checkpoint, names: Names) -> tuple[str, Location] | None:
    """(name, location) of the tensor for our variable `path`, or None if there is none."""
    prefix = detect_prefix(names, checkpoint.layout, checkpoint.names())
    return next(((name, location) for location in names.locations(path, checkpoint.layout, prefix)
                 for name in location.names if name in checkpoint), None)


def _equal(kernel: np.ndarray, table: np.ndarray) -> bool:
    """Returns True if a kernel `[H,V]` is the transpose of a table `[V,H]`."""
    rows = kernel.T
    return rows.shape == table.shape and all(np.array_equal(rows[start:start + _ROWS], table[start:start + _ROWS])
                                             for start in range(0, len(table), _ROWS))
