"""Documents as token ids, as stored in records and used for packing."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.text.segmenter import Segmenter, word_starts

_SENTENCES_AT_ONCE = 2048


@dataclasses.dataclass(frozen=True)
class Document:
    """A document as token ids.

    Attributes:
        ids: int32 `[N]`, without special tokens.
        sentence_lengths: int32 `[S]`, with sum N.
        word_starts: bool `[N]`.
        columns: additional arrays `[N]` with a value for each token, which examples contain as int32; special tokens
            have 0.
    """

    ids: np.ndarray
    sentence_lengths: np.ndarray
    word_starts: np.ndarray
    columns: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)


def _starts_word(tokenizer) -> np.ndarray | None:
    """bool `[V]`, True for tokens that start a word, for WordPiece, whose tokens show it; None for other tokenizers."""
    if tokenizer.rules.kind != "wordpiece":
        return None
    table = np.ones(len(tokenizer), bool)
    table[[i for token, i in tokenizer.vocab.items() if token.startswith("##")]] = False
    return table


def _encode(sentences: list[str], tokenizer, segmenter: Segmenter | None, starts_word: np.ndarray | None):
    """(ids, word starts) of every sentence."""
    detail = {"return_offsets": True} if segmenter else {"return_word_ids": True} if starts_word is None else {}
    batch = tokenizer(sentences, padding=False, truncation=False, add_special_tokens=False, **detail)
    if segmenter:
        starts = [word_starts(segmenter(text), offsets) for text, offsets in zip(sentences, batch["offsets"])]
    elif starts_word is None:
        starts = [np.diff(words, prepend=-1) != 0 for words in batch["word_ids"]]
    else:
        starts = [starts_word[ids] for ids in batch["input_ids"]]
    return batch["input_ids"], starts


def encode_documents(documents: Iterable[list[str]], tokenizer, segmenter: Segmenter | None = None
                     ) -> Iterator[Document]:
    """Encodes documents of sentences, many sentences at a time; documents and sentences without tokens are skipped.

    Words are those of the tokenizer, or of a Chinese segmenter (`tfplm.data.text.segmenter`), for whole-word masking.
    """
    documents, starts_word = iter(documents), _starts_word(tokenizer)
    while True:
        chunk, size = [], 0
        while size < _SENTENCES_AT_ONCE and (document := next(documents, None)) is not None:
            chunk.append(document)
            size += len(document)
        if not chunk:
            return
        ids, starts = _encode(list(itertools.chain.from_iterable(chunk)), tokenizer, segmenter, starts_word)
        start = 0
        for document in chunk:
            part = slice(start, start + len(document))
            start = part.stop
            lengths = np.array([len(row) for row in ids[part]], np.int32)
            if lengths.any():
                yield Document(np.concatenate(ids[part]), lengths[lengths > 0], np.concatenate(starts[part]))


def noise_vocabulary(tokenizer) -> NoiseVocabulary:
    """The special ids of a `tfplm.Tokenizer` for the noise functions."""
    def first(*names: str) -> int:
        ids = (getattr(tokenizer, f"{name}_token_id") for name in names)
        return next((i for i in ids if i is not None), -1)

    extra = {token: i for token, i in zip(tokenizer.all_special_tokens, tokenizer.all_special_ids)
             if token.startswith("<extra_id_")}
    sentinels = tuple(extra[token] for token in sorted(extra, key=lambda t: int(t[10:-1])))
    return NoiseVocabulary(len(tokenizer), max(first("pad"), 0), first("mask"), first("cls", "bos"),
                           first("sep", "eos"), first("sep", "eos"), sentinels, tuple(tokenizer.all_special_ids))
