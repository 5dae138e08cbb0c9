"""Operations on finished vectors, in NumPy: what imports this needs no TensorFlow."""

import numpy as np


def normalize_rows(vectors: np.ndarray) -> np.ndarray:
    """Vectors `[...,H]` divided by their Euclidean length; zero vectors stay zero. The dtype stays."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
