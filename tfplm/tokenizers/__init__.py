"""Tokenizers: text to int32 ids and back."""

from tfplm.tokenizers.tokenizer import Tokenizer

__all__ = ["Tokenizer"]
