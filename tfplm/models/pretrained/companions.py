"""What lies next to the weights of a model and belongs to it: the modules of sentence-transformers, the settings of a task.

`tfplm convert` copies it, or says what another layout cannot express.
"""

import shutil
from pathlib import Path, PurePosixPath
from typing import Any

from tfplm.core.config import read_json, read_json_list

MODULES = "modules.json"  # of sentence-transformers: the modules in order, with their folders
_OF_SENTENCES = (MODULES, "sentence_bert_config.json", "config_sentence_transformers.json")
_OF_HUGGING_FACE = ("generation_config.json",)
_OF_ALL = ("task.json",)  # of `tfplm finetune`


def modules(folder: Path) -> list[dict[str, Any]]:
    """The modules of a folder of sentence-transformers, in order; none for any other folder.

    Raises ValueError for a damaged list, and for a module outside of the folder.
    """
    file = folder / MODULES
    if not file.is_file():
        return []
    found = read_json_list(file)
    for module in found:
        path = module.get("path") if isinstance(module, dict) else None
        if not isinstance(path, str) or not isinstance(module.get("type"), str) or PurePosixPath(path).is_absolute() \
                or {"..", "\\"} & {*PurePosixPath(path).parts, *path}:
            raise ValueError(f"{file} has the module {str(module)[:200]}; expected its type, and the path of its folder in "
                             f"{folder}")
    return sorted(found, key=lambda module: module["idx"] if isinstance(module.get("idx"), int) else 0)


def model_folder(folder: Path) -> str:
    """The folder of the model in a folder of sentence-transformers, such as `0_Transformer`; "" for the folder itself."""
    found = modules(folder)
    return found[0]["path"] if found and (folder / found[0]["path"]).is_dir() else ""


def copy_companions(source: Path, target: Path, layout: str) -> list[str]:
    """Copies the files that belong to a model in layout "hf", "tf1" or "keras"; returns what is not carried.

    Args:
        source, target: folders; those of sentence-transformers contain the model in `model_folder`.
    """
    found, inner = modules(source), model_folder(source)
    _copy(source / inner, target / (inner if layout == "hf" else ""), _OF_ALL)
    if layout != "hf":
        return [*_kinds(found), *_limits(source / inner, source)] if found else []
    for name in [*_OF_SENTENCES, *_OF_HUGGING_FACE]:
        _copy(source, target, (name,))
        _copy(source / inner, target / inner, (name,))
    for module in found[1:]:
        folder = module["path"]
        if (source / folder).is_dir() and folder:
            shutil.copytree(source / folder, target / folder, dirs_exist_ok=True)
        elif folder:  # the folder of a normalization is empty, which Git does not keep
            (target / folder).mkdir(parents=True, exist_ok=True)
    return []


def _copy(source: Path, target: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _kinds(found: list[dict[str, Any]]) -> list[str]:
    spoken = {"Pooling": "pooling", "Normalize": "normalisation", "Dense": "dense projection"}
    kinds = [module["type"].rpartition(".")[2] for module in found[1:]]
    return list(dict.fromkeys(spoken.get(kind, kind) for kind in kinds if kind != "Dropout"))


def _limits(model: Path, folder: Path) -> list[str]:
    settings = model / "sentence_bert_config.json"
    values = read_json(settings) if settings.is_file() else {}
    limit = values.get("max_seq_length")
    found = [f"length limit of {limit} tokens"] if limit else []
    prompts = folder / "config_sentence_transformers.json"
    return found + (["prompts"] if prompts.is_file() and read_json(prompts).get("prompts") else [])
