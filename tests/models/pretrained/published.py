"""Stored names and shapes of published checkpoints, as checkpoints without content."""

from pathlib import Path

import numpy as np

from tfplm.core.checkpoints.checkpoint import Checkpoint
from tfplm.core.checkpoints.tensor import Tensor
from tfplm.core.config import read_json
from tfplm.families import registry
from tfplm.models.shapes import variable_shapes

NAMES = Path(__file__).parents[2] / "golden" / "names"


def checkpoint(name: str, layout: str, shapes: dict[str, list[int]]) -> Checkpoint:
    tensors = {key: Tensor(tuple(shape), np.dtype("float32"), lambda: None) for key, shape in shapes.items()}
    return Checkpoint(Path(name), layout, tensors)


def shapes(family: registry.Family, config: dict, head: str | None, num_labels: int | None = None, **changes) -> dict:
    """Names and shapes of the variables of a model, from a published config."""
    return variable_shapes(family.read_config(config).replace(**changes), head, num_labels)


def as_published(stored: dict) -> dict[str, list[int]]:
    """The names in the published file, which differ from those that transformers writes today."""
    differs = stored["file"]
    names = {}
    for name, shape in stored["tensors"].items():
        name = name.removeprefix(differs.get("without_prefix", ""))
        for today, old in differs.get("renamed", ()):
            name = name.replace(today, old)
        names[name] = shape
    config = stored["config"]
    width = config.get("embedding_size") or config.get("hidden_size") or config.get("d_model") or config.get("dim")
    for name, shape in differs.get("extra", {}).items():  # None: a copy of a tied tensor
        names[name] = shape or [config["vocab_size"], width][:1 if name.endswith("bias") else 2]
    return names


def stored(folder: str = "") -> dict[str, dict]:
    return {path.stem: read_json(path) for path in sorted((NAMES / folder).glob("*.json"))}
