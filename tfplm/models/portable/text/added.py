"""Special and added tokens within texts, such as `[MASK]`, which stay whole."""

import re

import tensorflow as tf
from tokenizers import AddedToken

from tfplm.models.portable.text.errors import NotInGraph

# White_Space of Unicode, in the syntax of RE2, whose `\s` has ASCII only
_SPACE = r"[\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]"

_BOUNDARY = b"\xff"


class AddedTokens(tf.Module):
    """Divides texts at added tokens.

    Raises NotInGraph for tokens that are found in the normalized text or only as whole words.
    """

    def __init__(self, tokens: dict[int, AddedToken], without: frozenset[str] = frozenset()):
        super().__init__()
        kept = {index: token for index, token in tokens.items() if token.content and token.content not in without}
        _check(list(kept.values()))
        self._strips = any(token.lstrip or token.rstrip for token in kept.values())
        self._names = tf.constant([token.content for token in kept.values()], tf.string)
        self._ids = tf.constant([*kept, -1], tf.int32)
        ordered = sorted(kept.values(), key=lambda token: len(token.content), reverse=True)  # the longest one is found
        self._pattern = "|".join(map(_pattern_of, ordered))

    def pieces(self, texts, encode):
        """The ids of texts `[B]`, ragged int32 `[B, None]`; `encode` has those of the texts `[P]` between the tokens.

        Bytes that are not UTF-8 become U+FFFD.
        """
        texts = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8")
        if not self._pattern:
            return encode(texts)
        # `regex_split` of TensorFlow Text ends at a zero byte; no text has this byte
        texts = tf.strings.regex_replace(texts, f"({self._pattern})", _BOUNDARY + rb"\1" + _BOUNDARY)
        parts = tf.strings.split(texts, _BOUNDARY)  # [B, None]
        flat = parts.flat_values
        found = self._ids_of(flat)
        ids = encode(tf.where(found >= 0, "", flat))
        added = tf.RaggedTensor.from_row_lengths(tf.boolean_mask(found, found >= 0), tf.cast(found >= 0, tf.int64))
        return parts.with_flat_values(tf.concat([added, ids], axis=1)).merge_dims(1, 2)

    def _ids_of(self, parts):
        """The id of each part `[P]` that is a token, and -1 for other parts."""
        if self._strips:
            parts = tf.strings.regex_replace(parts, f"^{_SPACE}+|{_SPACE}+$", "")
        same = tf.cast(parts[:, None] == self._names[None], tf.int32)
        missing = tf.ones_like(same[:, :1])  # the last id, if no name is the same
        return tf.gather(self._ids, tf.argmax(tf.concat([same, missing], axis=1), axis=1))


def _pattern_of(token: AddedToken) -> str:
    return (_SPACE + "*") * token.lstrip + re.escape(token.content) + (_SPACE + "*") * token.rstrip


def _check(tokens: list[AddedToken]) -> None:
    if wrong := next((token for token in tokens if token.normalized), None):
        raise NotInGraph(f"the added token {wrong.content!r} is found in the normalized text")
    if wrong := next((token for token in tokens if token.single_word), None):
        raise NotInGraph(f"the added token {wrong.content!r} is found as a whole word only")
    stripping = any(token.lstrip or token.rstrip for token in tokens)
    if stripping and (wrong := next((token for token in tokens if re.search(r"\s", token.content)), None)):
        raise NotInGraph(f"the added token {wrong.content!r} has white space, and another one includes that around it")
