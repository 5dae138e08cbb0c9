"""Chinese words in text, brought to tokens: where whole-word masks begin."""

from collections.abc import Callable, Iterable

import numpy as np

Segmenter = Callable[[str], Iterable[str]]


def jieba_segmenter() -> Segmenter:
    """jieba's precise mode: a function text -> words that joined are the text. ImportError says how to install it."""
    try:
        import jieba
    except ImportError:
        raise ImportError("Chinese whole words need the segmenter jieba: pip install jieba") from None
    jieba.setLogLevel("ERROR")
    jieba.initialize()
    return jieba.lcut


def word_starts(words: Iterable[str], offsets: np.ndarray) -> np.ndarray:
    """bool [N]: whether each token begins another word than the token before it.

    words: the text cut into words, blanks included, as a segmenter gives it. offsets [N,2]: the characters
    [begin, end) of each token. A token that spans several words counts for its first one.
    """
    ends = np.cumsum([len(word) for word in words])
    index = np.searchsorted(ends, offsets[:, 0], side="right")
    starts = np.ones(len(index), bool)
    starts[1:] = index[1:] != index[:-1]
    return starts
