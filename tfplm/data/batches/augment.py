"""Augmentation of lists of words, as in Tang et al. 2019 (distillation of BERT into a BiLSTM), section 3.2."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """Settings of the augmentation; the defaults are those of the paper.

    Attributes:
        mask_rate: probability per word of being replaced by `mask`.
        replace_rate: probability per word of being replaced by another word with the same tag.
        ngram_rate: probability per sentence of being reduced to an n-gram of 1 to `longest` words.
        copies: number of samples per sentence, of which duplicates are removed.
    """

    mask_rate: float = 0.1
    replace_rate: float = 0.1
    ngram_rate: float = 0.25
    longest: int = 5
    copies: int = 20
    mask: str = "[MASK]"


def words_by_tag(sentences: Iterable[Sequence[str]], tags: Iterable[Sequence[str]]) -> dict[str, list[str]]:
    """Tag -> all its words with repetitions, so that a uniform sample follows their frequency."""
    table: dict[str, list[str]] = {}
    for words, tags_of_words in zip(sentences, tags):
        if len(words) != len(tags_of_words):
            raise ValueError(f"a sentence has {len(words)} words and {len(tags_of_words)} tags, expected equally many: "
                             f"{' '.join(words)[:60]}")
        for word, tag in zip(words, tags_of_words):
            table.setdefault(tag, []).append(word)
    return table


def augment_once(words: Sequence[str], rng: np.random.Generator, settings: Augmentation,
                 tags: Sequence[str] | None = None, table: dict[str, list[str]] | None = None) -> list[str]:
    """One variant of a sentence; without tags and table no words are replaced by others."""
    changed = list(words)
    for position, u in enumerate(rng.random(len(changed))):
        if u < settings.mask_rate:
            changed[position] = settings.mask
        elif tags is not None and table and u < settings.mask_rate + settings.replace_rate:
            candidates = table.get(tags[position]) or [changed[position]]
            changed[position] = candidates[int(rng.integers(len(candidates)))]
    if rng.random() < settings.ngram_rate and len(changed) > 1:
        size = int(rng.integers(1, min(settings.longest, len(changed)) + 1))
        start = int(rng.integers(len(changed) - size + 1))
        changed = changed[start:start + size]
    return changed


def replace_words(words: Sequence[str], rng: np.random.Generator, neighbours: Callable[[str], Sequence[str]],
                  rate: float = 0.1) -> list[str]:
    """Replaces each word with probability `rate` by one of its neighbors, chosen uniformly; positions do not change.

    neighbours(word): the possible replacements, such as the nearest words of a table of word vectors; empty to keep the
    word.
    """
    changed = list(words)
    for position in np.flatnonzero(rng.random(len(changed)) < rate):
        if candidates := neighbours(changed[position]):
            changed[position] = candidates[int(rng.integers(len(candidates)))]
    return changed


def augment(words: Sequence[str], rng: np.random.Generator, settings: Augmentation | None = None,
            tags: Sequence[str] | None = None, table: dict[str, list[str]] | None = None) -> list[list[str]]:
    """The sentence and its distinct variants (at most `copies`), each a list of words, to be labelled by a teacher."""
    settings = settings or Augmentation()
    variants = [tuple(words), *(tuple(augment_once(words, rng, settings, tags, table))
                                for _ in range(settings.copies))]
    return [list(variant) for variant in dict.fromkeys(variants)]
