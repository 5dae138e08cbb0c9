"""More text out of little: the augmentation of Tang et al. 2019 (distilling BERT into a BiLSTM), section 3.2."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Probabilities per word of [MASK] and of another word with the same tag, per sentence of a cut to an n-gram of 1
    to `longest` words; `copies` trials per sentence, of which equal ones count once. The defaults are the paper's."""

    mask_rate: float = 0.1
    replace_rate: float = 0.1
    ngram_rate: float = 0.25
    longest: int = 5
    copies: int = 20
    mask: str = "[MASK]"


def words_by_tag(sentences: Iterable[Sequence[str]], tags: Iterable[Sequence[str]]) -> dict[str, list[str]]:
    """tag -> all words that have it, as often as they have it, so that a uniform draw follows their frequency."""
    table: dict[str, list[str]] = {}
    for words, marks in zip(sentences, tags):
        if len(words) != len(marks):
            raise ValueError(f"{len(words)} words but {len(marks)} tags: {' '.join(words)[:60]}")
        for word, mark in zip(words, marks):
            table.setdefault(mark, []).append(word)
    return table


def augment_once(words: Sequence[str], rng: np.random.Generator, settings: Augmentation,
                 tags: Sequence[str] | None = None, table: dict[str, list[str]] | None = None) -> list[str]:
    """One variant of a sentence; without tags and table nothing is replaced."""
    changed = list(words)
    for place, u in enumerate(rng.random(len(changed))):
        if u < settings.mask_rate:
            changed[place] = settings.mask
        elif tags is not None and table and u < settings.mask_rate + settings.replace_rate:
            candidates = table.get(tags[place]) or [changed[place]]
            changed[place] = candidates[int(rng.integers(len(candidates)))]
    if rng.random() < settings.ngram_rate and len(changed) > 1:
        size = int(rng.integers(1, min(settings.longest, len(changed)) + 1))
        begin = int(rng.integers(len(changed) - size + 1))
        changed = changed[begin:begin + size]
    return changed


def replace_words(words: Sequence[str], rng: np.random.Generator, neighbours: Callable[[str], Sequence[str]],
                  rate: float = 0.1) -> list[str]:
    """Each word becomes with probability `rate` one of its neighbours, each as likely; a word without any stays.

    neighbours(word): such as the nearest words of a table of word vectors. Labels of words keep their places.
    """
    changed = list(words)
    for place in np.flatnonzero(rng.random(len(changed)) < rate):
        if candidates := neighbours(changed[place]):
            changed[place] = candidates[int(rng.integers(len(candidates)))]
    return changed


def augment(words: Sequence[str], rng: np.random.Generator, settings: Augmentation | None = None,
            tags: Sequence[str] | None = None, table: dict[str, list[str]] | None = None) -> list[list[str]]:
    """The sentence, then its different variants (at most `copies`), each a list of words; for a teacher to label."""
    settings = settings or Augmentation()
    variants = [tuple(words), *(tuple(augment_once(words, rng, settings, tags, table))
                                for _ in range(settings.copies))]
    return [list(variant) for variant in dict.fromkeys(variants)]
