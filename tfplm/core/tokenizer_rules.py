"""Differences between the tokenizers of model families: special tokens, templates, padding side, SentencePiece layout.

A template names roles in braces: `{cls} $A {sep}`; `:1` is the segment (token type) of a piece; default 0.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
Kind = Literal["wordpiece", "byte_bpe", "bpe", "sentencepiece"]


@dataclasses.dataclass(frozen=True)
class TokenizerRules:
    """The tokenizer rules of one family, from its file in `tfplm.families`.

    `head`, `skip` and `tail` turn the pieces of a SentencePiece file into the vocabulary: `head + pieces[skip:] +
    tail`. fairseq's models (XLM-R, mBART, CamemBERT) have their own special tokens before SentencePiece's.
    """

    name: str  # the model type; of further rules of a family another name
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

    # how the rules of a directory's tokenizer are found
    also: tuple[str, ...] = ()  # further model types with these rules, which have no file
    class_decides: bool = False  # the tokenizer_class wins over the model_type, which is another family's
    signs: tuple[str, ...] = ()  # tokens that identify the rules without a configuration; the rules with most of them win
    # the rules are the default of their kind for "reading" a directory, for "learning" a vocabulary, or for a file name
    default_for: tuple[str, ...] = ()
    extra_ids: bool = False  # tokenizer_config.json holds the number of sentinels in `tail` under this key
    without_extra_ids: str = ""  # the rules for a directory where that number is 0
    layout: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # ids of a learned SentencePiece model

    def with_(self, name: str, **changes) -> "TokenizerRules":
        """The rules of another family; how rules are found is not inherited."""
        found = {"also": (), "class_decides": False, "signs": (), "default_for": ()}
        return dataclasses.replace(self, name=name, **{**found, **changes})
