"""The interface of the objectives: noise, heads, losses. The other files of this folder implement it.

An objective is one file: `catalogue` finds every class that sets `name` and `help`, and `tfplm pretrain --help` lists
it; it need not be named anywhere else.
"""

import abc
import dataclasses
from collections.abc import Iterable, Mapping

import keras
import numpy as np

from tfplm.core.config import Config
from tfplm.data.batches.batch_source import Column
from tfplm.data.noise import Masking, NoiseVocabulary, PhraseTable, join_phrases


@dataclasses.dataclass(frozen=True)
class Part:
    """One loss of an objective, with the metrics `NAME_loss`, `NAME_accuracy` and, if `perplexity`, `NAME_perplexity`.

    labels, weights: their keys in the batch; labels=None: the model makes the labels itself (rtd).
    classes: number of different labels. factor: weight of this loss in the sum.
    """

    name: str
    labels: str | None
    weights: str | None = None
    classes: int = 2
    factor: float = 1.0
    perplexity: bool = False


@dataclasses.dataclass(frozen=True)
class Setting:
    """The settings that objectives share: the architecture, the special ids, the masking, the values of their flags.

    classes: the class names of a labelled corpus.
    """

    config: Config
    vocabulary: NoiseVocabulary
    masking: Masking = dataclasses.field(default_factory=Masking)
    phrases: PhraseTable | None = None
    flags: Mapping[str, object] = dataclasses.field(default_factory=dict)
    classes: tuple[str, ...] = ()


class Objective(abc.ABC):
    """Base class of objectives; subclasses implement `parts` and `predict`. An instance belongs to one model.

    Class attributes:
        name, help, flags: literals, see `tfplm.options.objectives`; the values of the flags are in `self.flags`.
        architectures: the `Config.architecture` values that it can train.
        preset: the default preset; None: that of another objective, or bert-base-uncased.
        head: the head of the model that is saved.
        packing: one of `tfplm.data.sequences.recipes`, or "labelled": texts with classes, see `classes_of`.
        corrupts: True if the noise changes the tokens (in a sum, of at most one objective).
        in_bert_records: True if records in BERT's layout contain its labels.
    """

    name = help = ""
    flags: Mapping[str, tuple] = {}
    architectures: tuple[str, ...] = ("encoder",)
    preset: str | None = None
    head: str | None = None
    packing = "framed"
    corrupts = False
    in_bert_records = False

    def __init__(self, setting: Setting, factor: float | None = None):
        self.setting, self.factor = setting, 1.0 if factor is None else factor
        self.flags = {name: setting.flags.get(name, default) for name, (default, _) in type(self).flags.items()}
        self.layers: list[keras.layers.Layer] = []
        self.check()

    @classmethod  # noqa: B027 (most objectives have no flags)
    def check_flags(cls, values: Mapping[str, object]) -> None:
        """Raises ValueError for unknown values of the objective's own flags."""

    @classmethod
    def check_architecture(cls, config: Config) -> None:
        """Raises ValueError if the objective cannot train the architecture."""
        if config.architecture not in cls.architectures:
            raise ValueError(f"objective {cls.name} trains {_one_of(cls.architectures)}, but {config.model_type} is "
                             f"{_one_of((config.architecture,))}: use another --preset or --init")

    @classmethod
    def suited(cls, config: Config) -> Config:
        """The architecture, changed for the objective if that takes only one field."""
        return config

    @classmethod
    def class_names(cls, of_corpus: tuple[str, ...]) -> tuple[str, ...] | None:
        """The class names of the saved model's head; None for heads that do not classify."""
        return None

    @classmethod
    def classes_of(cls, texts: Iterable[str]) -> list[str]:
        """For packing "labelled": the class names, from the texts for training."""
        raise NotImplementedError(f"objective {cls.name} has packing {cls.packing!r}; only 'labelled' has classes")

    @classmethod
    def examples_of(cls, texts: Iterable[str], classes: list[str]) -> Iterable[tuple[str, int]]:
        """For packing "labelled": (text, index in `classes`) of the texts that have a class."""
        raise NotImplementedError(f"objective {cls.name} has packing {cls.packing!r}; only 'labelled' has classes")

    def check(self) -> None:  # noqa: B027 (most objectives work with every vocabulary)
        """Raises ValueError if the vocabulary lacks tokens that the objective needs."""

    @abc.abstractmethod
    def parts(self) -> list[Part]:
        """The losses of the objective, in order."""

    def columns(self) -> Mapping[str, Column]:
        """Values that `noise` needs of whole documents: key in the batch -> a function of the document that returns a
        value for each token. Only for packings of running text; `noise` removes these keys from the batch."""
        return {}

    def raw_length(self, length: int) -> int:
        """The length of an example whose corrupted form has `length` tokens."""
        return length

    def noise(self, batch: dict, rng: np.random.Generator) -> dict:
        """The batch with the labels to predict; weights are 0 or 1."""
        return batch

    def build(self, model: keras.Model) -> None:  # noqa: B027 (most objectives need no layer of their own)
        """Creates `layers`, those that the model itself does not have."""

    @abc.abstractmethod
    def predict(self, forward: "Forward") -> dict[str, tuple]:
        """Part's name -> (logits, labels, weights)."""

    def masking_of(self, batch: dict) -> Masking:
        """The masking with as many predictions as rows of this width need, so that few are unused."""
        masking = self.setting.masking
        return dataclasses.replace(masking, max_predictions=max(1, round(batch["input_ids"].shape[1] * masking.rate)))

    def with_phrases(self, batch: dict) -> dict:
        return batch if self.setting.phrases is None else join_phrases(batch, self.setting.phrases)


def _one_of(architectures: tuple[str, ...]) -> str:
    words = {"encoder": "an encoder", "decoder": "a decoder", "seq2seq": "an encoder-decoder"}
    return " or ".join(words[name] for name in architectures)


class Forward:
    """One forward pass of the model over a batch, shared by the objectives of a sum.

    An objective that corrupts the tokens inside the model changes `batch` before the features are computed.
    """

    def __init__(self, model: keras.Model, batch: dict, training: bool):
        self.model, self.batch, self.training = model, batch, training
        self._features = self._head = None

    @property
    def features(self) -> dict:
        if self._features is None:
            self._features = self.model.features(self.batch, training=self.training)
        return self._features

    def head(self):
        """The output of the model's own head."""
        if self._head is None:
            self._head = self.model.head(self.features, self.batch, training=self.training)
        return self._head

    def language_model(self):
        """Logits over the vocabulary: [B,T,V], or [B,P,V] for the masked positions."""
        output = self.head()
        return output["masked_lm"] if isinstance(output, dict) else output
