"""The golden cases of `tests/golden/models`: batches, outputs of the reference, and our outputs with the same names."""

import functools
from pathlib import Path

import numpy as np
import pytest

import tfplm
from tfplm.core.config import read_json
from tfplm.families.registry import families
from tfplm.models.heads import HEADS

FOLDER = Path(__file__).parents[1] / "golden" / "models"
REFUSED = {"gpt2-scale_by_layer"}


def _supported(name: str) -> bool:
    return read_json(FOLDER / name / "config.json")["model_type"] in families()


CASES = sorted(path.parent.name for path in FOLDER.glob("*/config.json")
               if path.parent.name not in REFUSED and _supported(path.parent.name))
WITH_OUTPUTS = [name for name in CASES if (FOLDER / name / "golden.npz").exists()]


def head_of(name: str) -> str | None:
    return next((head for head in HEADS if name.endswith(f"-{head}")), None)


def one_of_each_slow_rest() -> list:
    """All cases as parameters; all but the first of each family, the first of each head, and untied ones are slow."""
    seen, parameters = set(), []
    for name in CASES:
        family = read_json(FOLDER / name / "config.json")["model_type"]
        kinds = {family, head_of(name), name if "tied" in name else None}
        parameters.append(pytest.param(name, marks=[pytest.mark.slow] if kinds <= seen else []))
        seen |= kinds
    return parameters


@functools.cache
def load(name: str, **overrides):
    if name == "t5-encoder":
        overrides = {"architecture": "encoder", **overrides}
    return tfplm.from_pretrained(FOLDER / name, head_of(name), **overrides)


@functools.cache
def arrays(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / name / "golden.npz") as file:
        return dict(file)


def batch(name: str) -> dict[str, np.ndarray]:
    return {key.removeprefix("in/"): value for key, value in arrays(name).items() if key.startswith("in/")}


def reference(name: str) -> dict[str, np.ndarray]:
    return {key.removeprefix("out/"): value for key, value in arrays(name).items() if key.startswith("out/")}


def flat(value, path: str = "") -> dict[str, np.ndarray]:
    """Flattens nested dicts and tuples to one dict; a single tensor is named `logits`, as in the files."""
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, tuple | list):
        items = enumerate(value)
    else:
        return {path or "logits": np.asarray(value)}
    return {key: array for name, inner in items for key, array in flat(inner, f"{path}/{name}".strip("/")).items()}


def real(name: str, key: str, array: np.ndarray) -> np.ndarray:
    """The part of an output without the positions (in attentions: the rows) of padding."""
    given = batch(name)
    mask = given.get("attention_mask")
    if "decoder_input_ids" in given and not key.startswith("encoder"):
        mask = given.get("decoder_attention_mask")
    if mask is None or mask.ndim != 2:
        return array
    if "attentions" in key:
        array = np.moveaxis(array, 1, 2)  # [B,T,N,S]
    return array[mask == 1] if array.ndim > 1 and array.shape[:2] == mask.shape else array
