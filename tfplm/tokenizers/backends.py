"""Builders of the Rust tokenizers: WordPiece, byte-level BPE and plain BPE from their vocabulary files."""

import logging
from collections.abc import Collection
from pathlib import Path

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from tfplm.core.tokenizer_rules import Kind, TokenizerRules
from tfplm.tokenizers.files import read_ids, read_merges
from tfplm.tokenizers.original.google import LONGEST_WORD


def has_upper_case(vocab: dict[str, int]) -> bool:
    """Returns True if a word of the vocabulary has a capital letter, that is, if the model is cased.

    Google's rule depends on the name of the checkpoint, which users may change. Chinese BERT is lower-cased.
    """
    return any(token != token.lower() for token in vocab if token[:1] not in "[<" and not token.startswith("##"))


def wordpiece(vocab: dict[str, int], lower_case: bool, strip_accents: bool | None = None,
              chinese_characters: bool = True, unknown: str = "[UNK]") -> Backend:
    """BERT's basic tokenization and greedy longest-match WordPiece (Devlin et al. 2019; google-research/bert).

    `strip_accents=None` means the value of `lower_case`; `chinese_characters` makes every CJK ideograph a single word.
    Raises ValueError for a vocabulary without the token for unknown words.
    """
    if unknown not in vocab:
        first = [token[:16] for token in list(vocab)[:3]]
        other = next((f"; if {token!r} is that token, pass unk_token={token!r}" for token in vocab
                      if "unk" in token.lower() and "unused" not in token and len(token) < 8), "")
        raise ValueError(f"the vocabulary of {len(vocab)} tokens has no {unknown}, the token for unknown words: "
                         f"expected BERT's vocab.txt, one token per line; this one starts with {first}{other}")
    backend = Backend(models.WordPiece(vocab, unk_token=unknown, max_input_chars_per_word=LONGEST_WORD))
    backend.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=chinese_characters,
                                                    strip_accents=strip_accents, lowercase=lower_case)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    return backend


def report_missing(vocab: Collection[str], family: TokenizerRules, replaced: Collection[str], name: str) -> None:
    """Logs which special tokens of the family a vocabulary lacks, unless `replaced` ("pad_token", ...) names others."""
    missing = {role: token for role, token in family.tokens.items()
               if token not in vocab and f"{role}_token" not in replaced and role in ("pad", "mask")}
    if missing:
        effects = {"pad": "rows are padded with the token for unknown words", "mask": "no word can be masked"}
        logging.getLogger(__name__).warning(
            "%s: the vocabulary of %d tokens has no %s: %s; name other tokens (such as pad_token=...) if it has them",
            name, len(vocab), " and no ".join(missing.values()), ", ".join(effects[role] for role in missing))


def bpe(vocab_file: Path, merges_file: Path, add_prefix_space: bool = False) -> Backend:
    """Byte-level BPE (GPT-2, RoBERTa, BART) or, for a vocabulary with `</w>`, the BPE of the first GPT."""
    vocab = read_ids(vocab_file)
    merges = read_merges(merges_file)
    for left, right in merges:  # toy vocabularies omit the intermediate pieces of longer ones
        for piece in (left, right, left + right):
            if piece not in vocab:
                vocab[piece] = max(vocab.values(), default=-1) + 1
    plain = any(token.endswith("</w>") for token in vocab)
    if plain:
        backend = Backend(models.BPE(vocab, merges, unk_token="<unk>" if "<unk>" in vocab else None,
                                     continuing_subword_prefix="", end_of_word_suffix="</w>"))
        backend.normalizer = normalizers.BertNormalizer(lowercase=True)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.BPEDecoder(suffix="</w>")
        return backend
    backend = Backend(models.BPE(vocab, merges, continuing_subword_prefix="", end_of_word_suffix=""))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    backend.decoder = decoders.ByteLevel()
    return backend


def kind_of(backend: Backend) -> Kind:
    """The algorithm of a tokenizer, one of `tokenizer_rules.Kind`."""
    model = type(backend.model).__name__
    if model == "BPE" and "ByteLevel" in str(backend.pre_tokenizer):
        return "byte_bpe"
    if model == "BPE" and backend.model.end_of_word_suffix:
        return "bpe"
    return "wordpiece" if model in ("WordPiece", "WordLevel") else "sentencepiece"


def set_template(backend: Backend, family: TokenizerRules, roles: dict[str, str], language: str | None = None) -> None:
    """Makes the backend add the family's special tokens to a text and to a pair of texts."""
    names = {**roles, **({} if language is None else {"lang": language})}
    single, pair = (template.format_map(names).split() for template in (family.single, family.pair))
    tokens = dict.fromkeys(token for role, token in names.items() if f"{{{role}}}" in family.pair)
    ids = {token: token_id for token in tokens if (token_id := backend.token_to_id(token)) is not None}
    if missing := [token for token in tokens if token not in ids]:
        raise ValueError(f"special token(s) {', '.join(missing)} are not in the vocabulary of "
                         f"{backend.get_vocab_size()} tokens, but every text of this model needs them: give its own "
                         "vocabulary, or name the tokens that it has instead (such as sep_token=...)")
    if family.kind == "byte_bpe" and ids:  # like the template, but the offsets exclude the space before a word
        space = getattr(backend.pre_tokenizer, "add_prefix_space", False)
        sep, cls = ((roles[role], ids[roles[role]]) for role in ("sep", "cls"))
        backend.post_processor = processors.RobertaProcessing(sep, cls, trim_offsets=True, add_prefix_space=space)
    else:
        backend.post_processor = processors.TemplateProcessing(single=single, pair=pair,
                                                               special_tokens=list(ids.items()))
