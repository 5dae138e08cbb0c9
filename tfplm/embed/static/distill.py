"""Distillation of an encoder into static embeddings by model2vec's recipe (Tulkens and van Dongen 2024).

Each token of the vocabulary goes through the encoder as a text of its own, [CLS] token [SEP]. A principal component
analysis of these vectors drops the directions in which they hardly differ, and moves their mean to 0. Then they are
multiplied by weights of smooth inverse frequency (SIF, Arora et al. 2017), a / (a + p), in which Zipf's law gives the
probability p of a token by its rank: vocabularies are sorted by frequency.
"""

import os

import numpy as np
from tokenizers import Tokenizer as Backend

from tfplm.embed.encoder.pooling import PoolingPlan
from tfplm.embed.encoder.recipe import Recipe
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.sentence_transformers import model_folder
from tfplm.embed.static.encoder import StaticEncoder
from tfplm.embed.static.folder import StaticFiles, is_static
from tfplm.embed.static.table import StaticTable
from tfplm.layers.precision import inference_dtype
from tfplm.models.pretrained.api import from_pretrained
from tfplm.models.pretrained.source import open_source
from tfplm.options.static import StaticOptions
from tfplm.tokenizers.pruning import pruned

_SIZE = 256  # default number of components
POOLINGS = {"mean": "REDUCE_MEAN", "cls": "FIRST_TOKEN", "last": "LAST_TOKEN", "pooler": "CLS_POOLED"}


def distill(source: str | os.PathLike, **settings) -> StaticEncoder:
    """Makes static embeddings from an encoder.

        encoder = distill("sentence-transformers/all-MiniLM-L6-v2", dimension=256)
        encoder.save_pretrained("static")

    Args:
        source: a directory or hub name of a model, or of sentence-transformers, whose modules after the model are not used.
        settings: fields of `StaticOptions`: dimension, pca, sif, pooling, remove, precision, max_length.

    Raises:
        ValueError: more components than the vectors have, a coefficient outside of (0, 1), an encoder-decoder.
        FileNotFoundError: there is no such model, or it has no tokenizer.
    """
    options = StaticOptions(source=os.fspath(source), target="", **settings)
    check(options)
    teacher = _teacher(options)
    tokenizer, text, ids = pruned(teacher.tokenizer, options.remove or None)
    vectors = np.nan_to_num(teacher.encode_ids([teacher.frame([int(token)]) for token in ids], normalize=False))
    size = min(options.dimension or _SIZE, vectors.shape[1])
    if (options.dimension or 0) > vectors.shape[1]:
        raise ValueError(f"dimension is {options.dimension}, but the vectors of {source} have {vectors.shape[1]} "
                         "components; expected at most as many: lower --dimension")
    if options.pca:
        vectors = principal_components(vectors, size)
    if options.sif:
        vectors = vectors * sif_weights(len(vectors), options.sif)[:, None]
    table = StaticTable(quantized(vectors, options.precision))
    config = {"tokenizer_name": str(source), "apply_pca": size if options.pca else None,
              "sif_coefficient": options.sif or None, "seq_length": 1000000, "normalize": True,
              "pooling": options.pooling, "max_length": options.max_length or None}
    files = StaticFiles(table, Backend.from_str(text), config)
    return StaticEncoder(files, tokenizer)


def check(options: StaticOptions) -> None:
    """Raises ValueError for values that no model allows."""
    if not 0 <= options.sif < 1:
        raise ValueError(f"sif is {options.sif}; expected a number from 0 (no weights) to below 1, such as 0.0001: change "
                         "--sif")
    if options.dimension is not None and options.dimension < 1:
        raise ValueError(f"dimension is {options.dimension}; expected at least 1 component: change --dimension")
    if options.max_length < 0:
        raise ValueError(f"max_length is {options.max_length}; expected a number of tokens, or 0 for no limit: change "
                         "--max-length")
    if options.dimension is not None and not options.pca:
        raise ValueError(f"dimension is {options.dimension} and pca is off; expected it on, as it chooses the components: "
                         "omit --dimension")
    for name, known in (("pooling", POOLINGS), ("precision", _PRECISIONS)):
        if (value := getattr(options, name)) not in known:
            raise ValueError(f"{name} is {value!r}; expected one of {', '.join(known)}: change --{name}")


def _teacher(options: StaticOptions) -> SentenceEncoder:
    """The encoder without the modules that follow it, so that a token's vector is the pooled output of the model."""
    whole = open_source(options.source)
    if is_static(whole.path):
        raise ValueError(f"{whole} has static embeddings; expected an encoder to distil: use it as it is")
    folder = model_folder(whole.path) if whole.path.is_dir() else whole.path
    source = whole if folder == whole.path else open_source(folder)
    overrides = {"architecture": "encoder"} if source.config.architecture == "seq2seq" else {}
    model = from_pretrained(source, dtype=inference_dtype(options.dtype), **overrides)
    return SentenceEncoder(model, source.tokenizer(), Recipe(PoolingPlan.of(POOLINGS[options.pooling])))


def principal_components(vectors: np.ndarray, size: int) -> np.ndarray:
    """The first principal components of vectors `[N,H]`: `[N,size]`, by falling variance, each with mean 0.

    The sign of a component is such that its largest number is positive, so that the result does not depend on the library.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred / max(len(vectors) - 1, 1))
    scores = centred @ directions[:, ::-1][:, :size]
    signs = np.sign(scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])])
    return scores * np.where(signs == 0, 1, signs)


def sif_weights(count: int, coefficient: float) -> np.ndarray:
    """`[count]`: a / (a + p) of tokens sorted by frequency, p in proportion to 1 / (rank + 1), rank 1 first."""
    inverse = 1 / np.arange(2, count + 2)
    return coefficient / (coefficient + inverse / inverse.sum())


def _int8(vectors: np.ndarray) -> np.ndarray:
    """-127 to 127 for the whole table: its scale does not matter for vectors of length 1."""
    largest = np.abs(vectors).max() or 1
    return np.clip(np.rint(vectors * (127 / largest)), -127, 127).astype(np.int8)


_PRECISIONS = {"float32": lambda vectors: vectors.astype(np.float32), "float16": lambda vectors: vectors.astype(np.float16),
               "int8": _int8}


def quantized(vectors: np.ndarray, precision: str) -> np.ndarray:
    """The vectors in "float32", "float16" or "int8"."""
    return _PRECISIONS[precision](vectors)

