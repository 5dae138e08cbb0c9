"""n-gram language models with interpolated Kneser-Ney smoothing: the baseline of every neural language model."""

from collections.abc import Iterable

import numpy as np

from tfplm.data.words.word_ids import END

_CHUNK = 1 << 20


class KneserNey:
    """An interpolated n-gram model with modified Kneser-Ney smoothing (Chen & Goodman 1998, section 3).

    Each order has three discounts, estimated from the numbers of n-grams that occur once to four times. All tables are
    sorted arrays; probabilities of many words are looked up at once.

    Args:
        order: n.
        vocab_size: V. Words are ids from 0 to V - 1; V stands for the end of a sentence, V + 1 for its begin.

    Attributes:
        keys: for each order k, the k-grams, sorted: `index of the first k - 1 words * (V + 2) + last word`, int64.
    """

    def __init__(self, order: int, vocab_size: int):
        if order < 1:
            raise ValueError(f"the order is {order}, expected at least 1, such as 3 for trigrams")
        self.order, self.vocab_size, self.base = order, vocab_size, vocab_size + 2
        self.keys: list[np.ndarray] = []

    def fit(self, ids: np.ndarray) -> "KneserNey":
        """Counts the n-grams of a text: int32 `[N]`, with -1 after each sentence."""
        words = self._with_signs(ids)
        if len(words) < 2:
            raise ValueError("the text has no words; expected some to count: give another file")
        counts, index, self.keys = [], np.zeros(len(words), np.int64), []
        begins, starts = words == self.vocab_size + 1, np.arange(len(words))
        starts = np.maximum.accumulate(np.where(begins, starts, 0))
        place = np.arange(len(words)) - starts  # words before each one in its sentence, with the begin
        for k in range(1, self.order + 1):
            inside = place >= k - 1
            before = np.concatenate([[0], index[:-1]])
            grams = np.where(inside, before * self.base + words if k > 1 else words, -1)
            keys, inverse, number = np.unique(grams, return_inverse=True, return_counts=True)
            if keys[0] == -1:
                keys, inverse, number = keys[1:], inverse - 1, number[1:]
            self.keys.append(keys)
            counts.append(number)
            index = inverse
        self._smooth(counts)
        return self

    def _with_signs(self, ids: np.ndarray) -> np.ndarray:
        """Begin, words and end of each sentence; empty ones are left out."""
        ids = np.asarray(ids, np.int64)
        ids = ids if len(ids) and ids[-1] == END else np.append(ids, END)
        ends = ids == END
        ends[1:] &= ~(ends[1:] & (ids[:-1] == END))  # of several ends the first one counts
        keep = (ids != END) | ends
        keep[0] &= ids[0] != END
        ids = np.where(ids == END, self.vocab_size, ids)[keep]
        ends_at = np.flatnonzero(ids == self.vocab_size)
        positions = np.concatenate([np.zeros(1, np.int64), ends_at[:-1] + 1]) if len(ids) else ends_at
        return np.insert(ids, positions, self.vocab_size + 1)

    def _suffixes(self, k: int) -> np.ndarray:
        """The index of the last k - 1 words of each k-gram among the (k-1)-grams, `[N_k]`."""
        prefix, last = np.divmod(self.keys[k - 1], self.base)
        if k == 2:
            return np.searchsorted(self.keys[0], last)
        return np.searchsorted(self.keys[k - 2], self._suffixes(k - 1)[prefix] * self.base + last)

    def _smooth(self, counts: list[np.ndarray]) -> None:
        """Replaces counts of lower orders by numbers of different words before, and estimates the discounts."""
        self.discounted, self.rest = [], []
        for k in range(1, self.order + 1):
            number = counts[k - 1]
            if k < self.order:
                before = np.bincount(self._suffixes(k + 1), minlength=len(number))
                begin = self._first_words(k) == self.vocab_size + 1
                number = np.where(begin, number, before)  # nothing stands before the begin of a sentence
            if k == 1:  # the begin is never predicted
                number = np.where(self.keys[0] == self.vocab_size + 1, 0, number)
            discounts = _discounts(number)
            groups = self.keys[k - 1] // self.base if k > 1 else np.zeros(len(number), np.int64)
            size = len(self.keys[k - 2]) if k > 1 else 1
            total = np.bincount(groups, number, size)
            taken = discounts[np.minimum(number, 3)]
            self.discounted.append((number - taken) / np.maximum(total, 1)[groups])
            self.rest.append(np.where(total > 0, np.bincount(groups, taken, size) / np.maximum(total, 1), 1.0))

    def _first_words(self, k: int) -> np.ndarray:
        index = np.arange(len(self.keys[k - 1]))
        for order in range(k, 1, -1):
            index = self.keys[order - 1][index] // self.base
        return self.keys[0][index]

    def probabilities(self, ids: np.ndarray) -> np.ndarray:
        """The probability of each word and end of a text, after the words before it in its sentence: float64 `[M]`."""
        words = self._with_signs(ids)
        begins = words == self.vocab_size + 1
        place = np.arange(len(words)) - np.maximum.accumulate(np.where(begins, np.arange(len(words)), 0))
        # the uniform distribution over words and the end, where the interpolation ends
        result = np.full(len(words), 1 / (self.vocab_size + 1))
        context = np.zeros(len(words), np.int64)  # index of the k - 1 words before; -1 if it is unknown
        index, known = _find(self.keys[0], words)
        result = np.where(known, self.discounted[0][index], 0) + self.rest[0][0] * result
        here = np.where(known, index, -1)  # index of the k-gram that ends here
        for k in range(2, self.order + 1):
            context = np.concatenate([[-1], here[:-1]])
            usable = (place >= k - 1) & (context >= 0)
            index, known = _find(self.keys[k - 1], context * self.base + words)
            known &= usable
            inside = np.where(known, self.discounted[k - 1][index], 0)
            result = np.where(usable, inside + self.rest[k - 1][np.maximum(context, 0)] * result, result)
            here = np.where(known, index, -1)
        return result[~begins]

    def perplexity(self, parts: Iterable[np.ndarray]) -> float:
        """The perplexity of texts, over words and ends of sentences."""
        total, count = 0.0, 0
        for ids in parts:
            for start in range(0, len(ids), _CHUNK):
                logs = np.log(self.probabilities(ids[start:start + _CHUNK]))
                total, count = total - logs.sum(), count + len(logs)
        return float(np.exp(total / max(count, 1)))


def _find(keys: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(an index into sorted keys, whether it is the wanted key)."""
    index = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return index, keys[index] == wanted


def _discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from counts of 0, 1, 2, and 3 or more (Chen & Goodman 1998, equation 26)."""
    n = np.bincount(counts[counts <= 4].astype(np.int64), minlength=5)[:5].astype(np.float64)
    if not n[1:].all():  # too little text for the estimate
        return np.array([0, 0.5, 0.75, 0.75])
    y = n[1] / (n[1] + 2 * n[2])
    return np.clip([0, 1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]], 0, [0, 1, 2, 3])
