"""The engine of relevance: a query and a document in, a score from 0 to 1 out."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tfplm.core.config import read_json
from tfplm.core.sources import resolve
from tfplm.core.suggest import did_you_mean
from tfplm.options.serve import ServeOptions
from tfplm.serve.engines.catalogue import Folder
from tfplm.serve.engines.engine import Engine, EngineInfo

if TYPE_CHECKING:
    from tfplm.serve.engines.text_task import TextTaskModel

# labels that deny another one: by their name, or by a beginning ("not_entailment", "irrelevant", "不相关")
_DENIALS = {"no": "yes", "false": "true", "0": "1", "negative": "positive", "label_0": "label_1", "否": "是"}
_DENIAL = re.compile(r"(not?|non|un|ir|in|dis|[不非无])[\W_]*")


class Relevance(NamedTuple):
    """The score of a pair, and the number of tokens that the model was given."""

    score: float
    tokens: int


def suits(folder: Folder) -> bool:
    """Whether `--engine auto` chooses relevance for this folder: one number for pairs, or a model with one output."""
    return (folder.task == "regression" and folder.pairs) or (folder.classifies and folder.num_labels == 1)


class RerankEngine(Engine[tuple[str, str], Relevance]):
    """A cross-encoder (Nogueira and Cho 2019, "Passage Re-ranking with BERT"): the model attends to both texts at once.

    The score is the sigmoid of the one output, or the probability of the label that relevant pairs have.

    Args:
        model: over pairs. positive: the name of that label, see `positive_label`.
    """

    def __init__(self, model: "TextTaskModel", positive: str | None = None):
        self.model, self.positive = model, None
        if model.task.labels is not None:
            self.positive = positive_label(model.task.labels.names, positive)
        self.info = EngineInfo(interfaces=("rerank",), output_bytes=16, parameters=model.parameters,
                               warm_seconds=model.warm_seconds)

    def encode(self, inputs: list[tuple[str, str]]) -> list[Relevance]:
        from tfplm.serve.engines.text_task import require_finite

        found = self.model.predict(inputs)
        scores = require_finite([self._score(each.prediction) for each in found])
        return [Relevance(score, each.tokens) for score, each in zip(scores, found)]

    def _score(self, prediction: dict) -> float:
        if self.positive is None:
            return 0.5 * (1 + math.tanh(prediction["value"] / 2))  # the sigmoid, which cannot overflow
        return prediction["probabilities"][self.positive]


def positive_label(names: Sequence[str], wanted: str | None = None) -> str:
    """The label of relevant pairs: the wanted one, else of two labels the one that the other denies ("entailment", not
    "not_entailment"; "yes", not "no"; `LABEL_1`).

    ValueError where there is no such label, since a guess would turn the order round.
    """
    if wanted is not None:
        if wanted not in names:
            raise ValueError(f"positive_label is {wanted!r}, but the labels are {', '.join(names)}"
                             f"{did_you_mean(wanted, names)}: name one of them")
        return wanted
    if len(names) == 2:
        for name, other in (names, names[::-1]):
            if _denies(other.casefold(), name.casefold()):
                return name
    raise ValueError(f"the labels are {', '.join(names)}, expected two, one of which denies the other: name the one of "
                     "relevant pairs by --positive-label")


def _denies(label: str, other: str) -> bool:
    return _DENIALS.get(label) == other or (label.endswith(other) and bool(_DENIAL.fullmatch(label.removesuffix(other))))


def make_engine(options: ServeOptions, number: int = 0) -> RerankEngine:
    """Loads the model of worker `number` onto its device, and compiles it."""
    from tfplm.serve.engines.text_task import open_text_task

    _check_prompts(resolve(options.source))
    return RerankEngine(open_text_task(options, number), options.positive_label)


def _check_prompts(path: Path) -> None:
    """ValueError for a CrossEncoder of sentence-transformers that puts a prompt before its texts."""
    file = path / "config_sentence_transformers.json"
    if file.is_file() and (name := read_json(file).get("default_prompt_name")):
        raise ValueError(f"{file} has the default prompt {name!r}, which is not understood here, so that scores would be "
                         "wrong; expected a cross-encoder without prompts: set default_prompt_name to null if its texts "
                         "need none")
