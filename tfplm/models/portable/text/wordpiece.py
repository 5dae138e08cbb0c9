"""WordPiece in a graph: BERT's basic tokenization by a table of characters, then TensorFlow Text's `FastWordpieceTokenizer`.

TensorFlow Text's own `BertTokenizer` makes other words than Google's code of some texts: it replaces control characters by
spaces, folds case instead of lower-casing (with NFKC), and splits off unusual ideographs by the tables of its library.
"""

import functools
import unicodedata

import tensorflow as tf
from tokenizers import models

from tfplm.models.portable.text.added import AddedTokens
from tfplm.models.portable.text.characters import Marks, Rewriter, assigned, table_of
from tfplm.models.portable.text.errors import NotInGraph
from tfplm.tokenizers.original.google import BasicTokenizer, GoogleTokenizer, is_word
from tfplm.tokenizers.tokenizer import Tokenizer

_GAP = "[gap {}]"  # with a space, so that no word equals it


class WordPieceGraph(tf.Module):
    """`graph(texts)`: the ids of texts `[B]` without special tokens around them, ragged int32 `[B, None]`."""

    def __init__(self, tokenizer: Tokenizer):
        super().__init__()
        backend = tokenizer.backend
        if not GoogleTokenizer.fits(backend) or not isinstance(backend.model, models.WordPiece):
            raise NotInGraph("its words are not made by BERT's rules")
        normalizer, model = backend.normalizer, backend.model
        self.rewriter = rewriter(normalizer.lowercase, normalizer.strip_accents, normalizer.handle_chinese_chars)
        self.added = AddedTokens(backend.get_added_tokens_decoder())
        self.longest = model.max_input_chars_per_word
        vocab = backend.get_vocab(with_added_tokens=False)
        letters = {letter for token in vocab for letter in token}
        # a word of this letter is unknown, and so stands for all words that are too long
        self.unknown = next(chr(code) for code in range(0xE000, 0xF8FF) if chr(code) not in letters)
        self.words = _fast(vocab, model.unk_token, model.continuing_subword_prefix)

    def __call__(self, texts):
        return self.added.pieces(texts, self._pieces)

    def _pieces(self, texts):
        words = tf.strings.split(self.rewriter(texts))
        short = tf.strings.length(words.flat_values, "UTF8_CHAR") <= self.longest
        words = words.with_flat_values(tf.where(short, words.flat_values, self.unknown))
        return self.words.tokenize(words).merge_dims(1, 2)


def _fast(vocab: dict[str, int], unknown: str, prefix: str):
    """TensorFlow Text's tokenizer of words."""
    import tensorflow_text

    names = [_GAP.format(index) for index in range(max(vocab.values()) + 1)]
    for token, index in vocab.items():
        names[index] = token or names[index]
    try:
        return tensorflow_text.FastWordpieceTokenizer(names, prefix, max_bytes_per_word=1 << 20, token_out_type=tf.int32,
                                                      unknown_token=unknown, no_pretokenization=True)
    except RuntimeError as error:  # of the C++ library
        raise NotInGraph(f"TensorFlow Text does not take its vocabulary ({error})") from error


@functools.lru_cache(4)
def _tables(lower_case: bool, strip_accents: bool | None, chinese_characters: bool) -> tuple[dict, dict, str]:
    """What BERT's basic tokenizer makes of each character; the same with all marks; the marks that are dropped."""
    basic = BasicTokenizer(lower_case, strip_accents, chinese_characters)
    plain = BasicTokenizer(False, False, chinese_characters)

    def spaced(tokenizer: BasicTokenizer, text: str) -> str:
        return " ".join(word for word, _ in tokenizer.words(f"a{text}b"))[1:-1]

    # by ranges, of which this Python's version of Unicode does not know all
    ideographs = [c for c in map(chr, range(0x3400, 0x2FA20)) if unicodedata.category(c) == "Cn" and is_word(c)]
    replaced = {"\ufffd": "", **{c: spaced(basic, c) for c in ideographs}, **table_of(lambda c: spaced(basic, c))}
    if not basic.strip_accents:
        return replaced, {}, ""
    full = {**{c: spaced(plain, c) for c in ideographs}, **table_of(lambda c: spaced(plain, unicodedata.normalize(
        "NFD", c.lower() if lower_case else c)))}
    return replaced, full, "".join(c for c in assigned() if unicodedata.category(c) == "Mn")


def rewriter(lower_case: bool, strip_accents: bool | None, chinese_characters: bool) -> Rewriter:
    """Texts with their words separated by spaces."""
    replaced, full, marks = _tables(lower_case, strip_accents, chinese_characters)
    removed = "".join(c for c in assigned() if unicodedata.category(c) in ("Cc", "Cf") and c not in "\t\n\r")
    return Rewriter(replaced, lower_case, f"{removed}\ufffd", Marks(full, marks) if marks else None)
