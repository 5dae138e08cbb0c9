"""ERNIE 2.0's token-document relation (Sun et al. 2019, arXiv 1907.12412, section 4.2, word-aware tasks)."""

import zlib

import numpy as np

from tfplm.pretrain.objectives.classifier import Classifier


class TokenDocument(Classifier):
    """`token-document`: predicts for each token of a segment whether it occurs in other segments of its document.

    Words that occur in many segments are common, or belong to the document's topic. A segment is the part of a document
    that is in one example, so the model does not see the other segments. Special tokens are not predicted.
    """

    name, help = "token-document", "which tokens occur again elsewhere in their document (ERNIE 2.0)"

    @classmethod
    def class_names(cls, of_corpus):
        return ("here", "elsewhere")

    def columns(self):
        return {"document": _identity, "document_counts": _counts}

    def noise(self, batch, rng):
        batch = dict(batch)
        document, counts = batch.pop("document"), batch.pop("document_counts")
        weights = (counts > 0).astype(np.int32)  # 0 for special tokens and padding
        labels = (counts > _counts_in_rows(batch["input_ids"], document)).astype(np.int32) * weights
        return {**batch, f"{self.name}_labels": labels, f"{self.name}_weights": weights}


def _identity(document) -> np.ndarray:
    """For each token, a number that identifies its document."""
    return np.full(len(document), zlib.crc32(document.ids.tobytes()) & 0x7fffffff)


def _counts(document) -> np.ndarray:
    """For each token, the number of its occurrences in the document."""
    _, inverse, counts = np.unique(document.ids, return_inverse=True, return_counts=True)
    return counts[inverse]


def _counts_in_rows(ids: np.ndarray, document: np.ndarray) -> np.ndarray:
    """For each token, [B,T], the number of its occurrences in its row, within the same document."""
    rows = np.broadcast_to(np.arange(len(ids))[:, None], ids.shape)
    keys = np.stack([rows.ravel(), document.ravel(), ids.ravel()])
    _, inverse, counts = np.unique(keys, axis=1, return_inverse=True, return_counts=True)
    return counts[inverse.reshape(-1)].reshape(ids.shape)
