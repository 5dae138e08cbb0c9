"""Encoding by the library `sentencepiece` itself, with the preprocessing of XLNet and ALBERT."""

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import sentencepiece
from tokenizers import Tokenizer as Backend

from tfplm.core.protobuf import Definition, Field
from tfplm.core.tokenizer_rules import TokenizerRules
from tfplm.tokenizers.original.google import lowered
from tfplm.tokenizers.original.pieces import Divider, Pieces, Span
from tfplm.tokenizers.sentencepiece_file import USER_DEFINED, parse, splits_number

_SPACE = "▁"
_MANY = 128  # texts, from which on several threads are worth their start

Piece = tuple[str, int, int]  # token, and its characters [start, end)


@functools.cache
def _text_class():
    """The class of `SentencePieceText`, with the fields of sentencepiece.proto that say where pieces are (in bytes)."""
    file = Definition("tfplm.sentencepiece_text", "proto2")
    file.add("Piece", piece=Field(1, "bytes"), id=Field(2, "int32"), begin=Field(4, "int32"), end=Field(5, "int32"))
    file.add("Text", pieces=Field(2, "Piece", "repeated"))
    return file.message_class("Text")


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What is done to a text before SentencePiece gets it."""

    clean: bool = False  # the preprocessing of the XLNet repository
    lower_case: bool = False
    keep_accents: bool = True  # only with `clean`


class SentencePieceEncoder:
    """Finds pieces with `sentencepiece`. Special and added tokens in a text stay whole, as in Hugging Face's tokenizers.

    Args:
        data: the bytes of the `.model` file.
        backend: the Rust tokenizer, which has the added tokens, and whose normalizer decides about case and accents.
        family: `clean` families get the preprocessing of the XLNet repository.

    Attributes: `fits`, False if `backend` has other ids than the model.
    """

    def __init__(self, data: bytes, backend: Backend, family: TokenizerRules):
        self.processor = sentencepiece.SentencePieceProcessor(model_proto=data)
        model = parse(data)
        steps = b"" if backend.normalizer is None else backend.normalizer.__getstate__()  # as JSON
        self.preparation = Preparation(family.clean, b'"Lowercase"' in steps, b'"StripAccents"' not in steps)
        self.names = [piece for piece, _, _ in model.pieces]
        self.unknown = unknown = self.processor.unk_id()
        self.names[unknown] = family.tokens["unk"]
        # in rare models the mark of a space is the end of a word
        self.suffix = not any(name.startswith(_SPACE) and len(name) > 1 for name in self.names) and any(
            name.endswith(_SPACE) and len(name) > 1 for name in self.names)
        self.numbers = {index for index, name in enumerate(self.names) if family.clean and splits_number(name)}
        vocab, shift = backend.get_vocab(), len(family.head) - family.skip
        self.fits = all(vocab.get(name) == index + shift for index, name in enumerate(self.names)
                        if index >= family.skip and index != unknown)
        self.divider = Divider(backend, {piece for piece, _, kind in model.pieces if kind == USER_DEFINED})

    def takes(self, text: str) -> bool:
        """Returns True: the Rust library's normalization and its choice among equal scores are approximations."""
        return True

    def pieces(self, texts: Sequence[str], spans: bool = True) -> list[Pieces]:
        """The pieces of texts."""
        divided = [self.divider.parts(text) for text in texts]
        parts = [text[start:end] for text, row in zip(texts, divided) for token, start, end in row if token is None]
        if not spans:
            tokens = iter(self._tokens(parts))
            return [Pieces([token for added, _, _ in row for token in ([added] if added else next(tokens))])
                    for row in divided]
        found = iter(self._placed_in(parts))
        result = []
        for row in divided:
            pieces, word, begins = Pieces(), -1, True
            for added, start, end in row:
                begins = True
                for token, first, last in [(added, 0, end - start)] if added else next(found):
                    word += begins or (token.startswith(_SPACE) and not self.suffix)
                    begins = self.suffix and token.endswith(_SPACE)
                    pieces.add(token, (start + first, start + last), word)
            result.append(pieces)
        return result

    def _run(self, texts: list[str], kind):
        threads = -1 if len(texts) >= _MANY else 1  # -1: one for each core
        return self.processor.encode(texts, out_type=kind, num_threads=threads)

    def _tokens(self, texts: list[str]) -> list[list[str]]:
        if self.preparation != Preparation():
            texts = [_Prepared(text, self.preparation).text for text in texts]
        rows = self._run(texts, int)
        tokens = [[self.names[index] for index in ids] for ids in rows]
        for row, (text, ids) in enumerate(zip(texts, rows)):  # numbers with a comma; unknown pieces have no id to tell
            if not self.numbers.isdisjoint(ids) or (self.preparation.clean and self.unknown in ids and "," in text):
                (message,) = self._run([text], "serialized_proto")
                tokens[row] = [token for token, _, _ in self._placed(text, message)]
        return tokens

    def _placed_in(self, texts: list[str]) -> list[list[Piece]]:
        if self.preparation == Preparation():
            return [self._placed(text, message) for text, message in zip(texts, self._run(texts, "serialized_proto"))]
        prepared = [_Prepared(text, self.preparation) for text in texts]
        messages = self._run([text.text for text in prepared], "serialized_proto")
        return [[(token, *text.span(first, last)) for token, first, last in self._placed(text.text, message)]
                for text, message in zip(prepared, messages)]

    def _placed(self, text: str, message: bytes) -> list[Piece]:
        """The pieces of one text of which sentencepiece gave this message."""
        place = _places(text)
        found: list[Piece] = []
        for piece in _text_class().FromString(message).pieces:
            index, start, end = piece.id, piece.begin, piece.end
            if place is not None:
                start, end = place[start], place[end]
            if end - start > 1 and text[start] == " ":  # the most frequent case, without a call
                start += 1
            if start == end or text[start].isspace() or text[end - 1].isspace():
                start, end = _visible(text, start, end)
            name = self.names[index] if index != self.unknown else piece.piece.decode("utf-8", "replace")
            if self.preparation.clean and splits_number(name):
                found += self._split_number(name, start, end)
            else:
                found.append((self.names[index], start, end))
        return found

    def _split_number(self, piece: str, start: int, end: int) -> list[Piece]:
        """The pieces of a number with a comma ("2008,"), as in `encode_pieces` of the XLNet repository."""
        found, place = [], start
        for part in self._number_parts(piece):
            length = len(part.removeprefix(_SPACE))
            found.append((self.names[self.processor.piece_to_id(part)], place, place + max(length, 1)))
            place += length
        return found if place == end else [(token, start, end) for token, _, _ in found]

    def _number_parts(self, piece: str) -> list[str]:
        parts = self.processor.encode(piece[:-1].replace(_SPACE, ""), out_type=str)
        if piece[0] != _SPACE and parts[0][0] == _SPACE:
            parts = parts[1:] if len(parts[0]) == 1 else [parts[0][1:], *parts[1:]]
        return [*parts, ","]

    def split_number(self, piece: str) -> list[str]:
        """The tokens of a piece that is a number with a comma."""
        return [self.names[self.processor.piece_to_id(part)] for part in self._number_parts(piece)]


def _places(text: str) -> list[int] | None:
    """`[bytes + 1]`: the number of characters before each byte of the text in UTF-8; None if they are the same."""
    if text.isascii():
        return None
    starts = (np.frombuffer(text.encode(), np.uint8) & 0xC0) != 0x80
    return [0, *np.cumsum(starts).tolist()]


def _visible(text: str, start: int, end: int) -> Span:
    """A span without white space around it, and never empty.

    The mark of a word's start alone has the first character of that word, that of an end the last character.
    """
    first, last = start, end
    while first < last and text[first].isspace():
        first += 1
    while first < last and text[last - 1].isspace():
        last -= 1
    if first < last:
        return first, last
    if first < len(text) and (start == end or not text[first].isspace()):
        return first, first + 1
    return (start, end) if start < end else (max(end - 1, 0), end)


class _Prepared:
    """A text after `preprocess_text` of the XLNet repository, and where its characters come from."""

    def __init__(self, text: str, how: Preparation):
        self.how, self.original = how, text
        if how.clean:
            text = " ".join(text.split()).replace("``", '"').replace("''", '"')
            if not how.keep_accents and not text.isascii():
                text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        self.text = text.lower() if how.lower_case else text
        # most texts lose nothing but white space at their start, or change nothing but letter case
        before = len(self.original) - len(self.original.lstrip()) if how.clean else 0
        same = len(self.text) == len(text) and self.original[before:before + len(text)] == text
        self._shift = before if same else None

    @functools.cached_property
    def _spans(self) -> list[Span]:
        """The characters in the original of each character of the text."""
        pairs = [(character, (index, index + 1)) for index, character in enumerate(self.original)]
        if self.how.clean:
            pairs = [(" " if match[1] else '"' if match[2] else match[0], match.span())
                     for match in re.finditer(r"(\s+)|(``|'')|.", self.original.strip(), re.DOTALL)]
            before = len(self.original) - len(self.original.lstrip())
            pairs = [(character, (start + before, end + before)) for character, (start, end) in pairs]
            if not self.how.keep_accents:
                pairs = [(c, span) for character, span in pairs for c in unicodedata.normalize("NFKD", character)
                         if not unicodedata.combining(c)]
        spans = [span for _, span in pairs]
        if self.how.lower_case:
            _, order = lowered("".join(c for c, _ in pairs), range(len(pairs)))
            spans = [spans[index] for index in order]
        return spans

    def span(self, start: int, end: int) -> Span:
        """The characters in the original of a span of the text."""
        if self._shift is not None:
            return start + self._shift, end + self._shift
        if start == end:
            return (self._spans[start][0],) * 2 if start < len(self._spans) else (len(self.original),) * 2
        return self._spans[start][0], self._spans[end - 1][1]
