"""All objectives by name, and the syntax of their sums and mixtures.

    mlm    mlm+sop    mlm:1+sop:0.5    mlm+nsp@3,clm@1
"""

import dataclasses
import importlib

from tfplm.core.suggest import did_you_mean
from tfplm.options.objectives import declared
from tfplm.pretrain.objectives.objective import Objective

# every class in this folder that declares a name
OBJECTIVES: dict[str, type[Objective]] = {
    name: getattr(importlib.import_module(f"tfplm.pretrain.objectives.{found.module}"), found.kind)
    for name, found in declared().items()}
_OF_EXAMPLES = ("labelled", "next", "order", "order3")  # packings that determine the structure of an example


@dataclasses.dataclass(frozen=True)
class TaskPlan:
    """One task as it was written: objectives with the weights of their losses (None: the default), and the task's share
    of the batches."""

    text: str
    terms: tuple[tuple[str, float | None], ...]
    share: float = 1.0

    @property
    def kinds(self) -> list[type[Objective]]:
        return [OBJECTIVES[name] for name, _ in self.terms]

    @property
    def packing(self) -> str:
        """The packing of the text: that of an objective that labels whole examples, else of the one that corrupts, else
        of the first."""
        kinds = sorted(self.kinds, key=lambda kind: (kind.packing not in _OF_EXAMPLES, not kind.corrupts))
        return kinds[0].packing

    @property
    def architectures(self) -> set[str]:
        return set.intersection(*(set(kind.architectures) for kind in self.kinds))


def _positive(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise ValueError(f"objective '{where}' has the weight '{text}'; expected a number above 0: write it as in "
                         "mlm:1+sop:0.5")
    return value


def parse_task(text: str) -> TaskPlan:
    """`mlm:1+sop:0.5@2` -> a plan. Raises ValueError for unknown names (with the nearest one) and impossible sums."""
    body, _, share = text.strip().partition("@")
    terms = []
    for term in body.split("+"):
        name, _, weight = term.strip().lower().partition(":")
        if name not in OBJECTIVES:
            raise ValueError(f"there is no objective '{name}'{did_you_mean(name, OBJECTIVES) or '.'} Expected one or "
                             f"more of {', '.join(OBJECTIVES)}")
        terms.append((name, _positive(weight, text) if weight else None))
    plan = TaskPlan(body.strip(), tuple(terms), _positive(share, text) if share else 1.0)
    _check_sum(plan)
    return plan


def _check_sum(plan: TaskPlan) -> None:
    names = [name for name, _ in plan.terms]
    groups = {"change the tokens of a batch": [kind.name for kind in plan.kinds if kind.corrupts],
              "determine what an example consists of": [kind.name for kind in plan.kinds
                                                     if kind.packing in _OF_EXAMPLES and not kind.corrupts]}
    for what, members in groups.items():
        if len(members) > 1:
            raise ValueError(f"objective '{plan.text}': {' and '.join(members)} both {what}, so they cannot share a "
                             f"batch; train on batches of each: {','.join(members)}")
    if len(set(names)) < len(names):
        raise ValueError(f"objective '{plan.text}' names one objective twice; expected each once: remove one of them")
    if not plan.architectures:
        needs = "; ".join(f"{kind.name}: {' or '.join(kind.architectures)}" for kind in plan.kinds)
        raise ValueError(f"objective '{plan.text}': its objectives need different architectures ({needs}); expected "
                         "one that all share: train them one after the other")


def parse_objective(text: str) -> list[TaskPlan]:
    """The tasks of `--objective`, which commas separate. Raises ValueError for tasks that cannot share a model."""
    plans = [parse_task(part) for part in text.split(",")]
    if not set.intersection(*(plan.architectures for plan in plans)):
        needs = "; ".join(f"{plan.text}: {' or '.join(sorted(plan.architectures))}" for plan in plans)
        raise ValueError(f"objective '{text}': its tasks need different architectures ({needs}); expected one that all "
                         "share: train them one after the other")
    return plans


def kinds_of(plans: list[TaskPlan]) -> list[type[Objective]]:
    """The objectives of all tasks, each once, in the order in which they were written."""
    return list(dict.fromkeys(kind for plan in plans for kind in plan.kinds))


def saved_head(plans: list[TaskPlan]) -> str:
    """The head of the model that is trained and saved: that of the objective that predicts the most tokens."""
    heads = {kind.head for kind in kinds_of(plans)}
    if "replaced_token_detection" in heads and heads & {"masked_lm", "causal_lm"}:
        raise ValueError("rtd trains a model without a projection to the vocabulary, so it cannot be combined with "
                         "other objectives that predict tokens: train them one after the other")
    order = ("replaced_token_detection", "seq2seq_lm", "masked_lm", "pretraining", "causal_lm",
             "token_classification", "sequence_classification")
    if {"masked_lm", "pretraining"} <= heads and "replaced_token_detection" not in heads:
        return "pretraining"
    return next(head for head in order if head in heads)


def saved_classes(plans: list[TaskPlan], of_corpus: tuple[str, ...]) -> tuple[str, ...] | None:
    """The class names of the saved head; None if it does not classify."""
    head = saved_head(plans)
    return next(kind for kind in kinds_of(plans) if kind.head == head).class_names(of_corpus) \
        if head.endswith("_classification") else None


def default_preset(plans: list[TaskPlan]) -> str:
    """The preset to use if none was named: that of the first objective among those that can train the fewest
    architectures, because these restrict the others."""
    kinds = kinds_of(plans)
    fewest = min(len(kind.architectures) for kind in kinds)
    return next((kind.preset for kind in kinds if len(kind.architectures) == fewest and kind.preset),
                "bert-base-uncased")
