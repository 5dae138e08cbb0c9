"""Operations on vectors in NumPy, which do not need TensorFlow."""

import numpy as np


def normalize_rows(vectors: np.ndarray) -> np.ndarray:
    """Vectors `[...,H]` divided by their Euclidean length, with the same dtype; zero vectors stay zero."""
    wide = vectors.astype(np.float32) if vectors.dtype == np.float16 else vectors  # the square of a float16 overflows
    unit = wide / np.maximum(np.linalg.norm(wide, axis=-1, keepdims=True), 1e-12)
    return unit if wide is vectors else unit.astype(np.float16)


def pad_tokens(vectors: np.ndarray, length: int) -> np.ndarray:
    """Vectors of tokens `[N,T,H]`, with zeros up to `[N,length,H]`; longer ones unchanged."""
    return np.pad(vectors, ((0, 0), (0, max(0, length - vectors.shape[1])), (0, 0)))


def row_lengths(mask: np.ndarray) -> np.ndarray:
    """The numbers of tokens, `[B]`, of an `attention_mask` `[B,T]`. Raises ValueError unless rows are padded on the right.
    """
    lengths = mask.sum(1)
    if (mask != (np.arange(mask.shape[1]) < lengths[:, None])).any() or (lengths < 1).any():
        raise ValueError("attention_mask has gaps, padding on the left, or a row without tokens; expected rows of 1s "
                         "followed by padding: pad on the right")
    return lengths
