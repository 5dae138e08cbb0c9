"""Texts to token ids for static embeddings: model2vec's rules, and a memory of words that makes them fast."""

import itertools
import json
import re

import numpy as np
from tokenizers import Tokenizer as Backend

_MOST = 200_000  # words that are remembered; then the memory starts again
_LONGEST = 64  # letters of a word that is remembered
# each ideograph, and what lies between ideographs and spaces: the tokenizers of BERT separate them
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff"
_IDEOGRAPH = re.compile(f"[{_IDEOGRAPHS}]")
_PIECES = re.compile(f"[{_IDEOGRAPHS}]|[^ {_IDEOGRAPHS}]+")


class StaticReader:
    """`reader(texts)`: (the ids of all tokens, one text after the other; the number of tokens of each text `[N]`).

    As in model2vec, a text gets no special tokens, is cut to `max_length` tokens (before that, to so many letters as
    tokens of median length have), and loses its unknown tokens.

    A WordPiece tokenizer of BERT reads each word by itself, so the ids of words are remembered: most words of a text
    occurred before, and looking them up is several times as fast as the tokenizer.

    Args:
        backend: a tokenizer of the library `tokenizers`.
        max_length: tokens of a text; None: not limited.
        keep_unknown: unknown tokens have a vector, too, as in sentence-transformers.
    """

    def __init__(self, backend: Backend, max_length: int | None, keep_unknown: bool = False):
        backend.no_padding()
        backend.no_truncation()
        self.backend, self.max_length, self.keep_unknown = backend, max_length, keep_unknown
        spec = json.loads(backend.to_str())
        self.unknown = None if keep_unknown else _unknown(spec, backend)
        self._letters = None if max_length is None else max_length * _median_length(backend)
        self._splits, self._ideographs = _splits_words(spec)
        self._words: dict[str, list[int]] = {}

    def __call__(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        if self._letters is not None:
            texts = [text[:self._letters] for text in texts]
        rows = self._by_words(texts) if self._splits else self._whole(texts)
        if self.max_length is not None:
            rows = [row if len(row) <= self.max_length else row[:self.max_length] for row in rows]
        return self.known(rows)

    def known(self, rows: list) -> tuple[np.ndarray, np.ndarray]:
        """The same from lists of ids: (ids, lengths) without unknown tokens."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        ids = np.fromiter(itertools.chain.from_iterable(rows), np.int64, int(lengths.sum()))
        if self.unknown is not None and not (kept := ids != self.unknown).all():
            lengths = np.bincount(np.repeat(np.arange(len(rows)), lengths)[kept], minlength=len(rows))
            ids = ids[kept]
        return ids, lengths

    def _whole(self, texts: list[str]) -> list[list[int]]:
        return [found.ids for found in self.backend.encode_batch_fast(texts, add_special_tokens=False)]

    def _by_words(self, texts: list[str]) -> list[list[int]]:
        split = _PIECES.findall if self._ideographs else lambda text: text.split(" ")
        pieces = [text.split(" ") if text.isascii() else split(text) for text in texts]
        if len(self._words) > _MOST:
            self._words = {}
        words = self._words  # another thread may start again
        rows: list = [_looked_up(words, row) for row in pieces]
        if missing := [index for index, row in enumerate(rows) if row is None]:
            new = {piece for index in missing for piece in pieces[index] if piece not in words}
            short = sorted(piece for piece in new if len(piece) <= _LONGEST)
            words.update(zip(short, self._whole(short)))
            for index in missing:
                rows[index] = _looked_up(words, pieces[index])
            whole = [index for index in missing if rows[index] is None]
            for index, row in zip(whole, self._whole([texts[index] for index in whole])):
                rows[index] = row
        return rows


def _looked_up(words: dict[str, list[int]], pieces: list[str]) -> list[int] | None:
    """The ids of all pieces; None if one is not known."""
    try:
        return list(itertools.chain.from_iterable(map(words.__getitem__, pieces)))
    except KeyError:
        return None


def _unknown(spec: dict, backend: Backend) -> int | None:
    """The id of the unknown token; None if there is none."""
    model = spec["model"]
    if model["type"] == "Unigram":
        return model.get("unk_id")
    return None if model.get("unk_token") is None else backend.token_to_id(model["unk_token"])


def _median_length(backend: Backend) -> int:
    """The median number of letters of a token."""
    return int(np.median([len(token) for token in backend.get_vocab()]))


def _splits_words(spec: dict) -> tuple[bool, bool]:
    """(whether the ids of a text are those of its parts between spaces; whether ideographs are parts as well).

    True for BERT's normalizer and pre-tokenizer, unless an added token can span a space or looks at its neighbours.
    """
    normalizer, splitter = spec["normalizer"] or {}, spec["pre_tokenizer"] or {}
    if (normalizer.get("type"), splitter.get("type")) != ("BertNormalizer", "BertPreTokenizer"):
        return False, False
    if spec["model"]["type"] not in ("WordPiece", "WordLevel"):
        return False, False
    added = spec["added_tokens"]
    if any(token["single_word"] or " " in token["content"] or _IDEOGRAPH.search(token["content"]) for token in added):
        return False, False
    return True, bool(normalizer["handle_chinese_chars"])
