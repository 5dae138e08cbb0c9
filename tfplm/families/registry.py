"""Families, presets and tokenizer rules by name; the files of families are found and imported at the first call."""

import dataclasses
import functools
import importlib
import os
import pkgutil
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tfplm.core import sources
from tfplm.core.config import Config
from tfplm.core.keys import Keys, Layout, read_config, write_config
from tfplm.core.suggest import did_you_mean, nearest
from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.core.weight_names import Names
from tfplm.families.published import repository

# head -> suffix of its class name in transformers; for reading, the last head with a suffix counts
_CLASSES = {
    "masked_lm": "ForMaskedLM", "replaced_token_detection": "ForPreTraining", "pretraining": "ForPreTraining",
    "causal_lm": "ForCausalLM", "seq2seq_lm": "ForConditionalGeneration",
    "sequence_classification": "ForSequenceClassification", "multiple_choice": "ForMultipleChoice",
    "token_classification": "ForTokenClassification", "question_answering": "ForQuestionAnswering",
}
# architecture -> head of a language model, "LM head" in older class names
LANGUAGE_MODELS = {"encoder": "masked_lm", "decoder": "causal_lm", "seq2seq": "seq2seq_lm"}


@dataclasses.dataclass(frozen=True)
class TF1Release:
    """The TensorFlow 1 release of a family.

    Args:
        config: file name of the configuration.
        checkpoint: name of the checkpoint written by `save_pretrained`.
        signs: parts of tensor names that identify the family; the family with the longest one is chosen.
        names: head -> table, for heads whose tensors have different names.
    """

    config: str
    checkpoint: str
    signs: tuple[str, ...] = ()
    names: Mapping[str | None, Names] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Family:
    """A model family, created from its file; the docstring of `tfplm.families` describes the fields."""

    model_type: str
    class_stem: str
    config: dict[str, Any]
    presets: dict[str, dict[str, Any]]
    names: Names
    keys: Keys
    classes: dict[str, str]
    tf1: TF1Release | None
    true_type: Callable[[list[str], Path], str | None]

    @classmethod
    def of(cls, file) -> "Family":
        """The family of a module of `tfplm.families`; raises AttributeError for a missing constant."""
        return cls(file.MODEL_TYPE, file.CLASS, file.CONFIG, file.PRESETS, file.NAMES, file.KEYS,
                   getattr(file, "CLASSES", {}), getattr(file, "TF1", None),
                   getattr(file, "true_type", lambda tensors, directory: None))

    @property
    def base(self) -> dict[str, Any]:
        return {"model_type": self.model_type, **self.config}

    def read_config(self, values: Mapping[str, Any], layout: Layout = "hf") -> Config:
        """Converts the content of a config.json to `Config`; raises the errors of `tfplm.core.keys.read_config`."""
        return read_config(values, self.base, self.keys, layout)

    def write_config(self, config: Config, layout: Layout = "hf") -> tuple[dict[str, Any], list[str]]:
        """Converts a `Config` to the content of a config.json, see `tfplm.core.keys.write_config`."""
        return write_config(config, self.base, self.keys, layout)

    def names_for(self, head: str | None, layout: Layout = "tf1") -> Names:
        """The table of weight names for a checkpoint of this layout and a model with this head."""
        special = self.tf1.names if layout == "tf1" and self.tf1 else {}
        return special.get(head, self.names)

    def class_name(self, head: str | None, architecture: str | None = None) -> str:
        """The class name in transformers, for `architectures` in a saved config."""
        if head is None and architecture == "encoder" and self.config.get("architecture") == "seq2seq":
            return f"{self.class_stem}EncoderModel"
        return self.class_stem + {**_CLASSES, **self.classes}.get(head or "", "Model")

    def head_of(self, class_name: str) -> str | None:
        """The head of a class of transformers, also of older versions; None for a class without head."""
        language_model = LANGUAGE_MODELS.get(self.config.get("architecture", "encoder"))
        suffixes = {"LMHeadModel": "causal_lm", "WithLMHeadModel": language_model,
                    **{suffix: head for head, suffix in [*_CLASSES.items(), *self.classes.items()]}}
        found = [suffix for suffix in suffixes if class_name.endswith(suffix)]
        return suffixes[max(found, key=len)] if found else None

    @property
    def tf1_checkpoint(self) -> str:
        return self.tf1.checkpoint if self.tf1 else f"{self.model_type}_model.ckpt"

    @property
    def tf1_config(self) -> str:
        return self.tf1.config if self.tf1 else f"{self.model_type}_config.json"


@functools.cache
def _files() -> dict[str, types.ModuleType]:
    """Model type -> file, for all files in the package with a MODEL_TYPE."""
    package = importlib.import_module("tfplm.families")
    modules = [importlib.import_module(f"tfplm.families.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    return {module.MODEL_TYPE: module for module in modules if hasattr(module, "MODEL_TYPE")}


@functools.cache
def _families() -> dict[str, Family]:
    return {name: Family.of(file) for name, file in sorted(_files().items()) if hasattr(file, "CONFIG")}


def families() -> list[str]:
    """The supported model types."""
    return list(_families())


def family(model_type: str) -> Family:
    """The family of a model type; raises ValueError for an unknown one, with the supported ones."""
    if not isinstance(model_type, str) or model_type not in _families():
        raise ValueError(f"model_type '{model_type}' is not supported{did_you_mean(str(model_type), families())}; expected "
                         f"one of {', '.join(families())}")
    return _families()[model_type]


def presets() -> list[str]:
    """The names of all presets, e.g. `"bert-base-chinese"`."""
    return [name for family in _families().values() for name in family.presets]


def preset(name: str) -> Config:
    """The configuration of a preset; raises ValueError for an unknown name, with the nearest ones."""
    for candidate in _families().values():
        if name in candidate.presets:
            return Config.from_dict({**candidate.base, **candidate.presets[name]})
    near = nearest(name, presets(), n=3, cutoff=0.4)
    raise ValueError(f"there is no preset '{name}'" + (f"; the nearest are {', '.join(near)}" if near else "")
                     + "; `tfplm presets` lists all")


def config_of(preset_or_config: "str | Config | Mapping[str, Any]") -> Config:
    """The configuration of a preset, or from a dict of fields, with the family's values for those that it omits.

    Raises ValueError for an unknown preset, model type or field.
    """
    if isinstance(preset_or_config, str):
        return preset(preset_or_config)
    if isinstance(preset_or_config, Config):
        return preset_or_config
    base = family(preset_or_config.get("model_type", Config.model_type)).base
    return Config.from_dict({**base, **preset_or_config})


def resolve(source: str | os.PathLike) -> Path:
    """`tfplm.core.sources.resolve`, whose error also says it if the name is that of a preset, which has no weights."""
    try:
        return sources.resolve(source)
    except FileNotFoundError as error:
        if source not in presets():
            raise
        raise FileNotFoundError(f"'{source}' is a preset, that is an architecture without weights, for from_config, "
                                f"`tfplm params` and --preset{_weights_of(source)}; a model with this name was not found: "
                                f"{error}") from None


def _weights_of(preset: str) -> str:
    found = repository(preset)
    return f"; its weights are published as {found}" if found and found != preset else ""


def tf1_configs() -> dict[str, str]:
    """File name of the configuration in a TF1 release -> model type, e.g. `bert_config.json` -> `bert`."""
    return {file.TF1.config: name for name, file in sorted(_files().items()) if hasattr(file, "TF1")}


def tf1_family(tensors: list[str]) -> Family | None:
    """The family identified by the tensor names of a TF1 checkpoint, or None."""
    signs = {sign: family for family in _families().values() if family.tf1 for sign in family.tf1.signs}
    found = [sign for sign in signs if any(sign in name for name in tensors)]
    return signs[max(found, key=len)] if found else None


@functools.cache
def _rules() -> dict[str, TokenizerRules]:
    """Name -> tokenizer rules."""
    files = _files().values()
    named = {name: rules for file in files for rules in (file.TOKENIZER, *getattr(file, "MORE_TOKENIZERS", ()))
             for name in (*rules.also, rules.name)}
    return {**named, **{file.MODEL_TYPE: file.TOKENIZER for file in files}}


def all_rules() -> list[TokenizerRules]:
    """All tokenizer rules."""
    return [rules for name, rules in sorted(_rules().items()) if name == rules.name]


def find_rules(model_type: str | None) -> TokenizerRules | None:
    """The tokenizer rules of a model type, or with this name; None if there are none."""
    return None if model_type is None else _rules().get(model_type)


def rules_for(model_type: str) -> TokenizerRules:
    """The tokenizer rules of a model type; raises ValueError if there are none, with the known names."""
    if model_type not in _rules():
        raise ValueError(f"there are no tokenizer rules for model type '{model_type}'"
                         f"{did_you_mean(model_type, _rules())}; expected one of {', '.join(sorted(_rules()))}")
    return _rules()[model_type]


def rules_of_class(tokenizer_class: str | None) -> TokenizerRules | None:
    """The rules of a tokenizer class, e.g. of `"BertTokenizerFast"`; None for an unknown class."""
    name = (tokenizer_class or "").removesuffix("Fast")
    for file in _files().values():
        if name == f"{file.CLASS}Tokenizer":
            return file.TOKENIZER
    return next((rules for rules in all_rules() if rules.tokenizer_class == name), None)


def default_rules(kind: str, *purposes: str) -> TokenizerRules:
    """The default rules of a kind of tokenizer for the first purpose that has any, see `TokenizerRules.default_for`."""
    for purpose in purposes:
        for rules in all_rules():
            if rules.kind == kind and purpose in rules.default_for:
                return rules
    raise ValueError(f"no tokenizer rules of kind '{kind}' are the default for {' or '.join(purposes)}; expected one "
                     "family with `default_for`")
