"""Folders of sentence-transformers (Reimers and Gurevych 2019): a model, and modules that compute vectors from it.

    modules.json                          the list of modules with their folders
    1_Pooling/config.json                 the pooling
    2_Dense/config.json, model.safetensors    a projection
    3_Normalize/                          vectors of length 1; an empty folder
    sentence_bert_config.json             max_seq_length, do_lower_case
    config_sentence_transformers.json     prompts
"""

import json
import os
from pathlib import Path

import numpy as np

from tfplm.core.checkpoints import open_checkpoint, write_safetensors
from tfplm.core.config import read_json, write_json
from tfplm.core.files import write_text
from tfplm.embed.encoder.pooling import Pooling, PoolingPlan
from tfplm.embed.encoder.recipe import ACTIVATIONS, DenseModule, Recipe
from tfplm.models.pretrained.companions import modules

# in the order in which several are concatenated in the vector
_MODES = {"cls": ("pooling_mode_cls_token", Pooling.FIRST_TOKEN),
          "max": ("pooling_mode_max_tokens", Pooling.REDUCE_MAX),
          "mean": ("pooling_mode_mean_tokens", Pooling.REDUCE_MEAN),
          "mean_sqrt_len_tokens": ("pooling_mode_mean_sqrt_len_tokens", Pooling.MEAN_SQRT_LENGTH),
          "weightedmean": ("pooling_mode_weightedmean_tokens", Pooling.WEIGHTED_MEAN),
          "lasttoken": ("pooling_mode_lasttoken", Pooling.LAST_TOKEN)}
_KNOWN = "Transformer, Pooling, Dense, Normalize"


def model_folder(path: Path) -> Path:
    """The folder of the model itself: the given folder, or the one named by `modules.json` (`0_Transformer`)."""
    found = modules(path)
    return path / found[0]["path"] if found else path


def read_recipe(path: Path) -> Recipe | None:
    """Reads the recipe of a folder of sentence-transformers; None for any other folder.

    Raises ValueError for an unknown module, pooling or activation, because the vectors would be wrong.
    """
    found_modules = modules(path)
    if not found_modules:
        return None
    if _kind(found_modules[0]) != "Transformer":
        raise ValueError(f"{path}/modules.json starts with {found_modules[0]['type']}, expected a Transformer")
    settings = _read(path / found_modules[0]["path"] / "sentence_bert_config.json")
    found = {"max_length": settings.get("max_seq_length"), "lowercase": bool(settings.get("do_lower_case")),
             **_prompts(_read(path / "config_sentence_transformers.json"))}
    for module in found_modules[1:]:
        folder, kind = path / module["path"], _kind(module)
        if kind == "Pooling":
            config = _read(folder / "config.json")
            found |= {"plan": PoolingPlan(_strategies(config, folder)), "pool_prompt": config.get("include_prompt", True)}
        elif kind == "Dense" and not found.get("normalize"):
            found["dense"] = (*found.get("dense", ()), _dense(folder))
        elif kind == "Normalize":
            found["normalize"] = True
        elif kind != "Dropout":  # does nothing after training
            raise ValueError(f"{path}/modules.json has the module {module['type']} at position {module.get('idx')}, "
                             f"which is not supported there; expected {_KNOWN}, in this order")
    if "plan" not in found:
        raise ValueError(f"{path}/modules.json has no Pooling module; expected {_KNOWN}")
    return Recipe(**found)


def _read(path: Path) -> dict:
    return read_json(path) if path.is_file() else {}


def _kind(module: dict) -> str:
    return module["type"].rpartition(".")[2]


def _prompts(config: dict) -> dict:
    prompts = {name: text or "" for name, text in (config.get("prompts") or {}).items()}
    default = config.get("default_prompt_name")
    return {"prompts": prompts, "default_prompt": default if default in prompts else None}


def _strategies(config: dict, folder: Path) -> tuple[Pooling, ...]:
    """Reads both forms: `pooling_mode: "mean"` (or a list), and the older flags `pooling_mode_mean_tokens: true`."""
    named = config.get("pooling_mode")
    if named is None:
        flags = {flag: mode for mode, (flag, _) in _MODES.items()}
        on = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
        if unknown := [key for key in on if key not in flags]:
            raise ValueError(f"{folder}/config.json has {unknown[0]}, which is not supported; expected "
                             f"{', '.join(flags)}")
        named = [mode for flag, mode in flags.items() if flag in on] or ["mean"]
    named = [named] if isinstance(named, str) else named
    if unknown := [mode for mode in named if mode not in _MODES]:
        raise ValueError(f"{folder}/config.json has pooling_mode {unknown[0]!r}, which is not supported; expected "
                         f"{', '.join(_MODES)}")
    return tuple(_MODES[mode][1] for mode in named)


def _dense(folder: Path) -> DenseModule:
    config = read_json(folder / "config.json")
    activation = config.get("activation_function", "torch.nn.modules.activation.Tanh").rpartition(".")[2]
    unusual = config.get("use_residual") or config.get("module_input_name", "sentence_embedding") != "sentence_embedding"
    if activation not in ACTIVATIONS or unusual:
        raise ValueError(f"{folder}/config.json is a Dense module with activation {activation!r}"
                         f"{', a residual or another input' if unusual else ''}; expected one of the sentence vector, "
                         f"with {', '.join(ACTIVATIONS)}")
    with open_checkpoint(folder) as weights:
        kernel = np.ascontiguousarray(np.asarray(weights["linear.weight"], np.float32).T)
        bias = np.array(weights["linear.bias"], np.float32) if "linear.bias" in weights else None
    return DenseModule(kernel, bias, activation)


def supports(plan: PoolingPlan) -> bool:
    """Returns True if sentence-transformers can express the plan: its poolings, over the last layer."""
    known = {strategy for _, strategy in _MODES.values()}
    return set(plan.strategies) <= known and plan.layers == (-1,) and not plan.mask_cls_sep


def write_recipe(directory: str | os.PathLike, recipe: Recipe, hidden_size: int) -> None:
    """Writes the modules next to a saved model, so that `SentenceTransformer(directory)` gives the same vectors.

    Raises ValueError for settings that sentence-transformers does not support: other layers than the last, or other
    poolings.
    """
    flags = {strategy: flag for flag, strategy in _MODES.values()}
    wrong = [strategy.name for strategy in recipe.plan.strategies if strategy not in flags]
    if not supports(recipe.plan):
        raise ValueError(f"sentence-transformers cannot express {wrong[0] if wrong else recipe.plan}: expected "
                         f"{', '.join(s.name for s in flags)} over the last layer")
    directory = Path(directory)
    written = [("", "Transformer"), ("1_Pooling", "Pooling")]
    (directory / "1_Pooling").mkdir(parents=True, exist_ok=True)
    write_json(directory / "1_Pooling" / "config.json",
               {"word_embedding_dimension": hidden_size, **_pooling_modes(recipe.plan.strategies),
                "include_prompt": recipe.pool_prompt})
    for index, dense in enumerate(recipe.dense, 2):
        written.append((f"{index}_Dense", "Dense"))
        _write_dense(directory / f"{index}_Dense", dense)
    if recipe.normalize:
        written.append((f"{len(written)}_Normalize", "Normalize"))
        (directory / written[-1][0]).mkdir(exist_ok=True)
    write_json(directory / "sentence_bert_config.json",
               {"max_seq_length": recipe.max_length, "do_lower_case": recipe.lowercase})
    write_json(directory / "config_sentence_transformers.json",
               {"prompts": recipe.prompts, "default_prompt_name": recipe.default_prompt})
    write_text(directory / "modules.json", json.dumps(
        [{"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
         for index, (path, kind) in enumerate(written)], indent=2))


def _pooling_modes(strategies: tuple[Pooling, ...]) -> dict:
    """The flags, which every version reads; for a different order also a list, which newer versions read."""
    modes = {flag: strategy in strategies for flag, strategy in _MODES.values()}
    if list(strategies) != [strategy for _, strategy in _MODES.values() if strategy in strategies]:
        names = {strategy: mode for mode, (_, strategy) in _MODES.items()}
        modes["pooling_mode"] = [names[strategy] for strategy in strategies]
    return modes


def _write_dense(folder: Path, dense: DenseModule) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {"linear.weight": np.ascontiguousarray(dense.kernel.T)}
    if dense.bias is not None:
        tensors["linear.bias"] = dense.bias
    module = "linear" if dense.activation == "Identity" else "activation"
    write_json(folder / "config.json",
               {"in_features": dense.kernel.shape[0], "out_features": dense.kernel.shape[1],
                "bias": dense.bias is not None, "activation_function": f"torch.nn.modules.{module}.{dense.activation}"})
    write_safetensors(folder, tensors)
