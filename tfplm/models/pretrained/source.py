"""Saved models, opened once by `open_source(name)`; the result is accepted wherever the name of a model is."""

import functools
import json
import logging
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from tfplm.core.checkpoints import Checkpoint, open_checkpoint
from tfplm.core.config import Config, read_json
from tfplm.core.keys import Layout, skipped_keys
from tfplm.core.limits.keys import check_kinds
from tfplm.core.sources import config_file, layout_of
from tfplm.core.weight_names import Names
from tfplm.families import registry
from tfplm.families.registry import Family
from tfplm.models.pretrained.objects import SavedObjects, read_objects
from tfplm.models.pretrained.recognition import LANGUAGE_MODELS, is_tied, recognize
from tfplm.models.pretrained.wrapping import unwrapped
from tfplm.tokenizers import Tokenizer

T = TypeVar("T")
_MAX_CONFIG = 10_000_000  # bytes: a compressed file can be a thousand times larger than what it takes on disk
log = logging.getLogger("tfplm")


class Source(os.PathLike):
    """A saved model. Each part is read once, at the first access.

    `os.fspath(source)` is its path, `str(source)` the name with which it was opened.

    Attributes:
        name: the name with which it was opened.
        path: the directory, `.keras` file or TensorFlow prefix.
    """

    def __init__(self, name: str | os.PathLike):
        self.name, self.path = os.fspath(name), registry.resolve(name)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"open_source({self.name!r})"

    def __reduce__(self):
        return open_source, (self.name,)  # another process opens it again

    @functools.cached_property
    def layout(self) -> Literal["hf", "tf1", "keras", "objects"]:
        """Hugging Face's files, a TF1 release, a `.keras` file, or the objects of a `tf.train.Checkpoint`.

        Raises FileNotFoundError for anything else, and ValueError for the objects of other libraries.
        """
        return layout_of(self.path) if self._objects is None else "objects"

    @functools.cached_property
    def _objects(self) -> SavedObjects | None:
        """The model in a `tf.train.Checkpoint`; None for other layouts."""
        return read_objects(self.path) if layout_of(self.path) == "tf1" else None

    @property
    def file(self) -> Path:
        """The `.keras` file."""
        return self.path if self.path.suffix == ".keras" else next(self.path.glob("*.keras"))

    def checkpoint(self) -> Checkpoint:
        """The weights, which are read lazily; raises ValueError for a `.keras` file, which only Keras can read."""
        if self.layout == "keras":
            raise ValueError(f"{self.file} is a Keras file; expected a checkpoint with named tensors: use "
                             "tfplm.from_pretrained, or convert the file first (tfplm convert)")
        return self._unwrapped if self._objects is None else self._objects.checkpoint

    def names_for(self, head: str | None) -> Names:
        """The table of the names of its tensors, for a model with this head."""
        if self._objects is not None:
            return self._objects.names
        return self.family.names_for(head, self._files)

    @property
    def _files(self) -> Layout:
        return "hf" if self.layout == "hf" else "tf1"

    @functools.cached_property
    def _checkpoint(self) -> Checkpoint:
        return open_checkpoint(self.path)

    @functools.cached_property
    def _unwrapped(self) -> Checkpoint:
        """The checkpoint with the names of the family, without the prefix of another module."""
        return unwrapped(self._checkpoint, self.family)

    @functools.cached_property
    def family(self) -> Family:
        """The family, recognized by weights and files; raises ValueError if it is not supported."""
        if self.layout == "keras":
            return registry.family(self._keras["config"]["model_type"])
        if self._objects is not None:
            return registry.family(self.config.model_type)
        return self._named(lambda: recognize(self._values, self._checkpoint, self.path), self._config_file)

    @functools.cached_property
    def config(self) -> Config:
        """The configuration; `tie_word_embeddings` is set by the names of the tensors, see `config_for`.

        Raises ValueError for an unknown key.
        """
        if self.layout == "keras":
            return self._named(lambda: Config.from_dict(self._keras["config"]), self.file)
        if self._objects is not None:
            return self._objects.config
        config = self._named(lambda: self.family.read_config(self._values, self._files), self._config_file)
        if skipped := skipped_keys(self._values, self.family.keys):
            log.warning("%s: skipped as they cannot change the outputs: %s%s", self._config_file, ", ".join(skipped[:8]),
                        " ..." if skipped[8:] else "")
        return self._tied(config, compare=False)

    @staticmethod
    def _named(read: Callable[[], T], file: Path) -> T:
        """Calls `read`, and adds the name of the file to its errors that name none in its folder."""
        try:
            return read()
        except ValueError as error:
            if str(file.parent) in str(error):
                raise
            raise ValueError(f"{file}: {error}") from None

    def config_for(self, head: str | None) -> Config:
        """The configuration for a model with this head.

        For a head over the vocabulary, if the config claims that the output matrix is tied, the matrix is compared with
        the token embeddings; if they differ, it is not tied.
        """
        if self._objects is not None or self.layout == "keras" or head not in LANGUAGE_MODELS:
            return self.config
        return self._compared

    @functools.cached_property
    def _compared(self) -> Config:
        return self._tied(self.config, compare=True)

    def _tied(self, config: Config, compare: bool) -> Config:
        tied = is_tied(config, self.checkpoint(), self.names_for(self.head), self.head, compare)
        return config if tied == config.tie_word_embeddings else config.replace(tie_word_embeddings=tied)

    @functools.cached_property
    def head(self) -> str | None:
        """The head with which the model was saved, if its config names one."""
        if self.layout == "keras":
            return self._keras.get("head")
        if self._objects is not None:
            return self._objects.head
        return self.family.head_of((self._values.get("architectures") or [""])[0])

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the labels in order; None if there are none."""
        names = self.config.id2label
        return None if not names else tuple(names[index] for index in sorted(names))

    def tokenizer(self) -> Tokenizer:
        """A new tokenizer from the same directory; raises FileNotFoundError if there is none."""
        return Tokenizer.from_pretrained(self.path)

    @functools.cached_property
    def _values(self) -> dict[str, Any]:
        """The content of the config file."""
        values = read_json(self._config_file)
        self._named(lambda: check_kinds(values), self._config_file)
        return values

    @functools.cached_property
    def _config_file(self) -> Path:
        return config_file(self.path, registry.tf1_configs())

    @functools.cached_property
    def _keras(self) -> dict[str, Any]:
        """The result of `PretrainedModel.get_config` in the `.keras` file, whose weights are not read."""
        try:
            with zipfile.ZipFile(self.file) as archive:
                if (size := archive.getinfo("config.json").file_size) > _MAX_CONFIG:
                    raise ValueError(f"its config has {size} bytes, expected at most {_MAX_CONFIG}")
                saved = json.loads(archive.read("config.json"))
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError, RecursionError, NotImplementedError,
                RuntimeError, zlib.error) as error:
            raise ValueError(f"{self.file} is not a complete .keras file ({error}): expected a zip file with "
                             "config.json; fetch it again") from None
        saved = saved if isinstance(saved, dict) else {}
        values = saved.get("config")
        if not (str(saved.get("registered_name")).startswith("tfplm>") and isinstance(values, dict)
                and isinstance(values.get("config"), dict) and "model_type" in values["config"]):
            raise ValueError(f"{self.file} contains a {saved.get('class_name')}, expected a model of this library: "
                             "load it with keras.models.load_model")
        return values


def open_source(name: str | os.PathLike) -> Source:
    """Opens a saved model: a directory, a `.keras` file, a TensorFlow prefix, or a hub name.

    A directory or prefix of `tf.train.Checkpoint(model=model, ...)` is accepted, too; of several, the latest is read.

    An open source is returned unchanged, so that a command that opens its model at the start reads each file once.

        source = tfplm.models.open_source("bert-base-chinese")
        source.config.hidden_size, source.family.model_type, source.head
        model, tokenizer = tfplm.from_pretrained(source, "masked_lm"), source.tokenizer()

    Raises FileNotFoundError if there is no such model, with the searched locations and what to do.
    """
    return name if isinstance(name, Source) else Source(name)
