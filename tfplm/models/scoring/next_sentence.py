"""`tfplm next-sentence`: the relation of two texts, by the second head of pre-training.

Next sentence (Devlin et al. 2019, section 3.1), sentence order (Lan et al. 2020, section 3.1), or both (StructBERT, Wang
et al. 2020, section 2.3).
"""

import dataclasses
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from keras import ops

from tfplm.core.config import read_json
from tfplm.core.terminal.results import Results, check_output, probability
from tfplm.data.batches.by_length import by_length
from tfplm.families import registry
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.api import from_pretrained
from tfplm.models.pretrained.source import Source, open_source
from tfplm.options.base import verb
from tfplm.options.next_sentence import NextSentenceOptions
from tfplm.tokenizers import Tokenizer

# objective -> its classes, as in pre-training; the first one means that the second text follows the first
CLASSES = {"nsp": ("next", "not next"), "sop": ("in order", "swapped"), "sop3": ("in order", "swapped", "unrelated")}


@dataclasses.dataclass(frozen=True)
class PairRelation:
    """The relation of two texts.

    Attributes:
        first, second: the texts.
        probabilities: of the classes that the model knows, see `CLASSES`.
    """

    first: str
    second: str
    probabilities: dict[str, float]

    @property
    def relation(self) -> str:
        """The most probable class."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])

    @property
    def follows(self) -> float:
        """The probability that the second text follows the first."""
        return next(iter(self.probabilities.values()))

    @property
    def is_next(self) -> bool:
        return self.relation == next(iter(self.probabilities))


class PairModel:
    """A model with the head `pretraining`, its tokenizer, and the objective of its second head."""

    def __init__(self, model: PretrainedModel, tokenizer: Tokenizer, objective: str):
        if len(CLASSES[objective]) != model.num_labels:
            raise ValueError(f"the model has {model.num_labels} relations of sentences; expected "
                             f"{len(CLASSES[objective])} for the objective {objective}: change --objective")
        self.model, self.tokenizer, self.objective = model, tokenizer, objective
        self._call = tf.function(lambda batch: ops.softmax(model(batch, training=False)["next_sentence"]),
                                 autograph=False, reduce_retracing=True)

    def relations(self, first: Sequence[str], second: Sequence[str], batch_size: int = 16) -> list[PairRelation]:
        """The relation of each pair; longer pairs are truncated to the positions of the model."""
        if len(first) != len(second):
            raise ValueError(f"there are {len(first)} first and {len(second)} second texts; expected equally many")
        limit = self.model.config.row_limit(self.tokenizer.model_max_length)
        found = np.zeros((len(first), self.model.num_labels))
        for chosen in by_length([len(a) + len(b) for a, b in zip(first, second)], batch_size, longest_first=False):
            batch = self.tokenizer([first[index] for index in chosen], [second[index] for index in chosen],
                                   max_length=limit, padding=8)
            # the language model's logits of one position, as they are not used
            batch["masked_lm_positions"] = np.zeros((len(chosen), 1), np.int32)
            found[chosen] = self._call({name: tf.convert_to_tensor(values) for name, values in batch.items()})
        names = CLASSES[self.objective]
        return [PairRelation(a, b, dict(zip(names, map(float, row)))) for a, b, row in zip(first, second, found)]


def open_pair_model(source: "str | os.PathLike | PretrainedModel | PairModel", tokenizer: Tokenizer | None = None,
                    objective: str = "auto", dtype: str | None = None) -> PairModel:
    """Opens a model whose head knows relations of sentences, and its tokenizer.

    Args:
        source: a directory, a hub name, an open source, or a model with the head `pretraining`.
        tokenizer: required with a model; default: the tokenizer in the directory.
        objective: "nsp", "sop" or "sop3"; "auto": of three relations "sop3", otherwise that of the folder's pre-training,
            or else "sop" for ALBERT and "nsp" for other families.

    Raises:
        ValueError: there is no such head (random weights would give random relations), or a model was passed without a
            tokenizer.
    """
    if isinstance(source, PairModel):
        return source
    if objective not in ("auto", *CLASSES):
        raise ValueError(f"objective is {objective!r}; expected 'auto', {', '.join(map(repr, CLASSES))}")
    trained = ""
    if isinstance(source, PretrainedModel):
        model = source
        if tokenizer is None:
            raise ValueError("the source is a model, but tokenizer is None; expected its tokenizer: pass "
                             "tokenizer=tfplm.Tokenizer.from_pretrained(...), or the directory of both as source")
    else:
        source = open_source(source)
        trained = _objective_in(source)
        head = source.head if source.layout == "keras" else "pretraining"  # such a file has one head only
        model = from_pretrained(source, head, dtype=dtype)
        tokenizer = tokenizer or source.tokenizer()
    fresh = getattr(getattr(model, "loading_report", None), "fresh", [])
    if model.head_name != "pretraining" or any(name.startswith(("next_sentence", "pooler")) for name in fresh):
        raise ValueError(f"{source if isinstance(source, Source) else 'the model'} has no trained head for relations of "
                         "sentences; expected a model pre-trained with one, such as bert-base-chinese (BERT) or an ALBERT: "
                         "use it, or tfplm pretrain --objective mlm+nsp or mlm+sop")
    if objective == "auto":
        objective = "sop3" if model.num_labels == 3 else trained or _objective_of(model.config.model_type)
    return PairModel(model, tokenizer, objective)


def _objective_in(source: Source) -> str:
    """The objective on two sentences with which `tfplm pretrain` wrote a folder; "" if it did not."""
    options = (source.path if source.path.is_dir() else source.path.parent) / "pretrain.json"
    text = str(read_json(options).get("objective")) if options.is_file() else ""
    found = re.search(r"\b(nsp|sop)\b", text)
    return found[1] if found else ""


def _objective_of(model_type: str) -> str:
    """The objective of a family, by the name of the head in its published checkpoints."""
    found = registry.family(model_type).names.locations("next_sentence/kernel", "hf", "")
    return "sop" if any(name.startswith("sop") for location in found for name in location.names) else "nsp"


def is_next(source, first: str, second: str, **details) -> bool:
    """Returns True if the second text follows the first, according to the model.

        is_next("bert-base-chinese", "师徒四人历经艰险", "取得真经")

    `source` and `details` are the arguments of `open_pair_model`, which opens a model once for many calls. A model that
    was trained on the order of sentences tells whether they are in order.
    """
    (found,) = open_pair_model(source, **details).relations([first], [second])
    return found.is_next


def in_order(source, first: str, second: str, **details) -> bool:
    """Returns True if the second text follows the first more probably than the first one the second."""
    forward, backward = open_pair_model(source, **details).relations([first, second], [second, first])
    return forward.follows >= backward.follows


def _pairs(options: NextSentenceOptions) -> tuple[list[str], list[str]]:
    texts = options.texts
    if texts:
        if len(texts) % 2:
            raise ValueError(f"there are {len(texts)} texts; expected pairs, FIRST SECOND FIRST SECOND ...: add one, or use "
                             "quotation marks around texts with spaces")
        return texts[::2], texts[1::2]
    pairs = []
    for line in _lines(options.file):
        if line.count("\t") != 1:
            raise ValueError(f"the line {line[:80]!r} has {line.count(chr(9))} tabs; expected one: FIRST TAB SECOND")
        pairs.append(line.split("\t"))
    if not pairs:
        raise ValueError("there are no texts; expected a pair: pass two texts, --file FILE, or standard input with lines "
                         "FIRST TAB SECOND")
    first, second = zip(*pairs)
    return list(first), list(second)


def _lines(file: str | None) -> Iterator[str]:
    text = Path(file).read_text(encoding="utf-8") if file else sys.stdin.read()
    return (line for line in text.split("\n") if line.strip())


def _as_text(row: dict) -> str:
    text = f"{row['relation']} ({probability(row['probabilities'][row['relation']])})  {row['first']} | {row['second']}"
    return text + (f"  first: {row['comes_first']}" if "comes_first" in row else "")


@verb(NextSentenceOptions)
def run(options: NextSentenceOptions) -> list[PairRelation]:
    """Runs the verb: prints and returns the relation of each pair; with `order`, also which text comes first."""
    check_output(options.output, options.overwrite)  # before the model is loaded
    first, second = _pairs(options)
    opened = open_pair_model(options.source, objective=options.objective, dtype=options.dtype)
    found = opened.relations(first, second, options.batch_size)
    backward = opened.relations(second, first, options.batch_size) if options.order else found
    with Results(options.json, options.output, overwrite=options.overwrite, as_text=_as_text) as results:
        for one, other in zip(found, backward):
            row = {"first": one.first, "second": one.second, "is_next": one.is_next, "relation": one.relation,
                   "probabilities": one.probabilities}
            if options.order:
                row |= {"comes_first": one.first if one.follows >= other.follows else one.second,
                        "reversed": other.probabilities}
            results.show(row)
    return found
