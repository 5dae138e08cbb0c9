"""Pieces of texts that the original code of a tokenizer has found, completed by the Rust library to whole rows.

The library truncates, pairs and frames them with special tokens as if its own model had found them.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from tokenizers import Encoding, models
from tokenizers import Tokenizer as Backend

Span = tuple[int, int]  # characters [start, end)
_TEXT = "\0text"  # what the divider calls the text between added tokens


class Pieces:
    """The pieces of a text: tokens of the vocabulary, the characters [start, end) and the index of the word of each."""

    def __init__(self, tokens: Iterable[str] = (), spans: Iterable[Span] = (), words: Iterable[int] = ()):
        self.tokens, self.spans, self.words = list(tokens), list(spans), list(words)

    def add(self, token: str, span: Span, word: int) -> None:
        self.tokens.append(token)
        self.spans.append(span)
        self.words.append(word)

    @classmethod
    def of_words(cls, words: Sequence["Pieces"]) -> "Pieces":
        """The pieces of a list of words."""
        return cls((token for word in words for token in word.tokens), (span for word in words for span in word.spans),
                   (index for index, word in enumerate(words) for _ in word.tokens))


class Finder(Protocol):
    """Finds the pieces of texts by the original code of a tokenizer."""

    def takes(self, text: str) -> bool:
        """Returns True for texts of which the Rust library may find other pieces."""

    def pieces(self, texts: Sequence[str], spans: bool = True) -> list[Pieces]:
        """The pieces of each text; without `spans` their tokens are enough."""


class Row:
    """A row that the Rust library has made of pieces; like its `Encoding`, but with places in the text."""

    def __init__(self, encoding: Encoding, parts: Sequence[Pieces]):
        self._encoding, self._parts = encoding, parts
        self.ids, self.type_ids, self.special_tokens_mask = (encoding.ids, encoding.type_ids,
                                                             encoding.special_tokens_mask)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def _places(self) -> Iterable[tuple[Pieces | None, int]]:
        for part, piece in zip(self._encoding.sequence_ids, self._encoding.word_ids):
            yield (None, 0) if part is None or piece is None else (self._parts[part], piece)

    @property
    def offsets(self) -> list[Span]:
        return [(0, 0) if pieces is None else pieces.spans[index] for pieces, index in self._places]

    @property
    def word_ids(self) -> list[int | None]:
        return [None if pieces is None else pieces.words[index] for pieces, index in self._places]

    @property
    def overflowing(self) -> list["Row"]:
        return [Row(encoding, self._parts) for encoding in self._encoding.overflowing]


def piece_backend(backend: Backend, unknown: str) -> Backend:
    """A tokenizer of lists of pieces, with the ids and the special tokens of `backend`."""
    result = Backend(models.WordLevel(backend.get_vocab(with_added_tokens=True), unk_token=unknown))
    if backend.post_processor is not None:
        result.post_processor = backend.post_processor
    return result


class Divider:
    """Divides texts at added tokens, such as `[MASK]`, which are never split.

    Args:
        backend: the tokenizer with the tokens. Tokens that are to be found in the normalized text are found in the text.
        without: tokens to ignore.
    """

    def __init__(self, backend: Backend, without: Collection[str] = ()):
        added = [token for _, token in sorted(backend.get_added_tokens_decoder().items(), key=lambda pair: pair[0])
                 if token.content and token.content not in without]
        self._pattern = re.compile("|".join(re.escape(token.content) for token in added)) if added else None
        self._backend = Backend(models.WordLevel({_TEXT: 0}, unk_token=_TEXT))
        self._backend.add_tokens(added)

    def parts(self, text: str) -> list[tuple[str | None, int, int]]:
        """(added token, start, end) of the parts of a text, in order; None for text without added tokens."""
        if self._pattern is None or self._pattern.search(text) is None:
            return [(None, 0, len(text))] if text else []
        found = self._backend.encode(text, add_special_tokens=False)
        return [(token if token_id else None, start, end)
                for token_id, token, (start, end) in zip(found.ids, found.tokens, found.offsets)]
