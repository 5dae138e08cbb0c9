"""Tokenizer rules of model families: special tokens, templates, padding side, layout of SentencePiece vocabularies.

Templates have roles in braces: `{cls} $A {sep}`; `:1` is the segment (token type) of a part (default: 0).
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
Kind = Literal["wordpiece", "byte_bpe", "bpe", "sentencepiece"]


@dataclasses.dataclass(frozen=True)
class TokenizerRules:
    """The tokenizer rules of one family, from its file in `tfplm.families`.

    The vocabulary of a SentencePiece file is `head + pieces[skip:] + tail`. The models of fairseq (XLM-R, mBART,
    CamemBERT) have additional special tokens before those of SentencePiece.
    """

    name: str  # the model type; additional rules of a family have other names
    kind: Kind
    tokens: dict[str, str]  # role -> token
    single: str = "$A"
    pair: str = "$A $B"
    segments: bool = False  # the model uses token type ids
    pad_segment: int = 0
    padding_side: Literal["left", "right"] = "right"
    extra: tuple[str, ...] = ()  # special tokens without a role
    head: tuple[str, ...] = ()
    skip: int = 0
    tail: tuple[str, ...] = ()
    clean: bool = False  # apply the normalization of XLNet and ALBERT before that of SentencePiece
    lower_case: bool = False
    positions: bool = True  # False: relative positions, so the length of texts is not limited
    reserved_positions: int = 0  # rows of the position table that no token uses
    decoder_start: str = ""  # role of the first token of a decoder, if it is neither the class token nor padding
    tokenizer_class: str = "PreTrainedTokenizerFast"  # name in Hugging Face's tokenizer_config.json
    file_name: str = ""  # of the SentencePiece model

    # how the rules for the tokenizer of a directory are found
    also: tuple[str, ...] = ()  # additional model types with these rules, which have no file
    class_decides: bool = False  # the tokenizer_class has priority over the model_type, which is that of another family
    signs: tuple[str, ...] = ()  # tokens that identify the rules without a configuration; those with most of them count
    # the rules are the default of their kind for "reading" a directory, for "learning" a vocabulary, or for a file name
    default_for: tuple[str, ...] = ()
    extra_ids: bool = False  # tokenizer_config.json has the number of sentinels in `tail` under this key
    without_extra_ids: str = ""  # the rules for a directory in which this number is 0
    layout: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # ids of a learned SentencePiece model

    def with_(self, name: str, **changes) -> "TokenizerRules":
        """The rules for another family; the fields by which rules are found are not inherited."""
        found = {"also": (), "class_decides": False, "signs": (), "default_for": ()}
        return dataclasses.replace(self, name=name, **{**found, **changes})
