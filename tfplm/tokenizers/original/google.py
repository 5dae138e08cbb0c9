"""BERT's tokenization as in Google's `tokenization.py` (Devlin et al. 2019), with the place of every piece in the text.

The Rust library does the same for nearly all characters, and much faster: `GoogleTokenizer.takes` finds the texts with a
character for which it does not.
"""

import functools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence

from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers

from tfplm.tokenizers.original.pieces import Divider, Pieces

LONGEST_WORD = 200  # characters; longer words are unknown
_IDEOGRAPH = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f"
                        "\U0002b740-\U0002b81f\U0002b820-\U0002ceaf\U0002f800-\U0002fa1f]")
# characters known to be alike in the library: Latin, Greek (without capital sigma, whose small form depends on the
# letters around it), Cyrillic, punctuation, kana, ideographs, Hangul, full-width forms
_USUAL = ("\0-\u0233\u0250-\u036f\u0388-\u038a\u038e-\u03a1\u03a4-\u03e1\u0400-\u0481\u048a-\u0513\u2000-\u2064\u3000-\u3029"
          "\u3041-\u3096\u309b-\u30ff\u3400-\u4db5\u4e00-\u9fcc\uac00-\ud7a3\uff01-\uff5e")
_UNUSUAL = re.compile(f"[^{_USUAL}]")

_REMEMBERED = 1 << 16  # characters

Word = tuple[str, list[int]]  # a word, and for each of its characters the index of the one in the text it comes from
Part = tuple[str, int, int]  # a piece of a word: the token, and its characters [start, end) of the word


class BasicTokenizer:
    """Google's BasicTokenizer: cleaned words of a text, lower-cased if so set, with punctuation as words of its own.

    `strip_accents` and `chinese_characters` are options of Hugging Face; Google's code has them as `lower_case` and True.
    """

    def __init__(self, lower_case: bool, strip_accents: bool | None = None, chinese_characters: bool = True):
        self.lower_case, self.chinese_characters = lower_case, chinese_characters
        self.strip_accents = lower_case if strip_accents is None else strip_accents

    def words(self, text: str) -> Iterator[Word]:
        """The words of a text."""
        for word, origins in self._separated(text):
            if self.lower_case:
                word, origins = lowered(word, origins)
            if self.strip_accents:
                word, origins = _stripped(word, origins)
            yield from _split_at_punctuation(word, origins)

    def _separated(self, text: str) -> Iterator[Word]:
        """Runs of characters without white space; ideographs are separate; control characters are dropped."""
        origins: list[int] = []
        for index, character in enumerate(text):
            kind = _kind(character)
            if kind == "letter" or (kind == "ideograph" and not self.chinese_characters):
                origins.append(index)
            elif kind != "dropped":
                if origins:
                    yield "".join([text[i] for i in origins]), origins
                    origins = []
                if kind == "ideograph":
                    yield character, [index]
        if origins:
            yield "".join([text[i] for i in origins]), origins


@functools.lru_cache(_REMEMBERED)
def _kind(character: str) -> str:
    if character in "\0\ufffd" or (character not in "\t\n\r" and unicodedata.category(character) in ("Cc", "Cf")):
        return "dropped"
    if character.isspace():
        return "space"
    return "ideograph" if _IDEOGRAPH.match(character) else "letter"


@functools.lru_cache(_REMEMBERED)
def _is_punctuation(character: str) -> bool:
    if character.isascii():
        return character.isprintable() and not character.isalnum() and character != " "
    return unicodedata.category(character)[0] == "P"


def is_word(character: str) -> bool:
    """Returns True if BERT's basic tokenization always makes a word of this one character, so that it has no `##` form."""
    return _is_punctuation(character) or _IDEOGRAPH.match(character) is not None


def lowered(text: str, origins: Sequence[int]) -> Word:
    """`text.lower()`; the form of a sigma depends on its word, but the number of characters on each character alone."""
    return text.lower(), [i for character, i in zip(text, origins) for _ in character.lower()]


def _stripped(word: str, origins: list[int]) -> Word:
    """The word in canonical decomposition (NFD), without its non-spacing marks."""
    if word.isascii():
        return word, origins
    places = [i for character, i in zip(word, origins) for _ in unicodedata.normalize("NFD", character)]
    kept = [(c, i) for c, i in zip(unicodedata.normalize("NFD", word), places) if unicodedata.category(c) != "Mn"]
    return "".join(c for c, _ in kept), [i for _, i in kept]


def _split_at_punctuation(word: str, origins: list[int]) -> Iterator[Word]:
    start = 0
    for index, character in enumerate(word):
        if _is_punctuation(character):
            if start < index:
                yield word[start:index], origins[start:index]
            yield character, [origins[index]]
            start = index + 1
    if start < len(word):
        yield word[start:], origins[start:]


def split_word(word: str, vocab: Collection[str], longest: int, prefix: str = "##") -> list[Part]:
    """The longest pieces of a word, from left to right, as (token, start, end); [] if the pieces do not cover it.

    `longest`: the number of characters of the longest piece of the vocabulary.
    """
    pieces, start = [], 0
    while start < len(word):
        end = next((end for end in range(min(len(word), start + longest), start, -1)
                    if (prefix if start else "") + word[start:end] in vocab), None)
        if end is None:
            return []
        pieces.append(((prefix if start else "") + word[start:end], start, end))
        start = end
    return pieces


class _Differs(dict[str, bool]):
    """True for the characters of which the library makes other words than Google's code; found out for each once.

    Both treat every character by itself, except for a capital sigma and the order of marks, which therefore always differ
    here. Characters that this Python's version of Unicode does not have may be marks in the library's.
    """

    def __init__(self, basic: BasicTokenizer, backend: Backend):
        super().__init__()
        self.basic, self.normalize, self.split = (basic, backend.normalizer.normalize_str,
                                                  backend.pre_tokenizer.pre_tokenize_str)

    def __missing__(self, character: str) -> bool:
        if len(self) >= _REMEMBERED:
            self.clear()
        theirs = [word for word, _ in self.split(self.normalize(f"a{character}b"))]
        decomposed = unicodedata.normalize("NFD", character)
        self[character] = (character == "\u03a3" or unicodedata.category(character) == "Cn"
                           or any(unicodedata.combining(c) and unicodedata.category(c) != "Mn" for c in decomposed)
                           or theirs != [word for word, _ in self.basic.words(f"a{character}b")])
        return self[character]


def _word_pieces(backend: Backend) -> Callable[[str], list[Part]]:
    """Google's WordpieceTokenizer: the pieces of a word."""
    vocab, model = backend.get_vocab(with_added_tokens=False), backend.model
    longest = max(map(len, vocab), default=0)

    def split(word: str) -> list[Part]:
        short = len(word) <= model.max_input_chars_per_word
        found = split_word(word, vocab, longest, model.continuing_subword_prefix) if short else []
        return found or [(model.unk_token, 0, len(word))]

    return split


def _merged(backend: Backend) -> Callable[[str], list[Part]]:
    """The pieces of a word in the BPE of the first GPT, which makes words as BERT does."""
    model = backend.model

    def split(word: str) -> list[Part]:
        data = word.encode()  # the library counts in bytes
        return [(token.value, *(len(data[:place].decode()) for place in token.offsets)) for token in model.tokenize(word)]

    return split


class GoogleTokenizer:
    """Google's FullTokenizer for the texts of which the backend would make other words."""

    def __init__(self, backend: Backend):
        normalizer = backend.normalizer
        self.basic = BasicTokenizer(normalizer.lowercase, normalizer.strip_accents, normalizer.handle_chinese_chars)
        self.divider, self.differs = Divider(backend), _Differs(self.basic, backend)
        self.split = (_word_pieces if isinstance(backend.model, models.WordPiece) else _merged)(backend)

    @staticmethod
    def fits(backend: Backend) -> bool:
        """Returns True for a backend that is meant to be the tokenizer of BERT or of the first GPT."""
        model = backend.model
        return ((isinstance(model, models.WordPiece) or (isinstance(model, models.BPE) and bool(model.end_of_word_suffix)))
                and isinstance(backend.normalizer, normalizers.BertNormalizer) and backend.normalizer.clean_text
                and isinstance(backend.pre_tokenizer, pre_tokenizers.BertPreTokenizer))

    def takes(self, text: str) -> bool:
        """Returns True if the library would make other words of the text."""
        if text.isascii():
            return False
        found = _UNUSUAL.findall(text)
        return bool(found) and any(self.differs[character] for character in set(found))

    def pieces(self, texts: Sequence[str], spans: bool = True) -> list[Pieces]:
        """The pieces of texts."""
        return [self._pieces(text) for text in texts]

    def _pieces(self, text: str) -> Pieces:
        pieces, number = Pieces(), 0
        for token, start, end in self.divider.parts(text):
            if token is not None:
                pieces.add(token, (start, end), number)
                number += 1
                continue
            for word, origins in self.basic.words(text[start:end]):
                for piece, first, last in self.split(word):
                    pieces.add(piece, (start + origins[first], start + origins[last - 1] + 1), number)
                number += 1
        return pieces
