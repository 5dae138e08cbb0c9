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
