"""Folders of static embeddings: model2vec's, and those of sentence-transformers.

    config.json         model_type "model2vec", normalize, max_length, ...
    model.safetensors   embeddings [R,H], or weights [V] and mapping [V] as well
    tokenizer.json      of the library `tokenizers`
    modules.json        for sentence-transformers

A folder of sentence-transformers without such a config.json has the table as `embedding.weight`, also in the folder
0_StaticEmbedding.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as Backend

from tfplm.core.checkpoints import open_checkpoint, write_safetensors
from tfplm.core.config import read_json, write_json
from tfplm.core.files import write_text
from tfplm.embed.static.table import StaticTable
from tfplm.models.pretrained.companions import modules

MODEL_TYPE = "model2vec"
MAX_LENGTH = 512  # of model2vec, for a config without one
_KINDS = {"embeddings": "the vectors of tokens [tokens, size]", "weights": "a number for each token",
          "mapping": "the row of each token"}


@dataclasses.dataclass(frozen=True)
class StaticFiles:
    """The content of a folder: the table, the tokenizer, and the settings of config.json.

    keep_unknown: the folder is of sentence-transformers, where unknown tokens count.
    """

    table: StaticTable
    backend: Backend
    config: dict
    keep_unknown: bool = False

    @property
    def max_length(self) -> int | None:
        """Maximum number of tokens of a text; None: no limit."""
        return None if self.keep_unknown else self.config.get("max_length", MAX_LENGTH)


def is_static(path: Path) -> bool:
    """Returns True if static embeddings are in the folder."""
    return path.is_dir() and (_of_model2vec(path) or _of_sentence_transformers(path))


def _of_model2vec(path: Path) -> bool:
    return (path / "config.json").is_file() and read_json(path / "config.json").get("model_type") == MODEL_TYPE


def _of_sentence_transformers(path: Path) -> bool:
    found = modules(path)
    return bool(found) and found[0]["type"].rpartition(".")[2] == "StaticEmbedding"


def read_folder(path: Path) -> StaticFiles:
    """Reads a folder. Raises ValueError for a table that does not fit its tokenizer, FileNotFoundError without one."""
    if _of_model2vec(path):
        backend = _tokenizer(path)
        return StaticFiles(_table(path, "embeddings", backend), backend, read_json(path / "config.json"))
    found = modules(path)
    inner = path / found[0]["path"]
    backend = _tokenizer(inner)
    kinds = [module["type"].rpartition(".")[2] for module in found[1:]]
    if wrong := [kind for kind in kinds if kind != "Normalize"]:
        raise ValueError(f"{path}/modules.json has the module {wrong[0]} after StaticEmbedding; expected at most Normalize: "
                         "no other is supported there")
    table = _table(inner, "embedding.weight", backend)
    return StaticFiles(table, backend, {"normalize": bool(kinds)}, keep_unknown=True)


def _tokenizer(path: Path) -> Backend:
    file = path / "tokenizer.json"
    if not file.is_file():
        raise FileNotFoundError(f"{path} has no tokenizer.json; expected the tokenizer of the static embeddings: fetch it")
    try:
        return Backend.from_str(file.read_text(encoding="utf-8"))
    except Exception as error:  # the Rust library raises plain Exception
        raise ValueError(f"{file} is not a tokenizer of the library `tokenizers` ({error}): fetch it again") from error


def _table(path: Path, name: str, backend: Backend) -> StaticTable:
    """The tensors, checked against each other and the number of tokens."""
    with open_checkpoint(path) as tensors:
        if name not in tensors:
            raise ValueError(f"{path} has the tensors {', '.join(sorted(tensors)[:4]) or 'none'}; expected {name}, "
                             f"{_KINDS['embeddings']}: it is no folder of static embeddings, or a damaged one")
        vectors, weights, mapping = (np.array(tensors[each]) if each in tensors else None
                                     for each in (name, "weights", "mapping"))
    tokens = len(backend.get_vocab())
    expected = {name: (None, None), "weights": (tokens,), "mapping": (tokens,)}
    for each, array in ((name, vectors), ("weights", weights), ("mapping", mapping)):
        if array is not None and (array.ndim != len(expected[each]) or (array.ndim == 1 and len(array) != tokens)):
            raise ValueError(f"{path}: {each} has the shape {list(array.shape)}; expected "
                             f"{_KINDS.get(each, _KINDS['embeddings'])}, with {tokens:,} tokens: fetch the folder again")
    if mapping is None and len(vectors) != tokens:
        raise ValueError(f"{path}: {name} has {len(vectors):,} rows, but the tokenizer has {tokens:,} tokens; expected "
                         "equal numbers, or a mapping: the files are of different models, fetch them again")
    if mapping is not None and (mapping.dtype.kind not in "iu" or mapping.min() < 0 or mapping.max() >= len(vectors)):
        raise ValueError(f"{path}: mapping names rows outside of the {len(vectors):,} of {name}; expected 0 to "
                         f"{len(vectors) - 1}: fetch the folder again")
    return StaticTable(vectors, weights, mapping)


def write_folder(path: Path, files: StaticFiles) -> None:
    """Writes the files that model2vec, sentence-transformers and tfplm read; the folder exists or is made."""
    table = files.table
    tensors = {"embeddings": np.ascontiguousarray(table.vectors)}
    for name, array in (("weights", table.weights), ("mapping", table.mapping)):
        if array is not None:
            tensors[name] = np.ascontiguousarray(array)
    path.mkdir(parents=True, exist_ok=True)
    write_safetensors(path, tensors, max_shard_bytes=1 << 62)  # model2vec reads one file
    write_text(path / "tokenizer.json", files.backend.to_str())
    config = {"model_type": MODEL_TYPE, "architectures": ["StaticModel"], "hidden_dim": table.dimension, **files.config,
              "max_length": files.max_length, "embedding_dtype": table.vectors.dtype.name}
    if table.mapping is not None:
        config["vocabulary_quantization"] = len(table.vectors)
    write_json(path / "config.json", config)
    parts = [(".", "StaticEmbedding"), *([("1_Normalize", "Normalize")] if config.get("normalize") else [])]
    write_text(path / "modules.json", json.dumps(
        [{"idx": index, "name": str(index), "path": part, "type": f"sentence_transformers.models.{kind}"}
         for index, (part, kind) in enumerate(parts)], indent=2))
