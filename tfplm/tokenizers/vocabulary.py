"""The vocabulary of a tokenizer: tokens and ids, special tokens and their roles, and decoding."""

import functools
import re
import threading
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from tfplm.core.tokenizer_rules import ROLES
from tfplm.families import registry
from tfplm.tokenizers import backends
from tfplm.tokenizers.original.google import GoogleTokenizer
from tfplm.tokenizers.original.pieces import Finder, piece_backend
from tfplm.tokenizers.original.sentencepiece_encoder import SentencePieceEncoder

_CACHED = ("_size", "_word_backend", "_finder", "_piece_backend")  # values that depend on the vocabulary

# ideographs, kana, CJK punctuation and full-width forms, which are written without spaces
_CJK = ("\u2e80-\u312f\u31a0-\u31ef\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff65"
        "\U00020000-\U000323af")
_CJK_SPACE = re.compile(f"(?<=[{_CJK}]) (?=[{_CJK}])")


class Vocabulary:
    """The part of a tokenizer other than encoding; `Tokenizer` documents the attributes."""

    # properties, made for all roles below the class
    bos_token: str | None
    eos_token: str | None
    unk_token: str | None
    sep_token: str | None
    pad_token: str | None
    cls_token: str | None
    mask_token: str | None
    bos_token_id: int | None
    eos_token_id: int | None
    unk_token_id: int | None
    sep_token_id: int | None
    pad_token_id: int | None
    cls_token_id: int | None
    mask_token_id: int | None

    def __init__(self, backend: Backend, family: str, roles: dict[str, str], settings: dict | None = None):
        self._backend, self._roles, self._lock = backend, dict(roles), threading.Lock()
        self.family = family
        self.rules = registry.rules_for(family)
        self.settings = dict(settings or {})  # what tokenizer_config.json needs to restore the tokenizer
        self.padding_side = self.rules.padding_side
        self.model_max_length: int | None = None
        self.sentencepiece_model: bytes | None = None
        backend.no_truncation()
        backend.no_padding()

    @property
    def backend(self) -> Backend:
        """The Rust tokenizer, to read its rules."""
        return self._backend

    def decode(self, ids, skip_special_tokens: bool = True) -> str:
        """Decodes one row of ids. WordPiece puts spaces between words, but not between Chinese characters."""
        return self.batch_decode([ids], skip_special_tokens)[0]

    def batch_decode(self, batch, skip_special_tokens: bool = True) -> list[str]:
        """Decodes several rows of ids, an int array [B,T] or a list of rows."""
        rows = [self._checked_ids(row) for row in batch]
        texts = self._backend.decode_batch(rows, skip_special_tokens=skip_special_tokens)
        return [_CJK_SPACE.sub("", text) for text in texts] if self.rules.kind == "wordpiece" else texts

    def _checked_ids(self, ids) -> list[int]:
        ids = np.asarray(ids).reshape(-1)
        if len(ids) and (ids.min() < 0 or ids.max() >= len(self)):
            wrong = ids[(ids < 0) | (ids >= len(self))][0]
            raise ValueError(f"id {wrong} is not in the vocabulary: expected 0 to {len(self) - 1}")
        return ids.astype(int).tolist()

    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int: ...  # type: ignore[overload-overlap]  # a str is a Sequence

    @overload
    def convert_tokens_to_ids(self, tokens: Sequence[str]) -> list[int]: ...

    def convert_tokens_to_ids(self, tokens):
        """The ids of tokens. A token outside the vocabulary gets the unknown id, or raises ValueError without one."""
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        token_id = self._backend.token_to_id(tokens)
        if token_id is None and self.unk_token_id is None:
            raise ValueError(f"'{tokens}' is not in the vocabulary of {len(self)} tokens")
        return self.unk_token_id if token_id is None else token_id

    @overload
    def convert_ids_to_tokens(self, ids: int | np.integer) -> str: ...

    @overload
    def convert_ids_to_tokens(self, ids: Iterable) -> list[str]: ...

    def convert_ids_to_tokens(self, ids):
        """The tokens of ids."""
        if isinstance(ids, int | np.integer):
            return self.convert_ids_to_tokens([ids])[0]
        return [self._backend.id_to_token(token_id) for token_id in self._checked_ids(ids)]

    @property
    def vocab(self) -> dict[str, int]:
        """A dict from tokens to ids, including added tokens."""
        return self._backend.get_vocab(with_added_tokens=True)

    @property
    def vocab_size(self) -> int:
        """The number of rows that the model's embedding needs: the largest id plus one."""
        return self._size

    def __len__(self) -> int:
        return self._size

    @functools.cached_property
    def _size(self) -> int:
        return max(self.vocab.values()) + 1

    @functools.cached_property
    def _word_backend(self) -> Backend:
        """The backend for lists of words: in byte-level BPE each word gets a space before it, as within a text."""
        text = self._backend.to_str()
        spaced = text.replace('"add_prefix_space":false', '"add_prefix_space":true')
        return self._backend if spaced == text else Backend.from_str(spaced)

    @functools.cached_property
    def _finder(self) -> Finder | None:
        """What finds the pieces of texts that the Rust library treats otherwise than the original code."""
        if GoogleTokenizer.fits(self._backend):
            return GoogleTokenizer(self._backend)
        if self.sentencepiece_model is not None:
            finder = SentencePieceEncoder(self.sentencepiece_model, self._backend, self.rules)
            return finder if finder.fits else None
        return None

    @functools.cached_property
    def _piece_backend(self) -> Backend:
        """The backend for lists of pieces, which completes what `_finder` has found."""
        return piece_backend(self._backend, self.unk_token or "")

    def _clear_cache(self) -> None:
        for name in _CACHED:
            self.__dict__.pop(name, None)

    @property
    def all_special_ids(self) -> list[int]:
        """The ids of all special tokens, including those without a role."""
        return sorted(i for i, token in self._backend.get_added_tokens_decoder().items() if token.special)

    @property
    def all_special_tokens(self) -> list[str]:
        return self.convert_ids_to_tokens(self.all_special_ids)

    def add_tokens(self, tokens: str | Sequence[str], special: bool = False) -> int:
        """Adds tokens that are matched exactly and never split; returns the number of new ones.

        The model's embedding then needs `len(tokenizer)` rows. `special`: `decode` skips them.
        """
        tokens = [tokens] if isinstance(tokens, str) else list(tokens)
        before = len(self)
        with self._lock:
            self._backend.add_tokens([AddedToken(t, special=special, normalized=False) for t in tokens])
        self._clear_cache()
        return len(self) - before

    def add_known_tokens(self, tokens: list[tuple[int | None, AddedToken]]) -> None:
        """Adds the tokens of a saved tokenizer. Raises ValueError if one does not get its former id."""
        known = {token.content for token in self._backend.get_added_tokens_decoder().values()}
        self._backend.add_tokens([token for _, token in tokens if token.content not in known])
        self._clear_cache()
        for token_id, token in tokens:
            if token_id is not None and self._backend.token_to_id(token.content) != token_id:
                raise ValueError(f"the added token '{token.content}' should have id {token_id}, but in this vocabulary "
                                 f"it is {self._backend.token_to_id(token.content)}: the files do not belong together")

    def set_role(self, role: str, token: str) -> None:
        """Gives a role of `ROLES` to a token. Raises ValueError if the vocabulary does not have it."""
        if self._backend.token_to_id(token) is None:
            raise ValueError(f"the token {token!r} is not in the vocabulary of {len(self)} tokens: add it first")
        self._roles[role] = token

    def set_language(self, language: str) -> None:
        """Sets the language code that mBART adds to every text, such as `zh_CN`."""
        if "{lang}" not in self.rules.single:
            raise ValueError(f"tokenizers of family '{self.family}' have no language codes")
        if language not in self.rules.extra:
            raise ValueError(f"unknown language '{language}'; known are {', '.join(self.rules.extra)}")
        backends.set_template(self._backend, self.rules, self._roles, language)
        self.settings["src_lang"] = language
        self._clear_cache()

    def __getstate__(self):
        return {key: value for key, value in self.__dict__.items() if key not in ("_lock", *_CACHED)}

    def __setstate__(self, state):
        self.__dict__.update(state, _lock=threading.Lock())


def _token(role: str):
    def get(self) -> str | None:
        token = self._roles.get(role)
        return token or (self.eos_token or self.unk_token if role == "pad" else None)

    return property(get, doc=f"The {role} token, or None.")


def _token_id(role: str):
    def get(self) -> int | None:
        token = getattr(self, f"{role}_token")
        return None if token is None else self._backend.token_to_id(token)

    return property(get, doc=f"The id of the {role} token, or None.")


for _role in ROLES:
    setattr(Vocabulary, f"{_role}_token", _token(_role))
    setattr(Vocabulary, f"{_role}_token_id", _token_id(_role))
