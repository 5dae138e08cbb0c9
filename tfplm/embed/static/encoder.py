"""`StaticEncoder`: a sentence encoder whose vectors are means of a table's rows."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as Backend

from tfplm.core.config import Config
from tfplm.embed.encoder.pooling import PoolingPlan
from tfplm.embed.encoder.recipe import Recipe
from tfplm.embed.encoder.rows import TextIds
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.single_texts import Ownership
from tfplm.embed.encoder.text_ids import kind_of
from tfplm.embed.static.folder import MODEL_TYPE, StaticFiles, read_folder, write_folder
from tfplm.embed.static.reader import StaticReader
from tfplm.models.pretrained.source import Source
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.frame import Frame
from tfplm.tokenizers.pruning import plain

_NO_TOKENS = np.zeros((2, 0), np.int32)
_FRAME = Frame(*[_NO_TOKENS] * 5)  # nothing is added to a text, nor between the texts of a pair


class StaticEncoder(SentenceEncoder):
    """Encodes texts by static embeddings, tens of thousands in a second; made by `SentenceEncoder.from_pretrained`.

    The vector of a text is the mean of the vectors of its tokens (of a pair: of the tokens of both texts), whatever their
    order. The recipe's pooling is always the mean over the last layer, as there is nothing else.

    Args:
        files: the content of a folder.
        tokenizer: the tokenizer of the folder, for its vocabulary.
        recipe: prompts, normalization and maximum length; default: those of the folder.
    """

    def __init__(self, files: StaticFiles, tokenizer: Tokenizer, recipe: Recipe | None = None):
        if recipe is None:
            recipe = Recipe(normalize=bool(files.config.get("normalize", False)), max_length=files.max_length)
        if recipe.plan != PoolingPlan():
            raise ValueError(f"the pooling is {recipe.plan}; expected the mean over the last layer, the only one of "
                             "static embeddings: omit pooling and layers")
        self.files, self.tokenizer, self.recipe = files, tokenizer, recipe
        self.whitening, self.batch_tokens, self.origin = None, 2048, None
        self.table = files.table.ready()
        self._ownership, self._config = Ownership("private"), _config(files)
        self._reader = _Texts(StaticReader(Backend.from_str(files.backend.to_str()), recipe.max_length,
                                           files.keep_unknown), recipe.lowercase)

    @classmethod
    def open(cls, source: Source, settings: dict, overrides: dict) -> "StaticEncoder":
        """Reads a folder; settings: the arguments of `SentenceEncoder.from_pretrained`. ValueError for those of layers."""
        if overrides or settings["num_labels"] is not None:
            raise ValueError(f"{source} has static embeddings, and {next(iter(overrides), 'num_labels')} was given; "
                             "expected neither fields of a configuration nor labels: omit them")
        files = read_folder(source.path)
        tokenizer = plain(files.backend)
        encoder = cls(files, tokenizer)
        changes = {name: settings[name] for name in ("normalize", "max_length") if settings[name] is not None}
        layers = {name: settings[name] for name in ("layers", "average_layers", "mask_cls_sep") if settings[name]}
        if settings["pooling"] is not None or layers:
            changes["plan"] = PoolingPlan.of(settings["pooling"] or "REDUCE_MEAN", **layers)
        if changes:
            encoder = cls(files, tokenizer, dataclasses.replace(encoder.recipe, **changes))
        encoder.origin = settings
        return encoder

    @property
    def model(self):
        """Raises AttributeError, as there is no Keras model."""
        raise AttributeError("a static encoder has no Keras model; expected an encoder with layers: its table of "
                             "vectors is encoder.table")

    @property
    def config(self) -> Config:
        """The sizes of the table, as the configuration of one layer."""
        return self._config

    @property
    def num_labels(self) -> None:
        """None, as there is no head."""
        return None

    @property
    def parameters(self) -> int:
        """The number of numbers in the table."""
        return self.table.vectors.size

    @property
    def _pooled_dimension(self) -> int:
        return self.recipe.dense[-1].kernel.shape[1] if self.recipe.dense else self.table.dimension

    def encode_ids(self, rows, batch_tokens: int | None = None, *, normalize: bool | None = None, progress=None
                   ) -> np.ndarray:
        """Like `encode`, for token ids, of which none are special. `batch_tokens` has no effect."""
        ids, lengths = rows.found if isinstance(rows, _Rows) else self._checked(rows)
        vectors = self.table.means(ids, lengths)
        if progress is not None:
            progress(len(lengths))
        return self._finish(vectors, normalize)

    def _finish(self, vectors: np.ndarray, normalize: bool | None) -> np.ndarray:
        """Like that of other encoders, but in place, as most of the time goes to memory."""
        if self.recipe.dense or self.whitening is not None:
            return super()._finish(vectors, normalize)
        if self.recipe.normalize if normalize is None else normalize:
            vectors /= np.maximum(np.sqrt(np.einsum("ij,ij->i", vectors, vectors)), 1e-12)[:, None]
        return vectors

    def _checked(self, rows: Sequence) -> tuple[np.ndarray, np.ndarray]:
        rows = [row.input_ids if isinstance(row, TextIds) else TextIds.of(row).input_ids for row in rows]
        for index, row in enumerate(rows):
            if len(row) and (row.min() < 0 or row.max() >= self.table.tokens):
                raise ValueError(f"text {index} has an id that is not in the vocabulary; expected 0 to "
                                 f"{self.table.tokens - 1}: use the tokenizer of this encoder")
        return self._reader.reader.known(rows)

    def freeze(self, max_bytes: int | None = None) -> "StaticEncoder":
        """Does nothing, as nothing is compiled. Returns self."""
        return self

    def with_recipe(self, recipe: Recipe, tokenizer: Tokenizer | None = None) -> "StaticEncoder":
        """Another encoder with the same table, without whitening."""
        return StaticEncoder(self.files, tokenizer or self.tokenizer, recipe)

    def tokenize(self, texts: list, prompt: str | None = None) -> list[TextIds]:
        """The token ids of texts, as `encode` uses them; a text whose tokens are all unknown has none."""
        ids, lengths = self._reader(texts, self.prompt(prompt)).found
        return [TextIds.of(row) for row in np.split(ids, np.cumsum(lengths)[:-1])] if len(lengths) else []

    def frame(self, first: Sequence[int], second: Sequence[int] | None = None) -> TextIds:
        """The ids of a text or pair, cut to `max_length`."""
        return TextIds(*_FRAME.around(first, second, self.recipe.max_length))

    def save_pretrained(self, directory: str | os.PathLike) -> None:
        """Writes the folder of model2vec, which sentence-transformers reads, too; a whitening becomes part of the table.

        Raises ValueError for a recipe that these folders cannot express: prompts and projections.
        """
        if self.recipe.dense or self.recipe.prompts:
            raise ValueError(f"the recipe has {'projections' if self.recipe.dense else 'prompts'}, which a folder of "
                             "static embeddings cannot express; expected none: remove them by with_recipe")
        table = self.files.table
        if self.whitening is not None:
            table = table.projected(self.whitening.mean, self.whitening.kernel)
        config = {**self.files.config, "hidden_dim": table.dimension, "normalize": self.recipe.normalize,
                  "max_length": self.recipe.max_length}
        write_folder(Path(directory), StaticFiles(table, self._reader.reader.backend, config))


@dataclasses.dataclass(frozen=True)
class _Rows:
    """The tokens of many texts: (ids of all tokens, number of tokens of each text)."""

    found: tuple[np.ndarray, np.ndarray]


class _Texts:
    """The reader of texts, pairs and lists of tokens that `SentenceEncoder.encode` calls."""

    def __init__(self, reader: StaticReader, lowercase: bool):
        self.reader, self.lowercase = reader, lowercase

    def __call__(self, texts: list, prompt: str = "", pool_prompt: bool = True) -> _Rows:
        if not all(type(text) is str for text in texts):
            return self._mixed(texts, prompt)
        if prompt:
            texts = [prompt + text for text in texts]
        return _Rows(self.reader([text.lower() for text in texts] if self.lowercase else texts))

    def _mixed(self, texts: list, prompt: str) -> _Rows:
        """The tokens of a pair are those of both texts; unknown ones of a list of tokens are left out."""
        kinds = [kind_of(text, index) for index, text in enumerate(texts)]
        joined = [text if kind == "str" else " ".join(text) if kind == "tuple" else "" for text, kind in zip(texts, kinds)]
        ids, lengths = self(joined, prompt).found
        rows = np.split(ids, np.cumsum(lengths)[:-1]) if texts else []
        find = self.reader.backend.token_to_id
        for index, (text, kind) in enumerate(zip(texts, kinds)):
            if kind == "list":
                found = [token_id for token in text if (token_id := find(token)) is not None]
                rows[index] = np.array(found[:self.reader.max_length], np.int64)
        return _Rows(self.reader.known(rows))


def _config(files: StaticFiles) -> Config:
    size = files.table.dimension
    return Config(model_type=MODEL_TYPE, vocab_size=files.table.tokens, hidden_size=size, num_hidden_layers=1,
                  num_attention_heads=1, head_dim=size, type_vocab_size=0, pooler=False, position_type="none",
                  pad_token_id=0)
