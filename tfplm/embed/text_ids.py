"""Texts, pairs and lists of tokens to token ids, each cut to the model's length."""

import numpy as np

from tfplm.embed.rows import TextIds
from tfplm.tokenizers import Tokenizer


class TextReader:
    """`reader(texts)`: a `TextIds` for each text.

    A text is a str; a pair of them as a tuple; or a list of tokens, which are looked up in the vocabulary as they are
    (an unknown one becomes the unknown token) and get the special tokens around.
    """

    def __init__(self, tokenizer: Tokenizer, max_length: int | None, lowercase: bool = False):
        self.tokenizer, self.max_length, self.lowercase = tokenizer, max_length, lowercase
        self._frame = _Frame(tokenizer)
        special = len(self._frame.prefix) + len(self._frame.suffix)
        if max_length is not None and max_length <= special:
            raise ValueError(f"max_length is {max_length}: it leaves no room for text beside the {special} special "
                             "tokens")

    def __call__(self, texts: list, prompt: str = "", pool_prompt: bool = True) -> list[TextIds]:
        """ValueError or TypeError for what is no text; a text without tokens gets one special token."""
        kinds = {_kind_of(text, number) for number, text in enumerate(texts)}
        if len(kinds) > 1:
            return [self([text], prompt, pool_prompt)[0] for text in texts]
        if not texts:
            return []
        rows = map(self._of_tokens, texts) if kinds == {"list"} else self._of_texts(texts, kinds == {"tuple"}, prompt)
        skip = 0 if pool_prompt or not prompt else self._prompt_tokens(prompt)
        return [self._never_empty(ids, types, skip) for ids, types in rows]

    def _of_texts(self, texts: list, pairs: bool, prompt: str):
        first = [prompt + (text[0] if pairs else text) for text in texts]
        second = [text[1] for text in texts] if pairs else None
        if self.lowercase:
            first, second = [text.lower() for text in first], second and [text.lower() for text in second]
        batch = self.tokenizer(first, second, self.max_length, padding=False,
                               truncation="longest_first" if self.max_length else False)
        return zip(batch["input_ids"], batch["token_type_ids"])

    def _of_tokens(self, tokens: list[str]):
        first, second = self._halves(tokens)
        return self._frame.around(self._ids(first), None if second is None else self._ids(second), self.max_length)

    def _ids(self, tokens: list[str]) -> list[int]:
        return self.tokenizer.convert_tokens_to_ids(tokens) if tokens else []

    @staticmethod
    def _halves(tokens: list[str]):
        if "|||" not in tokens:
            return tokens, None
        place = len(tokens) - 1 - tokens[::-1].index("|||")
        return tokens[:place], tokens[place + 1:]

    def _prompt_tokens(self, prompt: str) -> int:
        """Tokens of a prompt, special tokens before it included."""
        prompt = prompt.lower() if self.lowercase else prompt
        return len(self._frame.prefix) + len(self.tokenizer.tokenize(prompt))

    def _never_empty(self, ids, types, skip: int) -> TextIds:
        if not len(ids):
            tokenizer = self.tokenizer
            ids = np.array([next(number for number in (tokenizer.eos_token_id, tokenizer.unk_token_id, 0)
                                 if number is not None)], np.int32)
            types = np.zeros(1, np.int32)
        return TextIds(ids, types, min(skip, len(ids) - 1))


def _kind_of(text, number: int) -> str:
    if isinstance(text, str):
        return "str"
    if isinstance(text, tuple) and len(text) == 2 and all(isinstance(part, str) for part in text):
        return "tuple"
    if isinstance(text, list) and all(isinstance(token, str) for token in text):
        return "list"
    raise TypeError(f"text {number} is {type(text).__name__} {str(text)[:40]!r}: expected a str, a pair (tuple of two "
                    "str), or a list of tokens (list of str)")


class _Frame:
    """The special tokens that the tokenizer puts around a text, and between and around the texts of a pair."""

    def __init__(self, tokenizer: Tokenizer):
        self.prefix, self.suffix, _ = _around(tokenizer("a", return_special_tokens_mask=True, truncation=False))
        pair = tokenizer("a", "a", return_special_tokens_mask=True, truncation=False)
        before, after, text = _around(pair)
        types = pair["token_type_ids"][0]
        if not len(text):  # the vocabulary has no "a", nor an unknown token
            self.pair, self.pair_types = (self.prefix, self.suffix, self.suffix), (types, types)
            return
        gap = next((place for place in range(1, len(text)) if text[place] != text[place - 1] + 1), len(text) // 2)
        self.pair = before, pair["input_ids"][0][text[gap - 1] + 1:text[gap]].tolist(), after
        self.pair_types = (types[:text[gap]], types[text[gap]:]) if len(text) > 1 else (types, types)

    def around(self, first: list[int], second: list[int] | None, most: int | None):
        """(ids, types): cut from the right, a pair's longer side first."""
        if second is None:
            room = None if most is None else most - len(self.prefix) - len(self.suffix)
            ids = np.array([*self.prefix, *first[:room], *self.suffix], np.int32)
            return ids, np.zeros_like(ids)
        before, between, after = self.pair
        first, second = list(first), list(second)
        while most is not None and (first or second) \
                and len(before) + len(between) + len(after) + len(first) + len(second) > most:
            (first if len(first) > len(second) else second).pop()
        left, right = [*before, *first, *between], [*second, *after]
        types = [self.pair_types[0][-1]] * len(left) + [self.pair_types[1][-1]] * len(right)
        return np.array([*left, *right], np.int32), np.array(types, np.int32)


def _around(batch: dict) -> tuple[list[int], list[int], np.ndarray]:
    """(special tokens before, after, places of the text)."""
    ids, text = batch["input_ids"][0], np.flatnonzero(batch["special_tokens_mask"][0] == 0)
    if not len(text):  # a vocabulary that has no "a"
        return [], ids.tolist(), text
    return ids[:text[0]].tolist(), ids[text[-1] + 1:].tolist(), text
