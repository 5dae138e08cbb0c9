"""The names of google-research/bert's `tokenization.py` that programs for TensorFlow 1 use.

    from tfplm.tokenizers import tokenization  # in place of `import tokenization`, `from bert import tokenization`
"""

import os
from collections.abc import Iterable

from tfplm.tokenizers.tokenizer import Tokenizer


def convert_to_unicode(text: str | bytes) -> str:
    """The text as str; bytes are read as UTF-8, without the invalid ones. Raises ValueError for other types."""
    if isinstance(text, str):
        return text
    if isinstance(text, bytes):
        return text.decode("utf-8", "ignore")
    raise ValueError(f"found a {type(text).__name__} ({text!r:.80}); expected str or bytes: convert it with str() first")


printable_text = convert_to_unicode  # they differed in Python 2 only


class FullTokenizer:
    """Google's `FullTokenizer`: BERT's WordPiece tokenization by a `vocab.txt`.

    It finds the pieces of `Tokenizer.from_vocab`, its nearest sibling, which also encodes batches and adds special
    tokens. Other than in Google's code, special tokens within a text, such as [MASK], stay whole.

    Attributes: `vocab`, a dict from tokens to ids; `inv_vocab`, from ids to tokens.
    """

    def __init__(self, vocab_file: str | os.PathLike, do_lower_case: bool = True):
        self.tokenizer = Tokenizer.from_vocab(vocab_file, lowercase=do_lower_case)
        self.vocab = self.tokenizer.vocab
        self.inv_vocab = {index: token for token, index in self.vocab.items()}

    def tokenize(self, text: str | bytes) -> list[str]:
        """The pieces of a text, without special tokens around them."""
        return self.tokenizer.tokenize(convert_to_unicode(text))

    def convert_tokens_to_ids(self, tokens: Iterable[str]) -> list[int]:
        """The ids of tokens. Raises KeyError for a token outside the vocabulary, as Google's does."""
        return [self.vocab[token] for token in tokens]

    def convert_ids_to_tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens of ids. Raises KeyError for an id outside the vocabulary."""
        return [self.inv_vocab[int(index)] for index in ids]
