"""Word vectors with the methods of gensim's `KeyedVectors`."""

import logging
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tfplm.core.suggest import did_you_mean
from tfplm.data.words import evaluation, opening, ranking
from tfplm.data.words.subwords import Subwords

log = logging.getLogger("tfplm")
_SUGGESTED = 20_000  # words that are compared with one that is not found


class WordVectors:
    """A vector for each word of a list, with the methods and attributes of gensim's `KeyedVectors`.

    Neighbours are searched in blocks; no normalised copy of the table is made, so that a table that is mapped from a
    file (`load` of a folder or of a fastText model) is never in memory as a whole.

    Args:
        words: `[V]` different words.
        vectors: float32 `[V, D]`; None if they follow from `subwords`.
        subwords: the n-grams of a fastText model, which give words outside of the list vectors as well.
        counts: how often each word occurs in the corpus, int64 `[V]`.

    Attributes:
        index_to_key, key_to_index: the words, and their indices.
        vectors: float32 `[V, D]`.
        vector_size: D.

    Raises ValueError if the sizes differ, or words are repeated.
    """

    def __init__(self, words: Sequence[str], vectors: np.ndarray | None, subwords: Subwords | None = None,
                 counts: np.ndarray | None = None):
        self.index_to_key = list(words)
        self.key_to_index = {word: index for index, word in enumerate(self.index_to_key)}
        if len(self.key_to_index) != len(self.index_to_key):
            opening.refuse_duplicate(self.index_to_key)
        if vectors is None and subwords is None:
            raise ValueError("there are neither vectors nor subwords; expected one of them")
        if vectors is not None and (vectors.ndim != 2 or len(vectors) != len(words)):
            raise ValueError(f"the vectors have the shape {list(vectors.shape)}, expected [{len(words)}, D]: a row for "
                             "each word")
        self.subwords, self.counts = subwords, counts
        self._vectors = vectors
        self._norms: np.ndarray | None = None

    # Files

    @classmethod
    def load(cls, path: str | os.PathLike, limit: int | None = None, only: Iterable[str] | None = None,
             encoding_errors: str = "strict") -> "WordVectors":
        """Reads word2vec's text or binary format, GloVe's (without a header), fastText's `.vec` and `.bin`, or a folder.

        The format is recognised by the content; text and word2vec's binary format may be compressed by gzip. A folder
        (`save(..., format="folder")`) and a fastText model are mapped into memory: pages are read when they are used.

        Args:
            limit: number of words to read, the first ones (in most files the most frequent). None: all.
            only: the words to keep, the others are skipped quickly.
            encoding_errors: "strict" or "replace", for words that are not UTF-8.

        Raises FileNotFoundError, and ValueError with the line or word for a file that is damaged: a wrong header,
        numbers missing, repeated words, words with spaces, a truncated file.
        """
        return cls(*opening.read(path, limit, None if only is None else frozenset(only), encoding_errors))

    def save(self, path: str | os.PathLike, format: str = "word2vec", overwrite: bool = True) -> None:
        """Writes the vectors.

        Args:
            format: "word2vec" (text with a header), "word2vec_binary", "glove" (text without a header), "fasttext" (a
                `.bin` model, with the n-grams if there are any), or "folder" (`words.txt` and `vectors.npy`, which
                `load` maps into memory).

        Raises ValueError for another format, and for words that a format cannot hold (with spaces or line ends).
        """
        opening.write(self, path, format, overwrite)

    # Vectors

    @property
    def vectors(self) -> np.ndarray:
        if self._vectors is None:
            self._vectors = self._subwords.vectors(self.index_to_key)
        return self._vectors

    @property
    def _subwords(self) -> Subwords:
        assert self.subwords is not None  # as there would be vectors otherwise
        return self.subwords

    @property
    def vector_size(self) -> int:
        return (self._subwords.table if self._vectors is None else self._vectors).shape[1]

    @property
    def norms(self) -> np.ndarray:
        """Euclidean norms of the vectors, float32 `[V]`."""
        if self._norms is None:
            self._norms = ranking.norms_of(self.vectors)
        return self._norms

    def __len__(self) -> int:
        return len(self.index_to_key)

    def __contains__(self, word) -> bool:
        return word in self.key_to_index or (isinstance(word, str) and bool(self.subwords and self.subwords.rows(word)))

    def __getitem__(self, words) -> np.ndarray:
        """The vector of a word `[D]`, or those of a list of words `[N, D]`."""
        if isinstance(words, str | int | np.integer):
            return self.get_vector(words)
        return np.stack([self.get_vector(word) for word in words]) if len(words) else np.empty((0, self.vector_size))

    def __repr__(self) -> str:
        return f"WordVectors({len(self):,} words of {self.vector_size} numbers)"

    def get_index(self, word: str | int | np.integer) -> int:
        """The index of a word. Raises KeyError, with the most similar word, if it is not in the list."""
        index = self.key_to_index.get(word) if isinstance(word, str) else int(word) if 0 <= word < len(self) else None
        if index is None:
            hint = did_you_mean(word, self.index_to_key[:_SUGGESTED]) if isinstance(word, str) else ""
            raise KeyError(f"{word!r} is not one of the {len(self):,} words; expected a word of this file{hint}")
        return index

    def get_vector(self, word: str | int | np.integer, norm: bool = False) -> np.ndarray:
        """The vector of a word, float32 `[D]`; with `norm` of length 1. Raises KeyError for an unknown word."""
        if self.subwords is not None and isinstance(word, str) and (
                self._vectors is None or word not in self.key_to_index) and word in self:
            vector = self.subwords.vector(word, self.key_to_index.get(word))
        else:
            vector = np.array(self.vectors[self.get_index(word)], np.float32)
        return _unit(vector) if norm else vector

    def get_mean_vector(self, keys: Sequence[Any], weights=None, pre_normalize: bool = True,
                        post_normalize: bool = False) -> np.ndarray:
        """The weighted mean of words or vectors, float32 `[D]`, whose sum of absolute weights is 1.

        pre_normalize, post_normalize: whether the parts, and the mean, are scaled to length 1.
        """
        if len(keys) == 0:
            raise ValueError("there are no words; expected at least one")
        weights = np.ones(len(keys), np.float32) if weights is None else np.asarray(weights, np.float32)
        parts = [self._vector_of(key) for key in keys]
        total = np.dot(weights, np.stack([_unit(part) if pre_normalize else part for part in parts]))
        mean = (total / np.abs(weights).sum()).astype(np.float32)
        return _unit(mean) if post_normalize else mean

    def _vector_of(self, key) -> np.ndarray:
        if not isinstance(key, np.ndarray):
            return self.get_vector(key)
        if key.shape != (self.vector_size,):
            raise ValueError(f"a vector has the shape {list(key.shape)}, expected [{self.vector_size}]")
        return key.astype(np.float32)

    # Neighbours

    def most_similar(self, positive=None, negative=None, topn: int | None = 10, restrict_vocab: int | None = None
                     ) -> list[tuple[str, float]] | np.ndarray:
        """The words nearest to the mean of the positive vectors and the negated negative ones, by cosine, best first.

        `most_similar(["woman", "king"], ["man"])` solves an analogy (3CosAdd: Mikolov et al. 2013).

        Args:
            positive, negative: a word, a vector `[D]`, a pair `(word or vector, weight)`, or a list of them.
            topn: number of results; None: the cosines of all words, float32 `[V]`.
            restrict_vocab: only the first so many words are searched.

        Returns `[(word, cosine)]`, without the given words.
        """
        keys = [(key, weight * sign) for keys, sign in ((positive, 1.0), (negative, -1.0)) for key, weight in _pairs(keys)]
        mean = self.get_mean_vector([key for key, _ in keys], [weight for _, weight in keys], post_normalize=True)
        return self._ranked(lambda rows, norms: rows @ mean / norms, [key for key, _ in keys], topn, restrict_vocab)

    def most_similar_cosmul(self, positive=None, negative=None, topn: int | None = 10,
                            restrict_vocab: int | None = None) -> list[tuple[str, float]] | np.ndarray:
        """As `most_similar`, but the cosines, shifted to 0..1, are multiplied (3CosMul: Levy & Goldberg 2014)."""
        positive, negative = [[key for key, _ in _pairs(keys)] for keys in (positive, negative)]
        if not positive:
            raise ValueError("there are no positive words; expected at least one")
        above, below = [np.stack([_unit(self._vector_of(key)) for key in keys]) if keys else np.empty((0, self.vector_size))
                        for keys in (positive, negative)]

        def score(rows, norms):
            cosines = [(1 + rows @ vectors.T / norms[:, None]) / 2 for vectors in (above, below)]
            return cosines[0].prod(1) / (cosines[1].prod(1) + 1e-6)

        return self._ranked(score, [*positive, *negative], topn, restrict_vocab)

    def similar_by_vector(self, vector: np.ndarray, topn: int | None = 10, restrict_vocab: int | None = None):
        """The words nearest to a vector `[D]`."""
        return self.most_similar([np.asarray(vector)], topn=topn, restrict_vocab=restrict_vocab)

    def similar_by_word(self, word: str, topn: int | None = 10, restrict_vocab: int | None = None):
        """The words nearest to a word, as `most_similar(word)`."""
        return self.most_similar([word], topn=topn, restrict_vocab=restrict_vocab)

    def _ranked(self, score, keys, topn, restrict_vocab):
        stop = len(self) if restrict_vocab is None else min(restrict_vocab, len(self))
        scores = ranking.scores_of(score, self.vectors[:stop], self.norms[:stop])
        if topn is None:
            return scores
        given = {self.key_to_index.get(key, key) for key in keys if not isinstance(key, np.ndarray)}
        given = {key for key in given if isinstance(key, int | np.integer) and key < stop}
        return [(self.index_to_key[index], float(scores[index])) for index in ranking.best(scores, topn, given)]

    # Comparisons

    def similarity(self, first: str, second: str) -> float:
        """The cosine of two words."""
        return float(self.get_vector(first, norm=True) @ self.get_vector(second, norm=True))

    def distance(self, first: str, second: str) -> float:
        """1 - cosine."""
        return 1 - self.similarity(first, second)

    def distances(self, word_or_vector, other_words: Sequence[str] = ()) -> np.ndarray:
        """1 - cosine from a word or vector to each of the other words, or to all words: float32 `[N]`."""
        unit = _unit(self._vector_of(word_or_vector))
        if len(other_words):
            return 1 - np.stack([self.get_vector(word, norm=True) for word in other_words]) @ unit
        return 1 - ranking.scores_of(lambda rows, norms: rows @ unit / norms, self.vectors, self.norms)

    def n_similarity(self, first: Sequence[str], second: Sequence[str]) -> float:
        """The cosine of the means of two lists of words."""
        means = [self.get_mean_vector(list(words), pre_normalize=False, post_normalize=True) for words in (first, second)]
        return float(means[0] @ means[1])

    def rank_by_centrality(self, words: Sequence[str]) -> list[tuple[float, str]]:
        """`[(cosine with the mean of all, word)]`, the most central word first; unknown words are left out, and named."""
        known = [word for word in words if word in self]
        if len(known) < len(words):
            log.warning("unknown words are left out: %s", ", ".join(word for word in words if word not in self))
        if not known:
            raise ValueError("none of the words is known; expected words of this file")
        units = np.stack([self.get_vector(word, norm=True) for word in known])
        cosines = units @ _unit(units.mean(0))
        return sorted(((float(cosine), word) for cosine, word in zip(cosines, known, strict=True)), reverse=True)

    def doesnt_match(self, words: Sequence[str]) -> str:
        """The word that is farthest from the mean of all of them."""
        return self.rank_by_centrality(words)[-1][1]

    def rank(self, first: str, second: str) -> int:
        """How near the second word is to the first: 1 for its nearest neighbour."""
        return len(self.closer_than(first, second)) + 1

    def closer_than(self, first: str, second: str) -> list[str]:
        """The words that are nearer to the first word than the second one is."""
        distances = self.distances(first)
        limit, own = distances[self.get_index(second)], self.get_index(first)
        return [self.index_to_key[index] for index in np.flatnonzero(distances < limit) if index != own]

    # Evaluation

    def evaluate_word_analogies(self, analogies: str | os.PathLike, restrict_vocab: int | None = 300_000,
                                case_insensitive: bool = True, dummy4unknown: bool = False
                                ) -> tuple[float, list[dict]]:
        """The share of right answers to questions `a b c d` (a is to b as c is to d), by `most_similar`.

        See `tfplm.data.words.evaluation.word_analogies`.
        """
        return evaluation.word_analogies(self, analogies, restrict_vocab, case_insensitive, dummy4unknown)

    def evaluate_word_pairs(self, pairs: str | os.PathLike, delimiter: str | None = None,
                            restrict_vocab: int | None = 300_000, case_insensitive: bool = True,
                            dummy4unknown: bool = False) -> tuple[tuple[float, float], tuple[float, float], float]:
        """Correlations of cosines with the judgements of people. See `tfplm.data.words.evaluation.word_pairs`."""
        return evaluation.word_pairs(self, pairs, delimiter, restrict_vocab, case_insensitive, dummy4unknown)


def _unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return (vector / length).astype(np.float32) if length else vector


def _pairs(keys) -> list[tuple[Any, float]]:
    """A word, vector, pair or list of them -> [(word or vector, weight)]."""
    if keys is None:
        return []
    if isinstance(keys, str | int | np.integer) or (isinstance(keys, np.ndarray) and keys.ndim == 1):
        keys = [keys]
    return [(key[0], float(key[1])) if isinstance(key, tuple) and len(key) == 2 and
            isinstance(key[1], int | float | np.number) else (key, 1.0) for key in keys]
