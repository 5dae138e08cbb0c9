"""The words of a corpus with their counts, and what word2vec derives from the counts (Mikolov et al. 2013)."""

import heapq

import numpy as np


class Vocabulary:
    """Words, the most frequent ones first; equally frequent ones in the order in which they were met.

    Attributes:
        words: `[V]`.
        counts: int64 `[V]`.
    """

    def __init__(self, words: list[str], counts: np.ndarray):
        self.words, self.counts = words, np.asarray(counts, np.int64)

    def __len__(self) -> int:
        return len(self.words)

    def keep(self, sample: float) -> np.ndarray:
        """The probability with which each occurrence of a word is kept, float32 `[V]`, as in word2vec's program.

        `(sqrt(f / sample) + 1) sample / f` for the relative frequency f; "Distributed Representations", section 2.3, with
        the formula of the program, which keeps more of the frequent words than that of the paper.

        Args:
            sample: the relative frequency above which words are left out at times, usually 1e-3; 0 keeps all.
        """
        if not sample:
            return np.ones(len(self), np.float32)
        ratio = self.counts / (sample * self.counts.sum())
        return np.minimum((np.sqrt(ratio) + 1) / ratio, 1).astype(np.float32)

    def alias(self, power: float = 0.75) -> tuple[np.ndarray, np.ndarray]:
        """Tables for draws of negative words by `count ** power`: Walker's alias method, two reads for a draw.

        Returns:
            accept: float32 `[V]`, the probability that a uniformly drawn index is taken itself.
            other: int32 `[V]`, the index that is taken instead.
        """
        weights = self.counts.astype(np.float64) ** power
        scaled = weights * (len(self) / weights.sum())
        accept, other = np.ones(len(self)), np.arange(len(self))
        small, large = [list(np.flatnonzero(mask)) for mask in (scaled < 1, scaled >= 1)]
        while small and large:
            low, high = small.pop(), large[-1]
            accept[low], other[low] = scaled[low], high
            scaled[high] -= 1 - scaled[low]
            if scaled[high] < 1:
                small.append(large.pop())
        return accept.astype(np.float32), other.astype(np.int32)

    def huffman(self) -> tuple[np.ndarray, np.ndarray]:
        """The Huffman tree of the counts, for hierarchical softmax (section 2.1).

        Returns:
            points: int32 `[V, L]`, the inner nodes from the root to each word, -1 after the last one.
            codes: int8 `[V, L]`, the branch taken at each of them, 0 or 1.
        """
        count = len(self)
        if count < 2:
            raise ValueError(f"there are {count} words, expected at least 2 for hierarchical softmax: lower min_count, or "
                             "give more text")
        heap = [(int(value), index) for index, value in enumerate(self.counts)]
        heapq.heapify(heap)
        parent, branch = np.zeros(2 * count - 1, np.int64), np.zeros(2 * count - 1, np.int8)
        for node in range(count, 2 * count - 1):
            first, second = heapq.heappop(heap), heapq.heappop(heap)
            parent[first[1]] = parent[second[1]] = node
            branch[second[1]] = 1
            heapq.heappush(heap, (first[0] + second[0], node))
        paths = []
        for word in range(count):
            path, node = [], word
            while node != 2 * count - 2:
                path.append((parent[node] - count, branch[node]))
                node = parent[node]
            paths.append(path[::-1])
        longest = max(map(len, paths))
        points, codes = np.full((count, longest), -1, np.int32), np.zeros((count, longest), np.int8)
        for word, path in enumerate(paths):
            points[word, :len(path)], codes[word, :len(path)] = zip(*path, strict=True)
        return points, codes
