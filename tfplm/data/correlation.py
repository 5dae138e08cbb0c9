"""Correlations of two vectors of numbers."""

import numpy as np


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation coefficient of two vectors; NaN if one of them is constant."""
    if not (np.ptp(x) > 0 and np.ptp(y) > 0):
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    return float(np.clip((x / np.linalg.norm(x)) @ (y / np.linalg.norm(y)), -1, 1))


def ranks(x: np.ndarray) -> np.ndarray:
    """Ranks of the values in ascending order, from 1; equal values have the average of their ranks."""
    if np.isnan(x).any():
        return np.full(x.shape, np.nan)
    _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse.ravel()]
