"""Documents of token ids for the tests of packing and records."""

import numpy as np

from tfplm.data.noise import NoiseVocabulary
from tfplm.data.sequences.documents import Document

VOCABULARY = NoiseVocabulary(100_000, 0, 4, 2, 3, 3, specials=(1,))


def make_documents(count=30, seed=0, most_sentences=40, longest=30):
    """Documents whose ids encode document and position: 2000 x (document + 1) + position in the document."""
    rng = np.random.default_rng(seed)
    documents = []
    for index in range(count):
        lengths = rng.integers(1, longest + 1, rng.integers(1, most_sentences + 1)).astype(np.int32)
        ids = (np.arange(lengths.sum()) + 2000 * (index + 1)).astype(np.int32)
        documents.append(Document(ids, lengths, rng.random(len(ids)) < 0.7))
    return documents
