"""Encoding of texts and pairs of texts, with the special tokens of the family or those of GPT.

GPT's task-specific input transformations (Radford et al. 2018, section 3.3, figure 1):

    classification  <start> text <extract>
    entailment      <start> premise <delimiter> hypothesis <extract>
    similarity      <start> text 1 <delimiter> text 2 <extract>  +  <start> text 2 <delimiter> text 1 <extract>
    choice          <start> context <delimiter> answer N <extract>, for each N

In a decoder the last token, <extract>, is the only one that attends to all others.
"""

from collections.abc import Sequence

import numpy as np

from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.frame import Frame

START, DELIMITER, EXTRACT = TOKENS = ("<start>", "<delimiter>", "<extract>")


def add_gpt_tokens(tokenizer: Tokenizer) -> None:
    """Adds the three tokens; the model then needs `len(tokenizer)` embeddings."""
    tokenizer.add_tokens(TOKENS, special=True)


def gpt_frame(tokenizer: Tokenizer) -> Frame | None:
    """The frame of the three tokens; None for a tokenizer without them."""
    if EXTRACT not in tokenizer.vocab:
        return None
    return Frame.of_ids(*(tokenizer.convert_tokens_to_ids(token) for token in TOKENS))


def encode_pairs(tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, max_length: int,
                 frame: Frame | None = None) -> dict[str, list[np.ndarray]]:
    """`input_ids` and `token_type_ids`, int32 `[T_i]`, of texts or pairs, truncated to `max_length` tokens.

    frame: the special tokens around them; None: those of the tokenizer. The longer text of a pair is truncated first.
    """
    if frame is None:
        return tokenizer(texts, pairs, max_length=max_length, padding=False)
    parts = [tokenizer(side, add_special_tokens=False, padding=False, truncation=False)["input_ids"]
             for side in ((texts,) if pairs is None else (texts, pairs))]
    rows = [frame.around(*pieces, most=max_length) for pieces in zip(*parts)]
    return {"input_ids": [ids for ids, _ in rows], "token_type_ids": [types for _, types in rows]}
