"""From ids to texts in a graph, as `Tokenizer.decode` does it for byte-level BPE and SentencePiece."""

import numpy as np
import tensorflow as tf
from tokenizers import decoders

from tfplm.models.portable.text.byte_pairs import byte_letters
from tfplm.models.portable.text.errors import NotInGraph
from tfplm.tokenizers import backends
from tfplm.tokenizers.tokenizer import Tokenizer

_MARK = "▁"


class TextOutput(tf.Module):
    """`output(ids)`: the texts, strings `[B]`, of int32 `[B,T]`, without special tokens.

    Bytes that are not UTF-8, at which a byte-level text can end, become U+FFFD. Raises NotInGraph for other tokenizers.
    """

    def __init__(self, tokenizer: Tokenizer):
        super().__init__()
        backend, size = tokenizer.backend, len(tokenizer)
        kind = backends.kind_of(backend)
        names = {index: token for token, index in tokenizer.vocab.items()}
        if kind == "byte_bpe" and isinstance(backend.decoder, decoders.ByteLevel):
            byte_of = {letter: byte for byte, letter in enumerate(byte_letters())}
            texts = [_bytes_of(names.get(index, ""), byte_of) for index in range(size)]
            first = texts
        elif kind == "sentencepiece" and isinstance(backend.decoder, decoders.Metaspace):
            texts = [names.get(index, "").replace(_MARK, " ").encode() for index in range(size)]
            drops = backend.decoder.prepend_scheme != "never"
            first = [names.get(index, "").replace(_MARK, "").encode() for index in range(size)] if drops else texts
        else:
            raise NotInGraph(f"its texts are joined by {type(backend.decoder).__name__}")
        self._texts, self._first = tf.constant(texts), tf.constant(first)
        special = np.zeros(size, bool)
        special[tokenizer.all_special_ids] = True
        self._special = tf.constant(special)

    def __call__(self, ids):
        kept = ~tf.gather(self._special, ids)
        start = kept & (tf.cumsum(tf.cast(kept, tf.int32), axis=1) == 1)
        texts = tf.where(start, tf.gather(self._first, ids), tf.gather(self._texts, ids))
        joined = tf.strings.reduce_join(tf.where(kept, texts, ""), axis=1)
        return tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8")


def _bytes_of(token: str, byte_of: dict[str, int]) -> bytes:
    """The bytes that a token stands for; of an added token, its own."""
    known = all(letter in byte_of for letter in token)
    return bytes(byte_of[letter] for letter in token) if known else token.encode()


def check_exact_output(output: TextOutput, tokenizer: Tokenizer) -> None:
    """Compares the texts of each token after and before another one, and of random rows, with the tokenizer's.

    Raises NotInGraph with the first row for which they differ.
    """
    size, random = len(tokenizer), np.random.default_rng(0)
    each = np.arange(size, dtype=np.int32)[:, None]
    for rows in (np.concatenate([each, np.roll(each, 1), each], 1), random.integers(0, size, (256, 12), np.int32)):
        expected = tokenizer.batch_decode(rows)
        for row, text, found in zip(rows, expected, output(tf.constant(rows)).numpy()):
            if text.encode() != found:
                raise NotInGraph(f"the text of {row.tolist()} is {text!r}, but in the graph it is {found!r}")
