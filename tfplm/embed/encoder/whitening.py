"""Whitening of sentence vectors: zero mean, identity covariance, and optionally fewer dimensions."""

import dataclasses
import logging
import os
from collections.abc import Iterable

import numpy as np

from tfplm.core.files import replacing
from tfplm.embed.encoder.recipe import DenseModule

log = logging.getLogger(__name__)


class Moments:
    """Mean and covariance of vectors given in batches, in float64 (Chan et al. 1979: stable, one pass)."""

    def __init__(self):
        self.count, self.mean, self.scatter = 0, None, None

    def update(self, vectors: np.ndarray) -> None:
        """Adds a batch of vectors `[N,H]`."""
        vectors = np.asarray(vectors, np.float64)
        if vectors.ndim != 2:
            raise ValueError(f"whitening is for vectors [N,H], found an array of shape {vectors.shape}: pass an array "
                             "of vectors, or a list of such arrays")
        if not len(vectors):
            return
        if not (finite := np.isfinite(vectors).all(1)).all():
            raise ValueError(f"vector {self.count + int(np.argmin(finite))} contains NaN or infinite numbers; expected "
                             "finite ones: remove it, or look for an overflow in the model")
        if self.mean is not None and vectors.shape[1] != len(self.mean):
            raise ValueError(f"the vectors have {vectors.shape[1]} components, but earlier ones {len(self.mean)}; "
                             "expected vectors of one encoder: fit a whitening for each")
        mean = vectors.mean(0)
        centred = vectors - mean
        if self.mean is None:
            self.count, self.mean, self.scatter = len(vectors), mean, centred.T @ centred
            return
        total, shift = self.count + len(vectors), mean - self.mean
        self.scatter += centred.T @ centred + np.outer(shift, shift) * (self.count * len(vectors) / total)
        self.mean += shift * (len(vectors) / total)
        self.count = total

    @property
    def covariance(self) -> np.ndarray:
        """`[H,H]`, divided by count - 1."""
        return self.scatter / max(self.count - 1, 1)


@dataclasses.dataclass(frozen=True)
class Whitening:
    """BERT-whitening (Su et al. 2021, "Whitening Sentence Representations"): `(x - mean) kernel`.

    It removes the anisotropy from the vectors of a model that was not trained for similarity, with nearly the effect of
    BERT-flow by a single matrix. `kernel` = U S^(-1/2), with the covariance U S U^T; its first `n_components` columns
    are those with the largest variance ("whitening-256" is often better than all 768 dimensions, and three times
    smaller). A linear classifier on the vectors does not benefit.

        encoder.whitening = Whitening.fit(encoder.encode(texts), n_components=256)

    mean: float32 `[H]`. kernel: float32 `[H,k]`.
    """

    mean: np.ndarray
    kernel: np.ndarray

    @classmethod
    def check_components(cls, n_components: int | None, dimension: int) -> None:
        """Raises ValueError unless `n_components` is None or a whole number from 1 to `dimension`."""
        whole = isinstance(n_components, int | np.integer) and not isinstance(n_components, bool)
        if n_components is not None and not (whole and 1 <= n_components <= dimension):
            raise ValueError(f"n_components is {n_components!r}; expected a whole number from 1 to {dimension}, the "
                             "size of the vectors, or None for all: change it")

    @classmethod
    def fit(cls, vectors: "np.ndarray | Iterable[np.ndarray] | Moments", n_components: int | None = None) -> "Whitening":
        """Fits a whitening to vectors `[N,H]`, batches of them, or `Moments`.

        Raises ValueError for fewer than 2 vectors, vectors that are not finite, a number of components that is not
        between 1 and H, or more components than dimensions with variance.
        """
        moments = vectors
        if not isinstance(vectors, Moments):
            moments = Moments()
            for batch in [vectors] if hasattr(vectors, "shape") else vectors:
                moments.update(batch)
        if moments.count < 2:
            raise ValueError(f"whitening needs at least 2 vectors, better thousands; found {moments.count}")
        cls.check_components(n_components, len(moments.mean))
        variances, directions = np.linalg.eigh(moments.covariance)
        variances, directions = variances[::-1], directions[:, ::-1]  # largest first
        rank = int((variances > variances[0] * 1e-10).sum()) if variances[0] > 0 else 0
        if rank < (n_components or 1):
            raise ValueError(f"{moments.count} vectors vary in {rank} dimensions, too few for {n_components or 1} "
                             "components: give more texts, or fewer components")
        if n_components is None and rank < len(variances):
            log.warning("%d vectors vary in only %d of %d dimensions; the whitened vectors have that size",
                        moments.count, rank, len(variances))
        kept = n_components or rank
        kernel = directions[:, :kept] / np.sqrt(variances[:kept])
        return cls(moments.mean.astype(np.float32), kernel.astype(np.float32))

    @property
    def dimension(self) -> int:
        """The size of the whitened vectors."""
        return self.kernel.shape[1]

    def apply(self, vectors: np.ndarray) -> np.ndarray:
        """Whitens vectors `[...,H]` to float32 `[...,k]`."""
        vectors = np.asarray(vectors)
        if not vectors.ndim or vectors.shape[-1] != len(self.mean):
            raise ValueError(f"this whitening is for vectors of {len(self.mean)} numbers, found {vectors.shape[-1]}: it "
                             "was fitted with another model, pooling or layers")
        return (vectors - self.mean) @ self.kernel

    def as_dense(self) -> DenseModule:
        """The whitening as a projection with a bias."""
        return DenseModule(self.kernel, -self.mean @ self.kernel)

    def save(self, path: str | os.PathLike) -> None:
        """Writes an `.npz` file with `mean` and `kernel`."""
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, mean=self.mean, kernel=self.kernel)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Whitening":
        """Loads a file written by `save`. Raises ValueError for any other file."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                mean, kernel = arrays["mean"], arrays["kernel"]
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"{path} is not a whitening ({error}): expected an .npz file with mean [H] and kernel "
                             "[H,k], as written by Whitening.save") from error
        if mean.ndim != 1 or kernel.ndim != 2 or len(mean) != len(kernel):
            raise ValueError(f"{path} is not a whitening: expected mean [H] and kernel [H,k], found {mean.shape} and "
                             f"{kernel.shape}")
        return cls(mean, kernel)
