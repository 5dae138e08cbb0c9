"""GPT's task-specific input transformations (Radford et al. 2018, section 3.3, figure 1).

    classification  <start> text <extract>
    entailment      <start> premise <delimiter> hypothesis <extract>
    similarity      <start> text 1 <delimiter> text 2 <extract>  +  <start> text 2 <delimiter> text 1 <extract>
    choice          <start> context <delimiter> answer N <extract>, for each N

A decoder sees only backwards, so that the state of the last token, <extract>, has seen all.
"""

from collections.abc import Sequence

import numpy as np

from tfplm.tokenizers import Tokenizer

START, DELIMITER, EXTRACT = TOKENS = ("<start>", "<delimiter>", "<extract>")


def add_gpt_tokens(tokenizer: Tokenizer) -> None:
    """Adds the three tokens; the model then needs `len(tokenizer)` embeddings."""
    tokenizer.add_tokens(TOKENS, special=True)


def has_gpt_tokens(tokenizer: Tokenizer) -> bool:
    return EXTRACT in tokenizer.vocab


def encode(tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int
           ) -> dict[str, list[np.ndarray]]:
    """`input_ids` and `token_type_ids`, int32 `[T_i]`, of texts or pairs: framed by the three tokens where the tokenizer
    has them, else as the family does it. The longer text of a pair is cut first."""
    if not has_gpt_tokens(tokenizer):
        return tokenizer(texts, pairs, max_length=max_length, padding=False)
    start, delimiter, extract = (tokenizer.convert_tokens_to_ids(token) for token in TOKENS)
    parts = [tokenizer(side, add_special_tokens=False, padding=False, truncation=False)["input_ids"]
             for side in ((texts,) if pairs is None else (texts, pairs))]
    rows = []
    for pieces in zip(*parts):
        if len(pieces) == 1:
            rows.append([start, *pieces[0][:max_length - 2], extract])
            continue
        first, second = _cut(*pieces, max_length - 3)
        rows.append([start, *first, delimiter, *second, extract])
    ids = [np.array(row, np.int32) for row in rows]
    return {"input_ids": ids, "token_type_ids": [np.zeros_like(row) for row in ids]}


def _cut(first: np.ndarray, second: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """The ends of both cut off until they fit, of the longer one first."""
    half = room // 2
    short = min(len(first), len(second), half)
    if len(first) >= len(second):
        return first[:room - min(len(second), max(short, room - len(first)))], second[:max(short, room - len(first))]
    return first[:max(short, room - len(second))], second[:room - min(len(first), max(short, room - len(second)))]
