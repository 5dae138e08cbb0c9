"""Texts, pairs and triples for contrastive training, and their batches."""

import contextlib
import dataclasses
import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfplm.data.batches.batch_source import dataset_like
from tfplm.data.batches.batching import padded
from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Reading
from tfplm.data.tasks.splits import find_splits
from tfplm.data.text.text_files import find_files, read_lines
from tfplm.embed.contrastive.losses import LOSSES
from tfplm.embed.encoder.rows import TextIds, round_width
from tfplm.embed.encoder.text_ids import TextReader

log = logging.getLogger(__name__)
_SORTED = 50  # batches whose texts are sorted by length together


@dataclasses.dataclass(frozen=True)
class Group:
    """Texts that form one example, the anchor text first, and the score of a pair."""

    texts: tuple[str, ...]
    score: float | None = None


def read_groups(sources: list[str], loss: str, split: str = "train", negatives: bool = False, encoding: str = "utf-8"
                ) -> list[Group]:
    """Reads the examples of files or folders for a loss.

    `simcse`: each line is a text; from a table, such as the train file of a folder with pairs, all distinct texts are
    used. The other losses: two texts per row, and with `negatives` a third one, which is dissimilar. `cosent` and
    `cosine` also need a number, which for `cosine` is divided by the largest one. `ranking`, `supervised_simcse`: if
    rows have a number, only those with the largest one are used. Raises ValueError for rows without the columns that
    the loss needs, and for examples from which it learns nothing. Repetitions of an example without a score are left out,
    with a warning.
    """
    groups = _read(sources, loss, split, negatives, encoding)
    if not LOSSES[loss].labelled:
        different = list(dict.fromkeys(groups))
        if len(different) < len(groups):
            log.warning("%d of %d examples are repetitions; each is used once", len(groups) - len(different), len(groups))
        groups = different
    _check(groups, loss)
    return groups


def _read(sources: list[str], loss: str, split: str, negatives: bool, encoding: str) -> list[Group]:
    kind = LOSSES[loss]
    if kind.twice:
        return [Group((text, text)) for source in sources for text in _texts(source, split, encoding)]
    if negatives:
        if kind.labelled:
            raise ValueError(f"--negatives was given with the loss {loss}, which needs pairs with scores: omit "
                             "--negatives, or use the loss ranking or supervised_simcse")
        reading = Reading(text_column="0", pair_column="1", label_column="2", encoding=encoding)
    else:
        reading = Reading(label_kind="number", encoding=encoding)
    examples = [example for source in sources for example in read_examples(source, "text", reading, split)]
    for example in examples:
        if example.pair is None or (kind.labelled and example.label is None):
            found = "one text" if example.pair is None else "two texts"
            raise ValueError(f"{example.origin}: the row has only {found}; expected two texts"
                             f"{' and a number' if kind.labelled else ''} for the loss {loss}: add the missing column, "
                             "or use another --loss")
    if negatives:
        return [Group((example.text, example.pair, example.label)) for example in examples]
    largest = max((example.label for example in examples if example.label is not None), default=None)
    if kind.labelled:
        scale = largest if loss == "cosine" and largest else 1.0
        return [Group((example.text, example.pair), example.label / scale) for example in examples]
    chosen = [Group((example.text, example.pair)) for example in examples if example.label == largest]
    if largest is not None:
        log.warning("%d of %d pairs have the largest number, %g, and are taken to be similar; the others are not used",
                    len(chosen), len(examples), largest)
    return chosen


def _check(groups: list[Group], loss: str) -> None:
    """Raises ValueError for examples from which the loss learns nothing."""
    if LOSSES[loss].labelled and len(groups) > 1 and len({group.score for group in groups}) < 2:
        raise ValueError(f"all {len(groups):,} pairs have the score {groups[0].score:g}; expected different scores, whose "
                         f"order or size the loss {loss} learns: check the data, or use another --loss")
    if not LOSSES[loss].labelled and len({text for group in groups for text in group.texts[1:]}) == 1 and groups:
        raise ValueError("there is only one different text; expected two or more, as the others of a batch are what a "
                         "text is told apart from: check --data")


def _texts(source: str, split: str, encoding: str) -> list[str]:
    """The lines of a source's files, or the texts in their rows; of a folder, only the file of the split, if any."""
    if Path(source).is_dir():
        with contextlib.suppress(ValueError):  # a folder of texts
            source = find_splits(source).get(split, source)
    texts = []
    for file in find_files(source):
        if "\t" in next(iter(read_lines(file, encoding, longest=-1)), "") or file.endswith((".csv", ".jsonl", ".json")):
            examples = read_examples(file, "text", Reading(encoding=encoding), None)
            texts += dict.fromkeys(text for example in examples for text in (example.text, example.pair) if text)
        else:
            texts += [line for line in read_lines(file, encoding, longest=-1) if line.strip()]
    return texts


class GroupBatches:
    """Endless batches of `batch_size` groups; a batch depends only on (seed, index of the batch).

    A batch is as wide as its longest text, rounded up to one of few widths. The last, smaller batch of an epoch is
    dropped, unless it is the only one.

    Args:
        reader: converts texts to token ids.
        pad: id of the padding token.
        prompt: text that is put before each text.
        by_length: put texts of similar length into a batch. That is faster, and the length does not distinguish a text
            from the negatives.
        repetition: if a pair is the same text twice, up to max(2, `repetition` x tokens) tokens of the second one are
            repeated (ESimCSE, Wu et al. 2022, section 3.1: 0.32), so that equal length does not indicate similarity.
    """

    def __init__(self, groups: list[Group], reader: TextReader, batch_size: int, seed: int = 0, pad: int = 0,
                 prompt: str = "", *, by_length: bool = False, repetition: float = 0.0):
        if not groups:
            raise ValueError("there are 0 examples to train on; expected texts or pairs of similar texts: check --data")
        self.groups, self.reader, self.seed, self.pad, self.prompt = groups, reader, seed, pad, prompt
        self.batch_size, self.repetition, self.start = min(batch_size, len(groups)), repetition, 0
        self.steps = len(groups) // self.batch_size  # per epoch
        self._lengths = np.array([max(map(len, group.texts)) for group in groups]) if by_length else None

    def batches(self, start: int = 0) -> Iterator[dict[str, np.ndarray]]:
        """The batches of the training, starting at index `start`."""
        epoch = start // self.steps
        while True:
            chosen = self._chosen(np.random.default_rng((self.seed, epoch)))
            for step in range(max(0, start - epoch * self.steps), self.steps):
                yield self.batch(chosen[step], np.random.default_rng((self.seed, epoch, step)))
            epoch += 1

    def dataset(self):
        """The batches from index `start` on, as a `tf.data.Dataset`; a resumed training sets `start`."""
        return dataset_like(lambda: self.batches(self.start), self.batch(range(self.batch_size)))

    def _chosen(self, random: np.random.Generator) -> np.ndarray:
        """The indices of the groups of each batch of an epoch, `[steps, batch_size]`."""
        order = random.permutation(len(self.groups))[:self.steps * self.batch_size]
        if self._lengths is not None:
            for part in np.split(order, range(_SORTED * self.batch_size, len(order), _SORTED * self.batch_size)):
                part[:] = part[np.argsort(self._lengths[part], kind="stable")]
            return random.permutation(order.reshape(self.steps, -1))
        return order.reshape(self.steps, -1)

    def batch(self, indices, random: np.random.Generator | None = None) -> dict[str, np.ndarray]:
        """The batch of the groups with these indices: `input_ids`, `attention_mask`, `token_type_ids` int32 `[B,K,T]`,
        `texts` int64 `[B,K]`, equal numbers for equal texts, and `labels` float32 `[B]` if groups have scores.

        random: generator for the repetition; None for no repetition.
        """
        groups = [self.groups[index] for index in indices]
        rows = self.reader([text for group in groups for text in group.texts], self.prompt)
        texts = np.array([_digest(row) for row in rows], np.int64).reshape(len(groups), -1)
        if self.repetition and random is not None:
            rows[1::2] = [repeated(row, self.repetition, self.reader, random) for row in rows[1::2]]
        width = round_width(max(len(row) for row in rows))
        if self.reader.max_length is not None:
            width = min(width, max(self.reader.max_length, max(len(row) for row in rows)))
        batch = _padded(rows, width, self.pad)
        batch = {name: array.reshape(len(groups), -1, width) for name, array in batch.items()} | {"texts": texts}
        if groups[0].score is not None:
            batch["labels"] = np.array([group.score for group in groups], np.float32)
        return batch


def _digest(row: TextIds) -> int:
    """A number that is equal for texts with equal tokens, in all processes."""
    return int.from_bytes(hashlib.blake2b(row.input_ids.tobytes(), digest_size=8).digest(), "little", signed=True)


def repeated(row: TextIds, rate: float, reader: TextReader, random: np.random.Generator) -> TextIds:
    """The text with some of its tokens repeated, but no special tokens; their number is sampled from 0 to max(2, rate x
    tokens)."""
    before, after = reader.special_counts
    tokens = len(row) - before - after  # below 0 for an empty text, which has a single token
    room = tokens if reader.max_length is None else reader.max_length - len(row)
    count = min(random.integers(0, max(2, int(rate * tokens)), endpoint=True), tokens, room)
    times = np.ones(len(row), np.int64)
    if count > 0:
        times[before + random.choice(tokens, count, replace=False)] = 2
    return TextIds(np.repeat(row.input_ids, times), np.repeat(row.token_type_ids, times))


def _padded(rows: list[TextIds], width: int, pad: int) -> dict[str, np.ndarray]:
    return {"input_ids": padded([row.input_ids for row in rows], width, pad),
            "attention_mask": padded([np.ones(len(row), np.int32) for row in rows], width),
            "token_type_ids": padded([row.token_type_ids for row in rows], width)}
