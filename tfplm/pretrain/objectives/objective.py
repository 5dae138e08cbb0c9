"""The interface of the objectives: noise, heads, losses. The files beside this one fill it in.

An objective is one file: a class that sets `name` and `help` is found by `catalogue`, and listed by
`tfplm pretrain --help`, without being named anywhere else.
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
    """One loss of an objective, with its metrics `NAME_loss`, `NAME_accuracy` and, if `perplexity`, that as well.

    labels, weights: the keys of the batch that hold them; no labels: they come out of the model (rtd).
    classes: how many labels there are. factor: of this loss in the sum.
    """

    name: str
    labels: str | None
    weights: str | None = None
    classes: int = 2
    factor: float = 1.0
    perplexity: bool = False


@dataclasses.dataclass(frozen=True)
class Setting:
    """What objectives are made with: the architecture, the special ids, what is masked, and the values of their flags.

    classes: the names of the classes of a labelled corpus.
    """

    config: Config
    vocabulary: NoiseVocabulary
    masking: Masking = dataclasses.field(default_factory=Masking)
    phrases: PhraseTable | None = None
    flags: Mapping[str, object] = dataclasses.field(default_factory=dict)
    classes: tuple[str, ...] = ()


class Objective(abc.ABC):
    """Base of the objectives, which write `parts` and `predict`; one instance belongs to one task of one model.

    Class attributes:
        name, help, flags: literals, see `tfplm.options.objectives`; the values of the flags are in `self.flags`.
        architectures: `Config.architecture` values it can train.
        preset: what is trained where no architecture is asked for; None: no wish of its own.
        head: of the model that is saved.
        packing: of `tfplm.data.sequences.recipes`, or "labelled": texts with classes, see `classes_of`.
        corrupts: whether the noise changes the tokens (at most one objective of a sum does).
        in_bert_records: whether its labels are in records of BERT's own layout.
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
        """Raises ValueError for values of the objective's own flags that it does not know."""

    @classmethod
    def check_architecture(cls, config: Config) -> None:
        """Raises ValueError where the architecture does not suit the objective."""
        if config.architecture not in cls.architectures:
            raise ValueError(f"objective {cls.name} trains {_one_of(cls.architectures)}, but {config.model_type} is "
                             f"{_one_of((config.architecture,))}: take another --preset or --init")

    @classmethod
    def suited(cls, config: Config) -> Config:
        """An architecture changed so that it suits the objective, where that is a matter of one field."""
        return config

    @classmethod
    def class_names(cls, of_corpus: tuple[str, ...]) -> tuple[str, ...] | None:
        """The names of the classes that the saved model's head knows; None for heads that do not classify."""
        return None

    @classmethod
    def classes_of(cls, texts: Iterable[str]) -> list[str]:
        """Of packing "labelled": the names of the classes, from the texts for training."""
        raise NotImplementedError(f"objective {cls.name} has packing {cls.packing!r}: it takes no labelled texts")

    @classmethod
    def examples_of(cls, texts: Iterable[str], classes: list[str]) -> Iterable[tuple[str, int]]:
        """Of packing "labelled": (text, index in `classes`) of the texts that have one."""
        raise NotImplementedError(f"objective {cls.name} has packing {cls.packing!r}: it takes no labelled texts")

    def check(self) -> None:  # noqa: B027 (most objectives suit every vocabulary)
        """Raises ValueError where the vocabulary does not suit the objective."""

    @abc.abstractmethod
    def parts(self) -> list[Part]:
        """Its losses, in order."""

    def columns(self) -> Mapping[str, Column]:
        """What `noise` must know of whole documents: key of the batch -> a function of the document that gives a value
        for each token. Only of packings of running text; `noise` takes these keys out of the batch."""
        return {}

    def raw_length(self, length: int) -> int:
        """Tokens of an example whose corrupted form has `length` tokens."""
        return length

    def noise(self, batch: dict, rng: np.random.Generator) -> dict:
        """The batch with what has to be predicted; weights are 0 and 1."""
        return batch

    def build(self, model: keras.Model) -> None:  # noqa: B027 (most objectives need no layer of their own)
        """Makes the `layers` that the model itself does not have."""

    @abc.abstractmethod
    def predict(self, forward: "Forward") -> dict[str, tuple]:
        """Part's name -> (logits, labels, weights)."""

    def masking_of(self, batch: dict) -> Masking:
        """The masking with as many predictions as rows of this width can need, so that hardly any is empty."""
        masking = self.setting.masking
        return dataclasses.replace(masking, max_predictions=max(1, round(batch["input_ids"].shape[1] * masking.rate)))

    def with_phrases(self, batch: dict) -> dict:
        return batch if self.setting.phrases is None else join_phrases(batch, self.setting.phrases)


def _one_of(architectures: tuple[str, ...]) -> str:
    words = {"encoder": "an encoder", "decoder": "a decoder", "seq2seq": "an encoder-decoder"}
    return " or ".join(words[name] for name in architectures)


class Forward:
    """One pass of the model over a batch, shared by the objectives of a sum.

    An objective that corrupts the tokens inside the model changes `batch` before the features are made.
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
        """Logits over the vocabulary: [B,T,V], or [B,P,V] of the masked positions."""
        output = self.head()
        return output["masked_lm"] if isinstance(output, dict) else output
