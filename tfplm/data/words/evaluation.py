"""Evaluation of word vectors: analogies (Mikolov et al. 2013), and similarities that people have judged."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfplm.data.correlation import correlation, ranks
from tfplm.data.tasks.columns import is_number
from tfplm.data.words import ranking

if TYPE_CHECKING:
    from tfplm.data.words.word_vectors import WordVectors

_TOGETHER = 64  # questions that are searched at once
_ANSWERS = 5  # neighbours among which the first word that is known counts, as in gensim


def word_analogies(words: WordVectors, path: str | os.PathLike, restrict_vocab: int | None = 300_000,
                   case_insensitive: bool = True, dummy4unknown: bool = False) -> tuple[float, list[dict]]:
    """The share of analogies that 3CosAdd solves.

    Args:
        path: lines of four words, in sections that begin with a line `: name`, such as `questions-words.txt`.
        restrict_vocab: the first words, among which questions and answers must be. None: all.
        case_insensitive: words are compared in upper case; the first of several spellings counts.
        dummy4unknown: questions with unknown words count as wrong; else they are left out.

    Returns:
        The share (0 without any question), and the sections `{"section", "correct", "incorrect"}`, whose lists hold
        the questions `(a, b, c, d)`; the last one, `Total accuracy`, holds all.

    Raises ValueError, with the line, for a file of another form.
    """
    known = _known(words, restrict_vocab, case_insensitive)
    sections: list[dict] = []
    for name, questions in _sections(path, case_insensitive):
        section: dict[str, Any] = {"section": name, "correct": [], "incorrect": []}
        sections.append(section)
        asked = [question for question in questions if all(word in known for word in question)]
        right = iter(_solve(words, asked, known, restrict_vocab))
        for question in questions:
            if all(word in known for word in question):
                section["correct" if next(right) else "incorrect"].append(question)
            elif dummy4unknown:
                section["incorrect"].append(question)
    total = {"section": "Total accuracy", **{key: [question for section in sections for question in section[key]]
                                             for key in ("correct", "incorrect")}}
    count = len(total["correct"]) + len(total["incorrect"])
    return len(total["correct"]) / count if count else 0.0, [*sections, total]


def _known(words: WordVectors, limit: int | None, case_insensitive: bool) -> dict[str, int]:
    known: dict[str, int] = {}
    for index, word in enumerate(words.index_to_key[:limit]):
        known.setdefault(word.upper() if case_insensitive else word, index)
    return known


def _sections(path: str | os.PathLike, upper: bool) -> Iterator[tuple[str, list[tuple[str, ...]]]]:
    name: str | None = None
    questions: list[tuple[str, ...]] = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8-sig").splitlines(), start=1):
        if line.startswith(": "):
            if name is not None:
                yield name, questions
            name, questions = line[2:].strip(), []
        elif line.strip():
            question = tuple((line.upper() if upper else line).split())
            if len(question) != 4:
                raise ValueError(f"{path}:{number} has {len(question)} words, expected the four of an analogy, or a line "
                                 "': section'; separate the words by blanks")
            questions.append(question)
            name = "" if name is None else name
    if name is None:
        raise ValueError(f"{path} has no analogies; expected lines of four words, such as those of questions-words.txt")
    yield name, questions


def _solve(words: WordVectors, questions: list[tuple[str, ...]], known: dict[str, int], limit: int | None
           ) -> Iterator[bool]:
    """Whether each question is answered rightly."""
    vectors, norms = words.vectors[:limit], words.norms[:limit]
    spelled = {index: word for word, index in known.items()}
    for start in range(0, len(questions), _TOGETHER):
        rows = np.array([[known[word] for word in question] for question in questions[start:start + _TOGETHER]])
        units = vectors[rows[:, :3]] / norms[rows[:, :3], None]
        queries = units[:, 1] + units[:, 2] - units[:, 0]
        scores = np.concatenate([queries @ vectors[at:at + ranking.BLOCK_ROWS].T / norms[at:at + ranking.BLOCK_ROWS]
                                 for at in range(0, len(vectors), ranking.BLOCK_ROWS)], axis=1)
        for row, found in zip(rows, ranking.best(scores, _ANSWERS + 3), strict=True):
            answers = [index for index in found if index not in row[:3]][:_ANSWERS]
            # another spelling of a known word is no answer
            yield next((index for index in answers if index in spelled), -1) == row[3]


def word_pairs(words: WordVectors, path: str | os.PathLike, delimiter: str | None = None,
               restrict_vocab: int | None = 300_000, case_insensitive: bool = True, dummy4unknown: bool = False
               ) -> tuple[tuple[float, float], tuple[float, float], float]:
    """How cosines correlate with judgements, such as those of WordSim-353.

    Args:
        path: lines of two words and a number, maybe after a number of the row; `#` begins a comment. A first line
            without a number is a header.
        delimiter: None: a tab if the line has one, else a comma.
        restrict_vocab, case_insensitive: as for `word_analogies`.
        dummy4unknown: pairs with unknown words get the cosine 0; else they are left out.

    Returns:
        (Pearson's r, p), (Spearman's rho, p), and the percentage of pairs with unknown words. The correlations are NaN
        for fewer than three pairs.
    """
    known = _known(words, restrict_vocab, case_insensitive)
    judged, cosines, unknown, total = [], [], 0, 0
    for first, second, score in _judgements(path, delimiter):
        total += 1
        pair = [known.get(word.upper() if case_insensitive else word) for word in (first, second)]
        if None in pair:
            unknown += 1
            if not dummy4unknown:
                continue
        judged.append(score)
        cosines.append(0.0 if None in pair else float(words.vectors[pair[0]] @ words.vectors[pair[1]]
                                                      / words.norms[pair[0]] / words.norms[pair[1]]))
    people, ours = np.array(judged), np.array(cosines)
    return _with_chance(people, ours), _with_chance(ranks(people), ranks(ours)), 100 * unknown / total


def _judgements(path: str | os.PathLike, delimiter: str | None) -> Iterator[tuple[str, str, float]]:
    empty = True
    for number, line in enumerate(Path(path).read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split(delimiter or ("\t" if "\t" in line else ","))]
        found = next((cells[start:start + 3] for start in (0, 1) if len(cells) >= start + 3
                      and is_number(cells[start + 2])), None)
        if found is not None:
            empty = False
            yield found[0], found[1], float(found[2])
        elif not empty or number > 1:
            raise ValueError(f"{path}:{number} is {line[:60]!r}, expected two words and a number, separated by tabs or "
                             "commas; give the delimiter")
    if empty:
        raise ValueError(f"{path} has no pairs; expected lines of two words and a number")


def _with_chance(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Pearson's correlation, and the probability of one at least as strong by chance (two-sided t test)."""
    r, freedom = correlation(first, second) if len(first) > 2 else float("nan"), len(first) - 2.0
    if np.isnan(r):
        return r, float("nan")
    import tensorflow as tf

    square = r * r * freedom / max(1 - r * r, 1e-300)
    p = tf.math.betainc(tf.constant(freedom / 2, tf.float64), tf.constant(0.5, tf.float64),
                        tf.constant(freedom / (freedom + square), tf.float64))
    return r, float(p)
