"""SentencePiece in a graph: the library itself, which TensorFlow Text has as an operation, and XLNet's preprocessing."""

import math
import unicodedata
from collections.abc import Sequence

import tensorflow as tf

from tfplm.models.portable.text.added import AddedTokens
from tfplm.models.portable.text.characters import Rewriter, assigned, lower_table, table_of
from tfplm.models.portable.text.errors import NotInGraph
from tfplm.tokenizers.original.sentencepiece_encoder import SentencePieceEncoder
from tfplm.tokenizers.sentencepiece_file import USER_DEFINED, parse
from tfplm.tokenizers.tokenizer import Tokenizer

_QUOTES = ("``", "''")  # quotation marks of TeX


class SentencePieceGraph(tf.Module):
    """`graph(texts)`: the ids of texts `[B]` without special tokens around them, ragged int32 `[B, None]`."""

    def __init__(self, tokenizer: Tokenizer):
        super().__init__()
        import tensorflow_text

        data = tokenizer.sentencepiece_model
        if data is None:
            raise NotInGraph("it has no SentencePiece model file, only the rules of tokenizer.json")
        original = SentencePieceEncoder(data, tokenizer.backend, tokenizer.rules)
        if not original.fits:
            raise NotInGraph("its ids are not those of its SentencePiece model")
        own = frozenset(piece for piece, _, kind in parse(data).pieces if kind == USER_DEFINED)
        self.added = AddedTokens(tokenizer.backend.get_added_tokens_decoder(), own)
        self.preparation = Preparation(original)
        self.model = tensorflow_text.SentencepieceTokenizer(data, out_type=tf.int32)
        self._values, self._splits = _ids(original, tokenizer)
        shift = len(tokenizer.rules.head) - tokenizer.rules.skip
        self._scores = {index + shift: score for index, (_, score, _) in enumerate(parse(data).pieces)}

    def __call__(self, texts):
        return self.added.pieces(texts, self._pieces)

    def alike(self, ids: Sequence[int], other: Sequence[int]) -> bool:
        """Whether two divisions of a text are equally likely but for rounding, as those of `xxxx` into `x` and `xxx`.

        Of such, which are rare beyond long words of one or two letters, versions of the library choose different ones.
        """
        likelihoods = [math.fsum(self._scores.get(index, 0.0) for index in each) for each in (ids, other)]
        return math.isclose(*likelihoods, rel_tol=1e-5)

    def _pieces(self, texts):
        pieces = self.model.tokenize(self.preparation(texts))
        table = tf.RaggedTensor.from_row_splits(self._values, self._splits, validate=False)
        return pieces.with_flat_values(tf.gather(table, pieces.flat_values)).merge_dims(1, 2)


class Preparation(tf.Module):
    """The preprocessing of XLNet and ALBERT, and lower-casing, of texts `[B]`."""

    def __init__(self, original: SentencePieceEncoder):
        super().__init__()
        how = original.preparation
        self.clean = how.clean
        self._unmarked = self._lower = None
        if how.clean:
            self._spaces = Rewriter({character: " " for character in assigned() if character.isspace()})
            if not how.keep_accents:
                self._unmarked = Rewriter(table_of(_bare))
        if how.lower_case:
            self._lower = Rewriter(lower_table(), lower=True)

    def __call__(self, texts):
        if self.clean:
            texts = tf.strings.regex_replace(self._spaces(texts), " +", " ")
            texts = tf.strings.regex_replace(texts, "^ | $", "")
            for marks in _QUOTES:
                texts = tf.strings.regex_replace(texts, marks, '"')
            if self._unmarked is not None:
                texts = self._unmarked(texts)
        return texts if self._lower is None else self._lower(texts)


def _bare(character: str) -> str:
    """NFKD without combining characters; without them, no character changes another one."""
    return "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))


def _ids(original: SentencePieceEncoder, tokenizer: Tokenizer):
    """The tokenizer's ids of each piece of the model: one, or in ALBERT several for a number with a comma ("2008,")."""
    vocab = tokenizer.vocab
    unknown = vocab[original.names[original.unknown]]
    rows = [[vocab.get(name, unknown)] for name in original.names]
    for index in original.numbers:
        rows[index] = [vocab.get(name, unknown) for name in original.split_number(original.names[index])]
    if original.preparation.clean and original.processor.piece_to_id(",") == original.unknown:
        raise NotInGraph("its vocabulary has no comma, at which numbers are split")
    values = tf.constant([index for row in rows for index in row], tf.int32)
    lengths = [0] + [len(row) for row in rows]
    return values, tf.cumsum(tf.constant(lengths, tf.int64))
