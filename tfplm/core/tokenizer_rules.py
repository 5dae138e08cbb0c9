"""What the tokenizers of the model families differ in: special tokens, templates, padding side, SentencePiece layout.

A template names roles in braces: `{cls} $A {sep}`; `:1` is the segment (token type) of a piece, 0 when not written.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
Kind = Literal["wordpiece", "byte_bpe", "bpe", "sentencepiece"]


@dataclasses.dataclass(frozen=True)
class TokenizerRules:
    """The rules of one family, which stand in its file.

    `head`, `skip` and `tail` turn the pieces of a SentencePiece file into the vocabulary: `head + pieces[skip:] +
    tail`. fairseq's models (XLM-R, mBART, CamemBERT) have their own special tokens before SentencePiece's.
    """

    name: str  # a model type, or a name of their own
    kind: Kind
    tokens: dict[str, str]  # role -> token
    single: str = "$A"
    pair: str = "$A $B"
    segments: bool = False  # token type ids have a meaning
    pad_segment: int = 0
    padding_side: Literal["left", "right"] = "right"
    extra: tuple[str, ...] = ()  # special tokens without a role
    head: tuple[str, ...] = ()
    skip: int = 0
    tail: tuple[str, ...] = ()
    clean: bool = False  # XLNet's and ALBERT's own normalization, before SentencePiece's
    lower_case: bool = False
    positions: bool = True  # False: relative positions, so no text is too long
    reserved_positions: int = 0  # rows of the position table that no token uses
    decoder_start: str = ""  # the role of a decoder's first token, where it is neither the class token nor padding
    tokenizer_class: str = "PreTrainedTokenizerFast"  # the name in Hugging Face's tokenizer_config.json
    file_name: str = ""  # of the SentencePiece model

    # which rules a directory's tokenizer has
    also: tuple[str, ...] = ()  # further model types that have these rules, and no file of their own
    class_decides: bool = False  # the tokenizer_class tells, for the model's config names another model type
    signs: tuple[str, ...] = ()  # tokens that tell, where no configuration does; of several rules the one with most
    # what the rules are taken for without such signs: "reading" a directory, "learning" a vocabulary of their kind, or the
    # name of a file
    default_for: tuple[str, ...] = ()
    extra_ids: bool = False  # tokenizer_config.json counts the sentinels of `tail` under this key
    without_extra_ids: str = ""  # the rules that are meant where the count is 0
    layout: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of a learned SentencePiece model: its ids
