"""Writing of one block of text as one shard; runs in worker processes that never import TensorFlow."""

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from tfplm.core.files import naming_the_file
from tfplm.data.noise.masking import Masking
from tfplm.data.records.example import decode_example, encode_example
from tfplm.data.records.features import encode_features, masked_pairs
from tfplm.data.records.tfrecord import read_records, write_records
from tfplm.data.sequences.documents import Document, encode_documents, noise_vocabulary
from tfplm.data.text.segmenter import jieba_segmenter
from tfplm.options.records import RecordsOptions


def encode_document(document: Document) -> bytes:
    """A record of the layout `tokens`: `ids`, `sentence_lengths` (int64), `word_starts` (bytes, one bit per token)."""
    return encode_example({"ids": document.ids, "sentence_lengths": document.sentence_lengths,
                           "word_starts": np.packbits(document.word_starts).tobytes()})


def read_token_documents(path: str | os.PathLike) -> Iterator[Document]:
    """Reads the documents of a shard in the layout `tokens`."""
    for record in read_records(path):
        features = decode_example(record, ("ids", "sentence_lengths", "word_starts"), str(path))
        with naming_the_file(path):
            document = _document(**features)
        yield document


def _document(ids: np.ndarray, sentence_lengths: np.ndarray, word_starts: bytes, **_) -> Document:
    lengths, packed = np.asarray(sentence_lengths), np.frombuffer(word_starts, np.uint8)
    if ids.dtype != np.int32 or lengths.min(initial=0) < 0 or lengths.sum() != len(ids) or len(packed) != -(-len(ids) // 8):
        raise ValueError(f"a document of {len(ids)} tokens, in sentences of {lengths.sum()}, with word starts for "
                         f"{8 * len(packed)}")
    return Document(ids, lengths, np.unpackbits(packed, count=len(ids)).astype(bool))


@dataclasses.dataclass
class ShardWriter:
    """Writes shards, all with the same tokenizer and options."""

    options: RecordsOptions
    tokenizer: object

    def __post_init__(self):
        self.vocabulary = noise_vocabulary(self.tokenizer)
        self.segmenter = jieba_segmenter() if self.options.words == "jieba" else None
        self.compress = {"auto": self.options.layout == "tokens", "gzip": True, "none": False}[self.options.compression]

    def write(self, number: int, texts: list[list[str]], digest: str) -> dict:
        """Tokenizes the documents of a block, writes its file(s), and returns the entry of the shard in the index."""
        train, held_out = split_held_out(texts, self.options.held_out)
        splits = [("train", train), ("held-out", held_out)] if self.options.held_out else [("train", train)]
        files = [self._write_split(number, split, part) for split, part in splits]
        return {"number": number, "digest": digest, "files": files}

    def _write_split(self, number: int, split: str, texts: list[list[str]]) -> dict:
        name = f"{split}-{number:05d}.tfrecord" + ".gz" * self.compress
        path = Path(self.options.output, name)
        documents = list(encode_documents(texts, self.tokenizer, self.segmenter))
        counted = Counted(self._records(number, split, documents))
        size = write_records(path, counted, self.compress)
        return {"name": name, "split": split, "records": counted.count, "tokens": sum(map(len, documents)),
                "sentences": sum(len(document.sentence_lengths) for document in documents), "bytes": size}

    def _records(self, number: int, split: str, documents: list[Document]) -> Iterator[bytes]:
        if self.options.layout == "tokens":
            return map(encode_document, documents)
        options = self.options
        rng = np.random.default_rng((options.seed, number, split == "train"))  # independent of the process
        masking = Masking(options.masking, options.masked_rate, options.max_predictions)
        batches = (batch for _ in range(options.repeats if split == "train" else 1) for batch in masked_pairs(
            documents, self.vocabulary, masking, rng, length=options.max_length, relation=options.relation,
            short_rate=options.short_rate))
        return itertools.chain.from_iterable(map(encode_features, batches))


class Counted:
    """An iterable that counts the items it has yielded."""

    def __init__(self, items: Iterable):
        self.items, self.count = items, 0

    def __iter__(self):
        for item in self.items:
            self.count += 1
            yield item


def split_held_out(texts: list[list[str]], share: float) -> tuple[list[list[str]], list[list[str]]]:
    """Splits documents, between two sentences, into the first part and the last `share` of the characters."""
    left = int(sum(len(sentence) for text in texts for sentence in text) * (1 - share)) if share else None
    if left is None:
        return texts, []
    rest, last = [], []
    for text in texts:
        ends = np.cumsum([len(sentence) for sentence in text])
        count = int(np.searchsorted(ends, max(left, 0), side="right"))
        left -= int(ends[-1])
        if count:
            rest.append(text[:count])
        if count < len(text):
            last.append(text[count:])
    if last and not rest:  # one sentence remains to train on
        rest = [last[0][:1]]
        last = [text for text in (last[0][1:], *last[1:]) if text]
    return rest, last
