"""Conversion of texts, pairs and lists of tokens to token ids, truncated to a maximum length."""

import warnings
from collections.abc import Sequence

import numpy as np

from tfplm.embed.encoder.rows import TextIds
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.frame import Frame, divide


class TextReader:
    """`reader(texts)`: a `TextIds` for each text.

    A text is a str; a pair (tuple) of str; or a list of tokens, which are looked up in the vocabulary (unknown ones
    become the unknown token) and get special tokens.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int | None, lowercase: bool = False):
        self.tokenizer, self.max_length, self.lowercase = tokenizer, max_length, lowercase
        self._frame = Frame.of(tokenizer)
        special = self._frame.single_size
        if max_length is not None and max_length <= special:
            raise ValueError(f"max_length is {max_length}; expected more than the {special} special tokens: increase "
                             "max_length")

    @property
    def special_counts(self) -> tuple[int, int]:
        """The numbers of special tokens before and after a text."""
        return self._frame.prefix.shape[1], self._frame.suffix.shape[1]

    def __call__(self, texts: list, prompt: str = "", pool_prompt: bool = True) -> list[TextIds]:
        """The token ids of texts; a text without tokens gets one special token. Raises TypeError for other items."""
        kinds = {kind_of(text, index) for index, text in enumerate(texts)}
        if len(kinds) > 1:
            return [self([text], prompt, pool_prompt)[0] for text in texts]
        if not texts:
            return []
        if kinds == {"list"}:
            return [self._of_tokens(tokens) for tokens in texts]
        rows = self._of_texts(texts, kinds == {"tuple"}, prompt)
        skip = 0 if pool_prompt or not prompt else self._prompt_tokens(prompt)
        return [self._never_empty(ids, types, skip) for ids, types in rows]

    def of_ids(self, first: Sequence[int], second: Sequence[int] | None = None) -> TextIds:
        """The same for an already tokenized text or pair: special tokens are added, and the longer text of a pair is
        truncated, as in BERT."""
        return self._never_empty(*self._frame.around(first, second, self.max_length), 0)

    def _of_texts(self, texts: list, pairs: bool, prompt: str):
        first = [prompt + (text[0] if pairs else text) for text in texts]
        second = [text[1] for text in texts] if pairs else None
        if self.lowercase:
            first, second = [text.lower() for text in first], second and [text.lower() for text in second]
        batch = self.tokenizer(first, second, self.max_length, padding=False,
                               truncation="longest_first" if self.max_length else False)
        return zip(batch["input_ids"], batch["token_type_ids"])

    def _of_tokens(self, tokens: list[str]) -> TextIds:
        if unknown := next((token for token in tokens if " " in token and token not in self.tokenizer.vocab), None):
            warnings.warn(f"{unknown[:40]!r}, in a list of tokens, is not a token, and becomes the unknown token; pass "
                          "texts as one flat list, and pairs as tuples", stacklevel=2)
        first, second = divide(tokens)
        return self.of_ids(self._ids(first), None if second is None else self._ids(second))

    def _ids(self, tokens: list[str]) -> list[int]:
        return self.tokenizer.convert_tokens_to_ids(tokens) if tokens else []

    def _prompt_tokens(self, prompt: str) -> int:
        """The number of tokens of a prompt, including special tokens before it."""
        prompt = prompt.lower() if self.lowercase else prompt
        return self.special_counts[0] + len(self.tokenizer.tokenize(prompt))

    def _never_empty(self, ids, types, skip: int) -> TextIds:
        if not len(ids):
            tokenizer = self.tokenizer
            candidates = (tokenizer.eos_token_id, tokenizer.unk_token_id, 0)
            ids = np.array([next(each for each in candidates if each is not None)], np.int32)
            types = np.zeros(1, np.int32)
        return TextIds(ids, types, min(skip, len(ids) - 1))


def kind_of(text, index: int) -> str:
    """"str", "tuple" for a pair, or "list" for a list of tokens. Raises TypeError for other items."""
    if isinstance(text, str):
        return "str"
    if isinstance(text, tuple) and len(text) == 2 and all(isinstance(part, str) for part in text):
        return "tuple"
    if isinstance(text, list) and all(isinstance(token, str) for token in text):
        return "list"
    raise TypeError(f"text {index} is {type(text).__name__} {str(text)[:40]!r}; expected a str, a pair (tuple of two "
                    "str), or a list of tokens (list of str): convert it")
