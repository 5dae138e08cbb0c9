"""Tokenizers for models in which no text has special tokens: a given one, and one with fewer tokens."""

import json
import re

import numpy as np
from tokenizers import Tokenizer as Backend

from tfplm.tokenizers import backends, directory
from tfplm.tokenizers.tokenizer import Tokenizer


def plain(backend: Backend) -> Tokenizer:
    """A tokenizer that adds nothing to a text. Its family is the one that has most of its tokens."""
    vocab = backend.get_vocab()
    rules = directory.guess_rules(backends.kind_of(backend), vocab)
    roles = {role: token for role, token in rules.tokens.items() if token in vocab}
    return Tokenizer(Backend.from_str(backend.to_str()), rules.name, roles)


def pruned(tokenizer: Tokenizer, remove: str | None = None) -> tuple[Tokenizer, str, np.ndarray]:
    """(a tokenizer with fewer tokens, the content of its tokenizer.json, the old id of each new token, int32 `[V]`).

    Special tokens are removed, except those for unknown words and padding, and the tokens whose start matches the
    regular expression `remove`; the others keep their order. Nothing is added around a text, and its first word is
    treated as the others are: with a space before it, where the vocabulary knows words by that space.

    Raises ValueError for an expression that is none, or that leaves no tokens.
    """
    spec = json.loads(tokenizer._backend.to_str())
    model, added = spec["model"], {token["content"]: token for token in spec["added_tokens"]}
    unknown = {model.get("unk_token"), tokenizer.unk_token, tokenizer.pad_token}
    dropped = {content for content, token in added.items() if token["special"]} - unknown
    dropped |= {token for token in tokenizer.vocab if _matches(remove, token)} - unknown - _merged(model)
    kept = sorted((token_id, token) for token, token_id in tokenizer.vocab.items() if token not in dropped)
    if not any(token not in unknown for _, token in kept):
        raise ValueError(f"none of the {len(tokenizer.vocab):,} tokens is left without special tokens and those that match "
                         f"{remove!r}; expected some: change --remove")
    new = {token: index for index, (_, token) in enumerate(kept)}
    spec["model"] = _smaller(model, new)
    spec["added_tokens"] = [{**token, "id": new[content]} for content, token in added.items() if content in new]
    spec["added_tokens"].sort(key=lambda token: token["id"])
    spec |= {"post_processor": None, "truncation": None, "padding": None}
    _add_space(spec["pre_tokenizer"])
    text, ids = json.dumps(spec, ensure_ascii=False), np.array([token_id for token_id, _ in kept], np.int32)
    roles = {role: token for role, token in tokenizer._roles.items() if token in new}
    return Tokenizer(Backend.from_str(text), tokenizer.family, roles, tokenizer.settings), text, ids


def _matches(pattern: str | None, token: str) -> bool:
    try:
        return pattern is not None and re.match(pattern, token) is not None
    except re.error as error:
        raise ValueError(f"remove is {pattern!r}, which is not a regular expression ({error}); expected one such as "
                         r"\[unused\d+\]: change it") from None


def _merged(model: dict) -> set[str]:
    """The tokens that the merges of a BPE need."""
    pairs = (pair if isinstance(pair, list) else pair.split(" ") for pair in model.get("merges") or ())
    return {piece for left, right in pairs for piece in (left, right, left + right)}


def _smaller(model: dict, new: dict[str, int]) -> dict:
    """The model with the kept tokens of its own vocabulary, whose numbers are those of `new`."""
    if isinstance(model["vocab"], dict):
        return {**model, "vocab": {token: new[token] for token in model["vocab"] if token in new}}
    pieces = [piece for piece in model["vocab"] if piece[0] in new]  # Unigram: (piece, score), whose order is the id
    unknown = None if model.get("unk_id") is None else model["vocab"][model["unk_id"]][0]
    return {**model, "vocab": pieces, "unk_id": None if unknown is None else new[unknown]}


def _add_space(part: dict | None) -> None:
    """Sets the space before the first word in a pre-tokenizer, or in the parts of one."""
    if part is None:
        return
    for inner in part.get("pretokenizers", ()):
        _add_space(inner)
    if "add_prefix_space" in part:
        part["add_prefix_space"] = True
    if part.get("prepend_scheme") == "never":
        part["prepend_scheme"] = "always"
