"""The tokenizer of every model family: text to int32 ids and back."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken
from tokenizers import Tokenizer as Backend

from tfplm.core.tokenizer_rules import ROLES, TokenizerRules
from tfplm.families import registry
from tfplm.tokenizers import backends, batches, directory, files, saving, sentencepiece_file
from tfplm.tokenizers.original.pieces import Pieces, Row
from tfplm.tokenizers.vocabulary import Vocabulary


class Tokenizer(Vocabulary):
    """Converts text to the int32 arrays that the models take, and back.

    Create one with `from_pretrained(directory)`, or from single files with `from_vocab`, `from_bpe` and
    `from_sentencepiece`. The Rust library `tokenizers` does the work, a whole batch at a time, but WordPiece finds the
    pieces of Google's code, and SentencePiece those of the library `sentencepiece`, in every text.

    Attributes: `family` (the name of the rules, such as "bert"), `padding_side`, `model_max_length` (in tokens; None
    if the model has no limit), `vocab`, `vocab_size` (= `len(tokenizer)`, the number of rows that the model's embedding
    needs), and for each of bos, eos, unk, sep, pad, cls, mask the token and its id, such as `mask_token` and
    `mask_token_id`; None if the family has no such token. A family without a padding token (GPT) pads with its
    end-of-text or unknown token.
    """

    # ---- construction

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike) -> "Tokenizer":
        """Loads a tokenizer from a directory of Hugging Face, Google, OpenAI or `save_pretrained`, or by its hub name.

        It reads `tokenizer.json`, `vocab.txt`, `vocab.json` + `merges.txt`, `encoder.json` + `vocab.bpe`, or a
        SentencePiece `*.model`, and in addition `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`
        and `config.json`, whose `model_type` determines the positions of the special tokens. A single `vocab.txt`,
        `tokenizer.json` or `.model` file is read together with the configuration next to it. Raises FileNotFoundError,
        naming the expected files, if there is none.
        """
        path = Path(source)
        if not path.exists():
            path = registry.resolve(source)
        if not path.is_dir() and (not path.is_file() or path.suffix == ".keras"):
            path = path.parent  # a model or checkpoint is in the folder of its vocabulary
        return directory.load(cls, path)

    @classmethod
    def from_vocab(cls, path: str | os.PathLike, lowercase: bool | None = None, strip_accents: bool | None = None,
                   tokenize_chinese_chars: bool = True, model_type: str | None = None, **special: str) -> "Tokenizer":
        """Loads WordPiece from a `vocab.txt`. `lowercase=None`: False if the vocabulary has capital letters.

        `model_type`: the family whose special tokens are added to a text (default: BERT).
        `special` replaces special tokens of the family, such as `mask_token="[BLANK]"`.

        Texts get the pieces of Google's `tokenization.py`, except that special and added tokens in a text stay whole.
        A vocabulary in another encoding than UTF-8, or without the token for unknown words, is a ValueError; blank and
        repeated lines, counts in a second column and missing special tokens are logged.
        """
        vocab = files.read_vocab(Path(path))
        lowercase = not backends.has_upper_case(vocab) if lowercase is None else lowercase
        settings = {"do_lower_case": lowercase, "strip_accents": strip_accents,
                    "tokenize_chinese_chars": tokenize_chinese_chars}
        backend = backends.wordpiece(vocab, lowercase, strip_accents, tokenize_chinese_chars,
                                     str(special.get("unk_token", "[UNK]")))
        rules = directory.rules_or_default(model_type, "wordpiece")
        backends.report_missing(vocab, rules, special, str(path))
        return cls._assemble(backend, rules, special, settings)

    @classmethod
    def from_bpe(cls, vocab: str | os.PathLike, merges: str | os.PathLike, model_type: str | None = None,
                 add_prefix_space: bool = False, **special: str) -> "Tokenizer":
        """Loads BPE (byte-level unless GPT-1's) from `vocab.json` and `merges.txt` (or `encoder.json`, `vocab.bpe`)."""
        backend = backends.bpe(Path(vocab), Path(merges), add_prefix_space)
        kind = backends.kind_of(backend)
        rules = registry.rules_for(model_type) if model_type else directory.guess_rules(kind, backend.get_vocab())
        settings = {"add_prefix_space": add_prefix_space} if kind == "byte_bpe" else {}
        return cls._assemble(backend, rules, special, settings)

    @classmethod
    def from_sentencepiece(cls, path: str | os.PathLike, model_type: str | None = None, lowercase: bool | None = None,
                           keep_accents: bool = False, src_lang: str = "en_XX", **special: str) -> "Tokenizer":
        """Loads a SentencePiece `.model` file; the ids are SentencePiece's own, in the layout of `model_type`.

        `model_type` is T5 by default. `lowercase` and `keep_accents` apply to ALBERT (lower-cased by default) and XLNet
        (cased), `src_lang` to mBART.
        """
        data = Path(path).read_bytes()
        family = directory.rules_or_default(model_type, "sentencepiece")
        lowercase = family.lower_case if lowercase is None else lowercase
        backend = sentencepiece_file.build(sentencepiece_file.parse(data, str(path)), family, lowercase, keep_accents)
        settings: dict = {"do_lower_case": lowercase, "keep_accents": keep_accents} if family.clean else {}
        if family.extra_ids:
            settings["extra_ids"] = len(family.tail)
        if "{lang}" in family.single:
            settings["src_lang"] = src_lang
        tokenizer = cls._assemble(backend, family, special, settings)
        tokenizer.sentencepiece_model = data
        return tokenizer

    @classmethod
    def _assemble(cls, backend: Backend, family: TokenizerRules, special: Mapping[str, str | AddedToken], settings: dict):
        """Adds special tokens and the template to a bare backend.

        A special token given as a string must be in the vocabulary; an AddedToken is added to it.
        """
        vocab = backend.get_vocab()
        # the mask token includes the space before it: fairseq's models were trained without that space
        tokens = {role: AddedToken(token, normalized=False, special=True,
                                   lstrip=role == "mask" and family.kind == "byte_bpe")
                  for role, token in family.tokens.items() if token in vocab}
        for key, token in special.items():
            role = key.removesuffix("_token")
            if role not in ROLES or role == key:
                raise TypeError(f"unknown special token '{key}'; known are {', '.join(r + '_token' for r in ROLES)}")
            if isinstance(token, str) and token not in vocab:
                raise ValueError(f"{key} '{token}' is not in the vocabulary of {len(vocab)} tokens")
            tokens[role] = AddedToken(token, special=True) if isinstance(token, str) else token
        extra = [AddedToken(token, normalized=False, special=True) for token in family.extra if token in vocab]
        backend.add_special_tokens([*tokens.values(), *extra])
        roles = {role: token.content for role, token in tokens.items()}
        backends.set_template(backend, family, {**family.tokens, **roles}, settings.get("src_lang"))
        return cls(backend, family.name, roles, settings)

    # ---- text to ids

    def __call__(self, texts: str | Sequence, pairs: str | Sequence | None = None, max_length: int | None = None,
                 padding: str | int | bool = "longest", truncation: str | bool = "longest_first",
                 **details) -> dict[str, Any]:
        """Encodes a batch of texts or text pairs as `input_ids`, `attention_mask`, `token_type_ids`: int32 [B,T].

        Args:
            texts: a text or a list of texts; a single text gives a batch of one.
            pairs: the second texts of pairs.
            max_length: the maximum number of tokens in a row, including special tokens; longer texts are truncated.
            padding: "longest"; "max_length"; an int, of which the width is a multiple (8: 8, 16, 24, ...); False
                returns lists of arrays.
            truncation: the text of a pair to truncate: "longest_first", "only_first", "only_second"; False truncates
                nothing and checks no limit.
            details: the fields of `batches.Details`: stride, add_special_tokens, is_split_into_words, return_offsets,
                return_special_tokens_mask, return_word_ids.

        Raises ValueError for a text longer than `model_max_length`, unless `max_length` is given or `truncation` is
        False.
        """
        rarer = batches.Details(**details)
        inputs = batches.as_inputs(texts, pairs, rarer.is_split_into_words)
        strategy = batches.check_strategy(truncation)
        encodings, origins = self._encode(inputs, max_length, strategy, rarer)
        lengths = np.fromiter(map(len, encodings), np.int64, len(encodings))
        self._check_lengths(lengths, max_length, strategy)
        limit = self.model_max_length if max_length is None else max_length
        width = None if padding is False else batches.width_of(int(lengths.max(initial=0)), padding, limit)
        rows = batches.Rows(lengths, width, self.padding_side)
        segments = self.rules.segments and (pairs is not None or ":" in self.rules.single)
        batch = batches.to_arrays(encodings, rows, rarer, (self.pad_token_id or 0, self.rules.pad_segment), segments)
        if rarer.stride is not None:
            batch["overflow_to_sample_mapping"] = np.array(origins, np.int32)
        return batch

    def _encode(self, inputs: list, max_length: int | None, strategy: str | None, details: batches.Details):
        """The encodings of all rows, and the index of the text of each row."""
        limits = None
        if strategy is not None and max_length is not None:
            self._check_cut(inputs, max_length, strategy, details)
            limits = {"max_length": max_length, "stride": details.stride or 0, "strategy": strategy}
        elif details.stride is not None:
            raise ValueError("stride needs max_length, and truncation other than False")
        found = self._found_pieces(inputs, details)
        encodings = self._call(self._word_backend if details.is_split_into_words else self._backend,
                               [row for index, row in enumerate(inputs) if index not in found] if found else inputs,
                               limits, details, details.is_split_into_words)
        if found:
            ready = [tuple(part.tokens for part in row) if len(row) > 1 else row[0].tokens for row in found.values()]
            made = zip(found.items(), self._call(self._piece_backend, ready, limits, details, True))
            rows = {index: Row(row, parts) if details.need_text else row for (index, parts), row in made}
            rest = iter(encodings)
            encodings = [rows[index] if index in rows else next(rest) for index in range(len(inputs))]
        if details.stride is None:
            return encodings, None
        flat = [(e, i) for i, first in enumerate(encodings) for e in (first, *first.overflowing)]
        return [e for e, _ in flat], [i for _, i in flat]

    def _call(self, backend: Backend, inputs: list, limits: dict | None, details: batches.Details, split: bool) -> list:
        if not inputs:
            return []
        call = backend.encode_batch if details.need_text else backend.encode_batch_fast
        with self._lock:  # truncation is part of the backend's state
            if limits is not None:
                backend.enable_truncation(**limits)
            try:
                return call(inputs, is_pretokenized=split, add_special_tokens=details.add_special_tokens)
            except Exception as error:  # the Rust library has no exception classes
                settings = ", ".join(f"{key}={value!r}" for key, value in (limits or {"truncation": False}).items())
                raise ValueError(f"{error} ({settings})") from error
            finally:
                backend.no_truncation()

    def _found_pieces(self, inputs: list, details: batches.Details) -> dict[int, list[Pieces]]:
        """The pieces of the texts of those rows that the Rust library would treat otherwise than the original code."""
        if self._finder is None:
            return {}
        split = details.is_split_into_words
        rows = {index: list(row) if isinstance(row, tuple) else [row] for index, row in enumerate(inputs)}
        rows = {index: row for index, row in rows.items()
                if any(self._finder.takes(" ".join(part) if split else part) for part in row)}
        texts = [text for row in rows.values() for part in row for text in (part if split else [part])]
        found = iter(self._finder.pieces(texts, details.need_text))
        return {index: [Pieces.of_words([next(found) for _ in part]) if split else next(found) for part in row]
                for index, row in rows.items()}

    def _check_cut(self, inputs: list, max_length: int, strategy: str, details: batches.Details) -> None:
        pair = bool(inputs) and isinstance(inputs[0], tuple)
        special = self._backend.num_special_tokens_to_add(pair) if details.add_special_tokens else 0
        if max_length <= special:
            raise ValueError(f"max_length={max_length} leaves no room for text: {special} special tokens are added")
        if (details.stride or 0) >= max_length - special:
            raise ValueError(f"stride={details.stride} must be less than the {max_length - special} tokens of text "
                             f"that max_length={max_length} leaves")
        if strategy == "only_second" and not pair:
            raise ValueError('truncation="only_second" needs pairs')

    def _check_lengths(self, lengths: np.ndarray, max_length: int | None, strategy: str | None) -> None:
        limit = max_length if max_length is not None else self.model_max_length if strategy else None
        if limit is None or not len(lengths) or lengths.max() <= limit:
            return
        row = int(lengths.argmax())
        if max_length is not None:
            advice = f"truncation={strategy or False!r} does not cut it: use 'longest_first', or a larger max_length"
        else:
            advice = (f"the model takes {limit}: pass max_length={limit} to truncate longer texts (stride=... to split "
                      "them into several rows), or truncation=False to keep them whole")
        raise ValueError(f"text {row} has {lengths[row]} tokens, more than {limit}; {advice}")

    def tokenize(self, text: str) -> list[str]:
        """The pieces of a text, without special tokens."""
        texts = batches.as_inputs(text, None, False)
        found = self._found_pieces(texts, batches.Details())
        return found[0][0].tokens if found else self._backend.encode(texts[0], add_special_tokens=False).tokens

    def save_pretrained(self, path: str | os.PathLike) -> None:
        """Writes the files that `from_pretrained`, Hugging Face and (WordPiece) google-research/bert read."""
        saving.save(self, Path(path))

    def __repr__(self):
        return f"Tokenizer(family={self.family!r}, vocab_size={len(self)}, model_max_length={self.model_max_length})"
