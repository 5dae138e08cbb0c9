"""The pre-training corpus: documents, static features, or labelled texts; each provides the batches of a task."""

import abc
import dataclasses
import functools
import zlib
from collections.abc import Callable

from tfplm.data.batches.batch_source import BatchSource, feature_batches, token_batches
from tfplm.data.batches.batching import Batching, token_pads
from tfplm.data.noise import NoiseVocabulary
from tfplm.data.records.reader import TokenRecords
from tfplm.data.sequences.documents import noise_vocabulary
from tfplm.data.sequences.labelled import text_batches
from tfplm.data.sequences.recipes import Sequences
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.objectives.objective import Objective
from tfplm.pretrain.objectives.task import Task, finished
from tfplm.tokenizers import Tokenizer

_ENTIRE = 10_000
_FEW = 50  # batches per epoch; up to here the last, smaller batch is trained on as well


def is_held_out(data: bytes, share: float) -> bool:
    """Returns True if this text or record belongs to the held-out fraction `share`; it depends on `data` alone."""
    return zlib.crc32(data) % _ENTIRE < share * _ENTIRE


@dataclasses.dataclass
class Corpus(abc.ABC):
    """Base class of corpora. Subclasses implement `source`.

    Attributes: `vocabulary`, the special ids of the tokenizer; `classes`, the class names of labelled texts.
    """

    options: PretrainOptions
    tokenizer: Tokenizer

    def __post_init__(self):
        self.vocabulary: NoiseVocabulary = noise_vocabulary(self.tokenizer)
        self.classes: tuple[str, ...] = ()

    @abc.abstractmethod
    def source(self, task: Task, length: int, held_out: bool = False) -> BatchSource | None:
        """The batches of a task, in rows of at most `length` tokens; None if there is no held-out text.

        Raises ValueError for a task that cannot learn from such a corpus.
        """

    def _common(self, length: int, held_out: bool) -> dict:
        """The arguments that all sources share: few row widths; no shuffling in evaluation."""
        batching = Batching(self.options.batch_tokens, multiple=min(max(8, length // 16), length))
        return {"batching": batching, "seed": self.options.seed, "shuffle": not held_out}


@dataclasses.dataclass(kw_only=True)
class DocumentCorpus(Corpus):
    """Running text. `reader(held_out)` returns its documents, or None if there is no held-out text."""

    reader: Callable[[bool], object]

    def source(self, task, length, held_out=False):
        if task.plan.packing == "labelled":
            raise ValueError(f"{task.plan.text} needs the text itself, and records hold token ids: name text files "
                             "instead of --records")
        reader = self.reader(held_out)
        if reader is None:
            return None
        common = self._common(length, held_out)
        if not held_out and reader.tokens > _FEW * self.options.batch_tokens:  # one shape fewer to compile
            common["batching"] = dataclasses.replace(common["batching"], drop_remainder=True)
        packing = self.options.packing
        if packing == "auto" or task.plan.packing in ("next", "order", "order3"):
            packing = task.plan.packing
        return token_batches(reader, Sequences(packing, task.raw_length(length)), task.noise, columns=task.columns,
                             **common)


@dataclasses.dataclass(kw_only=True)
class FeatureCorpus(Corpus):
    """Records of static features in BERT's layout, in `files`. `held`: files of the held-out part; without any, the
    option `held_out` is the fraction of the records that is held out."""

    files: list[str]
    held: list[str] = dataclasses.field(default_factory=list)

    def source(self, task, length, held_out=False):
        if unknown := [kind.name for kind in task.plan.kinds if not kind.in_bert_records]:
            raise ValueError(f"records in BERT's layout already contain the masks and sentence pairs of mlm and nsp or "
                             f"sop, so they cannot train {', '.join(sorted(unknown))}: use --objective mlm, mlm+nsp or "
                             "mlm+sop, or records with the layout tokens")
        keep = None if self.held else functools.partial(self._belongs, held_out)
        files = self.held if self.held and held_out else self.files
        return feature_batches(files, keep=keep, noise=lambda batch, _: finished(batch),
                               pads=token_pads(self.vocabulary.pad), **self._common(length, held_out))

    def _belongs(self, held_out: bool, example: dict) -> bool:
        return is_held_out(example["input_ids"].tobytes(), self.options.held_out) == held_out


@dataclasses.dataclass(kw_only=True)
class LabelledCorpus(Corpus):
    """Texts with classes, as the objective `kind` finds them; `held[i]` is True if text i is held out."""

    kind: type[Objective]
    texts: list[str]
    held: list[bool]

    def __post_init__(self):
        super().__post_init__()
        self.classes = tuple(self.kind.classes_of(self._part(False)))
        self._examples(False)  # raises ValueError if there is no class at all
        if len(self.classes) < 2:
            raise ValueError(f"all texts of {self.kind.name} have the class {self.classes[0]!r}; expected two or "
                             "more classes: add texts of other classes")

    def _part(self, held_out: bool) -> list[str]:
        return [text for text, out in zip(self.texts, self.held) if out == held_out]

    def _examples(self, held_out: bool) -> list[tuple[str, int]]:
        return list(self.kind.examples_of(self._part(held_out), list(self.classes)))

    def source(self, task, length, held_out=False):
        if task.plan.packing != "labelled":
            raise ValueError(f"{task.plan.text} reads running text, but {self.kind.name} reads labelled texts: train "
                             "one after the other, the second with --init")
        if task.columns:
            raise ValueError(f"{task.plan.text} needs whole documents, but {self.kind.name} reads single texts: train "
                             "one after the other, the second with --init")
        examples = self._examples(held_out)
        return text_batches(examples, self.tokenizer, length, f"{self.kind.name}_labels", noise=task.noise,
                            **self._common(length, held_out)) if examples else None


@dataclasses.dataclass
class PartOfRecords:
    """`TokenRecords` without the held-out fraction `share` of the documents, or (held_out=True) only with it."""

    whole: TokenRecords
    share: float
    held_out: bool

    @property
    def vocabulary(self) -> NoiseVocabulary:
        return self.whole.vocabulary

    @property
    def tokens(self) -> int:
        return int(self.whole.tokens * (self.share if self.held_out else 1 - self.share))

    def windows(self, rng=None, shard=(0, 1)):
        for documents in self.whole.windows(rng, shard):
            yield [document for document in documents
                   if is_held_out(document.ids.tobytes(), self.share) == self.held_out]
