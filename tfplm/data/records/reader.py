"""Readers for records in the layout `tokens`, in a seeded order."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.records.index import load_index
from tfplm.data.records.shards import read_token_documents
from tfplm.data.sequences.documents import Document

_SHARDS_AT_ONCE = 4  # the number of shards shuffled together: about 4 million tokens by default, 25 MB


class TokenRecords:
    """The documents of a folder that `tfplm records` wrote.

    Attributes: `index` (the content of index.json), `vocabulary` (special ids for the noise), `tokenizer_folder`,
    `files`, `tokens` (the number of tokens, without special tokens).
    """

    def __init__(self, folder: str | os.PathLike, split: str = "train"):
        self.index = load_index(folder)
        if self.index["layout"] != "tokens":
            raise ValueError(f"{folder} holds records of the layout {self.index['layout']!r}, whose noise is fixed; "
                             "expected records of the layout 'tokens'")
        if split not in self.index["totals"]:
            raise ValueError(f"{folder} has no split {split!r}; it has {', '.join(self.index['totals'])}; the split "
                             "'held-out' is made by `tfplm records --held-out 0.01`")
        self.folder, self.split = Path(folder), split
        self.files = split_files(self.folder, self.index, split)
        self.tokens = self.index["totals"][split]["tokens"]
        self.vocabulary = NoiseVocabulary(**self.index["vocabulary"])
        self.tokenizer_folder = self.folder / "tokenizer"

    def windows(self, rng: np.random.Generator | None = None, shard: tuple[int, int] = (0, 1)
                ) -> Iterator[list[Document]]:
        """Yields the documents of a few files at a time; with `rng`, the files and each window in random order.

        shard: (index, count), the part of one worker: every count-th document of a window, starting at the index-th.
        """
        order = rng.permutation(len(self.files)) if rng is not None else np.arange(len(self.files))
        for start in range(0, len(order), _SHARDS_AT_ONCE):
            documents = [document for i in order[start:start + _SHARDS_AT_ONCE]
                         for document in read_token_documents(self.files[i])]
            within = rng.permutation(len(documents)) if rng is not None else np.arange(len(documents))
            yield [documents[i] for i in within[shard[0]::shard[1]]]


class DocumentList:
    """An in-memory replacement for `TokenRecords`, for small corpora and tests."""

    def __init__(self, documents: list[Document], vocabulary: NoiseVocabulary):
        self.documents, self.vocabulary = list(documents), vocabulary
        self.tokens = sum(map(len, self.documents))

    def windows(self, rng: np.random.Generator | None = None, shard: tuple[int, int] = (0, 1)
                ) -> Iterator[list[Document]]:
        count = len(self.documents)
        order = rng.permutation(count) if rng is not None else np.arange(count)
        yield [self.documents[i] for i in order[shard[0]::shard[1]]]


def split_files(folder: str | os.PathLike, index: dict, split: str) -> list[str]:
    """Paths of the files of a split, in order."""
    return [str(Path(folder, file["name"])) for line in index["shards"] for file in line["files"]
            if file["split"] == split]
