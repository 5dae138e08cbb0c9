"""Which family a checkpoint belongs to: what the weights and the files say wins over what the config says."""

from pathlib import Path
from typing import Any

from tfplm.core.checkpoints import Checkpoint
from tfplm.families import registry
from tfplm.families.registry import Family

# the beginning of a TF1 tensor's name, or a part of it -> family; the first that occurs decides
_TF1_SIGNS = (("/transformer/group_0/", "albert"), ("electra/", "electra"), ("model/h0/", "gpt2"), ("bert/", "bert"),
              ("ernie/", "ernie"), ("roberta/", "roberta"))


def recognize(config: dict[str, Any], checkpoint: Checkpoint, directory: Path) -> Family:
    """The family of a directory's model.

    Raises:
        ValueError: no family has such weights, or the config's `model_type` is not supported.
    """
    names = checkpoint.names()
    if checkpoint.layout == "tf1":
        for sign, model_type in _TF1_SIGNS:
            if any(sign in name for name in names):
                return registry.family(model_type)
        raise ValueError(f"{checkpoint.path}: no known family has tensors such as {', '.join(sorted(names)[:3])}")
    model_type = config.get("model_type")
    if model_type is None:
        model_type = _by_prefix(names) or "bert"
    if model_type == "roberta" and _is_bert(names, directory):
        model_type = "bert"  # Chinese RoBERTa-wwm-ext has BERT's layout
    return registry.family(model_type)


def _by_prefix(names: list[str]) -> str | None:
    # "roberta." is the prefix of XLM-R and CamemBERT as well
    for model_type in sorted(registry.families(), key=lambda name: registry.family(name).names.hf_prefix != f"{name}."):
        prefix = registry.family(model_type).names.hf_prefix
        if prefix and any(name.startswith(prefix) for name in names):
            return model_type
    return None


def _is_bert(names: list[str], directory: Path) -> bool:
    if any(name.startswith("bert.") for name in names):
        return True
    return not any(name.startswith("roberta.") for name in names) and (directory / "vocab.txt").exists() \
        and not (directory / "merges.txt").exists()
