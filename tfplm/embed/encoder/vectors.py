"""Operations on vectors in NumPy, which do not need TensorFlow."""

import numpy as np


def normalize_rows(vectors: np.ndarray) -> np.ndarray:
    """Vectors `[...,H]` divided by their Euclidean length, with the same dtype; zero vectors stay zero."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
