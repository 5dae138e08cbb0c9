"""Chinese word segmentation aligned with tokens, for whole-word masking."""

from collections.abc import Callable, Iterable

import numpy as np

Segmenter = Callable[[str], Iterable[str]]


def jieba_segmenter() -> Segmenter:
    """jieba's precise mode: a function that splits a text into words; joined, they are the text.

    Raises ImportError, with the install command, if jieba is not installed.
    """
    try:
        import jieba
    except ImportError:
        raise ImportError("Chinese whole words need the segmenter jieba: pip install jieba") from None
    jieba.setLogLevel("ERROR")
    jieba.initialize()
    return jieba.lcut


def word_starts(words: Iterable[str], offsets: np.ndarray) -> np.ndarray:
    """Marks the tokens that start a word: bool [N], False for a token of the same word as the token before it.

    Args:
        words: the words of the text, blanks included, as returned by a segmenter.
        offsets: [N,2], the character span [start, end) of each token. A token that spans several words counts as part
            of the first one.
    """
    ends = np.cumsum([len(word) for word in words])
    index = np.searchsorted(ends, offsets[:, 0], side="right")
    starts = np.ones(len(index), bool)
    starts[1:] = index[1:] != index[:-1]
    return starts
