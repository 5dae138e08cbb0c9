"""A saved model, opened once: `open_source(name)`. Whatever takes the name of a model takes what it returns as well."""

import functools
import json
import os
import zipfile
from pathlib import Path
from typing import Any, Literal

from tfplm.core.checkpoints import Checkpoint, open_checkpoint
from tfplm.core.config import Config, read_json
from tfplm.core.sources import config_file, layout_of, resolve
from tfplm.families import registry
from tfplm.families.registry import Family
from tfplm.models.pretrained.recognition import LANGUAGE_MODELS, is_tied, recognize
from tfplm.tokenizers import Tokenizer


class Source(os.PathLike):
    """What lies at a path or behind a hub name. Each part is read when it is first asked for, and once.

    As a path it is `path`, as a text the name that was given.

    Attributes:
        name: as it was given. path: the directory, `.keras` file or TensorFlow prefix.
    """

    def __init__(self, name: str | os.PathLike):
        self.name, self.path = os.fspath(name), resolve(name)

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"open_source({self.name!r})"

    @functools.cached_property
    def layout(self) -> Literal["hf", "tf1", "keras"]:
        """Hugging Face's files, a TF1 release, or a `.keras` file; FileNotFoundError where it is none of these."""
        return layout_of(self.path)

    @property
    def file(self) -> Path:
        """The `.keras` file."""
        return self.path if self.path.suffix == ".keras" else next(self.path.glob("*.keras"))

    def checkpoint(self) -> Checkpoint:
        """The weights, of which none is read yet. ValueError for a `.keras` file, whose weights only Keras reads."""
        if self.layout == "keras":
            raise ValueError(f"{self.file} is read by Keras, as a whole: expected a checkpoint with names of tensors; use "
                             "tfplm.from_pretrained, or convert it first (tfplm convert)")
        return self._checkpoint

    @functools.cached_property
    def _checkpoint(self) -> Checkpoint:
        return open_checkpoint(self.path)

    @functools.cached_property
    def family(self) -> Family:
        """The family that weights and files tell; ValueError for one that is not supported."""
        if self.layout == "keras":
            return registry.family(self._keras["config"]["model_type"])
        return recognize(self._values, self.checkpoint(), self.path)

    @functools.cached_property
    def config(self) -> Config:
        """The configuration; whether logits are made with the token embeddings is told by the names of the tensors, see
        `config_for`. ValueError for a key that is not understood."""
        if self.layout == "keras":
            return Config.from_dict(self._keras["config"])
        return self._tied(self.family.read_config(self._values, self.layout), compare=False)

    def config_for(self, head: str | None) -> Config:
        """The configuration for a model with this head: for one over the vocabulary an output matrix in the checkpoint is
        held against the token embeddings, where the config does not call it another."""
        if self.layout == "keras" or head not in LANGUAGE_MODELS:
            return self.config
        return self._compared

    @functools.cached_property
    def _compared(self) -> Config:
        return self._tied(self.config, compare=True)

    def _tied(self, config: Config, compare: bool) -> Config:
        tied = is_tied(config, self.checkpoint(), self.family.names_for(self.head, self.layout), self.head, compare)
        return config if tied == config.tie_word_embeddings else config.replace(tie_word_embeddings=tied)

    @functools.cached_property
    def head(self) -> str | None:
        """The head that the model was saved with, as far as its config says."""
        if self.layout == "keras":
            return self._keras.get("head")
        return self.family.head_of((self._values.get("architectures") or [""])[0])

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The names of the labels in their order; None where it has none."""
        names = self.config.id2label
        return None if not names else tuple(names[index] for index in sorted(names))

    def tokenizer(self) -> Tokenizer:
        """The tokenizer that lies there, a new one each time; FileNotFoundError where there is none."""
        return Tokenizer.from_pretrained(self.path)

    @functools.cached_property
    def _values(self) -> dict[str, Any]:
        """The content of the config's file."""
        return read_json(config_file(self.path, registry.tf1_configs()))

    @functools.cached_property
    def _keras(self) -> dict[str, Any]:
        """What `PretrainedModel.get_config` wrote into the `.keras` file; the weights in it are not read."""
        try:
            with zipfile.ZipFile(self.file) as archive:
                saved = json.loads(archive.read("config.json"))
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise ValueError(f"{self.file} is not a whole .keras file ({error}): expected a zip file with config.json; "
                             "fetch it again") from None
        if not str(saved.get("registered_name")).startswith("tfplm>") or "config" not in saved.get("config", {}):
            raise ValueError(f"{self.file} holds a {saved.get('class_name')}, not a model of this library: read it with "
                             "keras.models.load_model")
        return saved["config"]


def open_source(name: str | os.PathLike) -> Source:
    """The source of a saved model: a directory, a `.keras` file, a TensorFlow prefix, or a hub name. One that is open
    already is given back, so that a command that opens its model first reads each file of it once.

        source = tfplm.models.open_source("bert-base-chinese")
        source.config.hidden_size, source.family.model_type, source.head
        model, tokenizer = tfplm.from_pretrained(source, "masked_lm"), source.tokenizer()

    FileNotFoundError says where was looked and what to do.
    """
    return name if isinstance(name, Source) else Source(name)
