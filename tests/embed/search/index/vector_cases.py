"""Clustered vectors, similar to those of sentences."""

import numpy as np


def clouds(count: int, dimension: int = 16, seed: int = 0) -> np.ndarray:
    """float32 `[count,dimension]`."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((20, dimension)) * 2
    return (centres[rng.integers(0, 20, count)] + rng.standard_normal((count, dimension))).astype(np.float32)
