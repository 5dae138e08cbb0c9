"""Families and presets by name. Families register themselves when `tfplm.families` is imported."""

import dataclasses
import difflib
from typing import Any

from tfplm.core.config import Config
from tfplm.core.suggest import did_you_mean
from tfplm.core.weight_names import Names


@dataclasses.dataclass(frozen=True)
class Family:
    """What distinguishes one published model family; `config` holds only what differs from `Config`'s defaults."""

    model_type: str
    config: dict[str, Any]
    presets: dict[str, dict[str, Any]]
    names: Names
    dialect: str = "bert"
    class_stem: str = ""  # of the class names in transformers
    tf1_names: dict[str, Names] = dataclasses.field(default_factory=dict)  # heads whose TF1 names differ

    @property
    def base(self) -> dict[str, Any]:
        return {"model_type": self.model_type, **self.config}

    def names_for(self, head: str | None) -> Names:
        """The table of a TF1 checkpoint for a model with this head."""
        return self.tf1_names.get(head, self.names)

    def class_name(self, head: str | None, architecture: str | None = None) -> str:
        """What transformers calls the model, for the `architectures` of a saved config."""
        if head is None and architecture == "encoder" and self.config.get("architecture") == "seq2seq":
            return f"{self.class_stem}EncoderModel"
        ending = {"masked_lm": "ForMaskedLM", "pretraining": "ForPreTraining", "causal_lm": "ForCausalLM",
                  "seq2seq_lm": "ForConditionalGeneration", "replaced_token_detection": "ForPreTraining",
                  "sequence_classification": "ForSequenceClassification", "multiple_choice": "ForMultipleChoice",
                  "token_classification": "ForTokenClassification", "question_answering": "ForQuestionAnswering"}
        if head == "causal_lm" and self.class_stem in ("Bert", "GPT2", "OpenAIGPT"):
            return f"{self.class_stem}LMHeadModel"
        return self.class_stem + ending.get(head, "Model")

    @property
    def tf1_checkpoint(self) -> str:
        return "model.ckpt" if self.model_type == "gpt2" else f"{self.model_type}_model.ckpt"

    @property
    def tf1_config(self) -> str:
        return "hparams.json" if self.model_type == "gpt2" else f"{self.model_type}_config.json"


_FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    _FAMILIES[family.model_type] = family


def families() -> list[str]:
    return sorted(_FAMILIES)


def family(model_type: str) -> Family:
    """The family of that name; a ValueError lists those there are."""
    if model_type not in _FAMILIES:
        raise ValueError(f"model_type '{model_type}' is not supported{did_you_mean(model_type, families())}; supported "
                         f"are: {', '.join(families())}")
    return _FAMILIES[model_type]


def presets() -> list[str]:
    """The names of all presets, e.g. `"bert-base-chinese"`."""
    return [name for model_type in families() for name in _FAMILIES[model_type].presets]


def preset(name: str) -> Config:
    """The configuration of a preset; a ValueError names the nearest ones."""
    for candidate in _FAMILIES.values():
        if name in candidate.presets:
            return Config.from_dict({**candidate.base, **candidate.presets[name]})
    near = difflib.get_close_matches(name, presets(), n=3, cutoff=0.4)
    raise ValueError(f"there is no preset '{name}'" + (f"; near are {', '.join(near)}" if near else "")
                     + "; `tfplm presets` lists all")
