"""Conversion of SentencePiece model files (Kudo and Richardson 2018) to Rust tokenizers with the same ids."""

import dataclasses
import functools

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from tfplm.core.protobuf import Definition, Field
from tfplm.core.tokenizer_rules import TokenizerRules

CONTROL, USER_DEFINED = 3, 4
_UNIGRAM, _BPE = 1, 2


@dataclasses.dataclass
class Model:
    """The content of a `.model` file that encoding needs."""

    pieces: list[tuple[str, float, int]]  # piece, score, type
    model_type: int
    byte_fallback: bool
    charsmap: bytes
    dummy_prefix: bool
    remove_extra_spaces: bool


@functools.cache
def _message_class():
    """The class of `ModelProto`, with the fields of sentencepiece_model.proto that encoding needs."""
    file = Definition("tfplm.sentencepiece", "proto2")
    # pieces are bytes, as protobuf accepts strings that are not UTF-8; types are enums, of which any value is accepted
    file.add("Piece", piece=Field(1, "bytes", "required"), score=Field(2, "float"), type=Field(3, "int32", default="1"))
    file.add("Trainer", model_type=Field(3, "int32", default="1"), byte_fallback=Field(35, "bool"))
    file.add("Normalizer", precompiled_charsmap=Field(2, "bytes"), add_dummy_prefix=Field(3, "bool", default="true"),
             remove_extra_whitespaces=Field(4, "bool", default="true"))
    file.add("Model", pieces=Field(1, "Piece", "repeated"), trainer=Field(2, "Trainer"),
             normalizer=Field(3, "Normalizer"))
    return file.message_class("Model")


def parse(data: bytes, name: str = "the file") -> Model:
    """Parses the bytes of a `.model` file; raises ValueError if they are anything else or truncated."""
    from google.protobuf.message import DecodeError

    try:
        model = _message_class().FromString(data)
        if not model.IsInitialized():
            raise ValueError("a piece without text")
        pieces = [(piece.piece.decode("utf-8"), piece.score, piece.type) for piece in model.pieces]
    except (DecodeError, ValueError) as error:
        raise ValueError(f"{name} ({len(data)} bytes) is not a complete SentencePiece model: {error}") from error
    if not pieces or model.trainer.model_type not in (_UNIGRAM, _BPE):
        raise ValueError(f"{name} has {len(pieces)} pieces of SentencePiece model type {model.trainer.model_type}: "
                         "expected a unigram (1) or BPE (2) model")
    rules = model.normalizer
    return Model(pieces, model.trainer.model_type, model.trainer.byte_fallback, rules.precompiled_charsmap,
                 rules.add_dummy_prefix, rules.remove_extra_whitespaces)


def splits_number(piece: str) -> bool:
    return len(piece) >= 2 and piece[-1] == "," and piece[-2].isdigit()


def _vocabulary(model: Model, family: TokenizerRules) -> list[tuple[str, float]]:
    """(token, score) in the order of ids."""
    best = max((score for _, score, kind in model.pieces if kind == 1), default=0.0)
    scored = []
    for piece, score, kind in model.pieces[family.skip:]:
        if kind == USER_DEFINED:  # SentencePiece's own score for it, with which it always wins
            score = len(piece) * best - 0.1
        elif family.clean and splits_number(piece):  # XLNet and ALBERT split "2008," (their `encode_pieces`)
            score -= 100
        scored.append((piece, score))
    head = [(token, -100.0 if token == "<unk>NOTUSED" else 0.0) for token in family.head]
    return head + scored + [(token, 0.0) for token in family.tail]


def _merges(vocab: list[tuple[str, float]]) -> list[tuple[str, str]]:
    """The merges of a SentencePiece BPE model: all ways to form a piece from two, best-scored pieces first."""
    ids = {token: index for index, (token, _) in enumerate(vocab)}
    ranked = [(-score, ids[token[:cut]], ids[token[cut:]], token[:cut], token[cut:]) for token, score in vocab
              for cut in range(1, len(token)) if token[:cut] in ids and token[cut:] in ids]
    return [(left, right) for *_, left, right in sorted(ranked)]


def _normalizer(model: Model, family: TokenizerRules, lower_case: bool, keep_accents: bool):
    steps: list[normalizers.Normalizer] = []
    if family.clean:
        steps = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
        if not keep_accents:
            steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if lower_case:
        steps.append(normalizers.Lowercase())
    if model.charsmap:
        steps.append(normalizers.Precompiled(model.charsmap))
    if model.remove_extra_spaces and not model.dummy_prefix:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    return normalizers.Sequence(steps) if steps else None


def build(model: Model, family: TokenizerRules, lower_case: bool = False, keep_accents: bool = False) -> Backend:
    """The Rust tokenizer of a SentencePiece model in the id layout of `family`."""
    vocab = _vocabulary(model, family)
    unknown = next((i for i, (token, _) in enumerate(vocab) if token == family.tokens["unk"]), None)
    if unknown is None:
        raise ValueError(f"the SentencePiece model of {len(vocab)} pieces has no {family.tokens['unk']}")
    if model.model_type == _BPE:
        backend = Backend(models.BPE({token: i for i, (token, _) in enumerate(vocab)}, _merges(vocab), fuse_unk=True,
                                     unk_token=family.tokens["unk"], byte_fallback=model.byte_fallback))
    else:
        backend = Backend(models.Unigram(vocab, unk_id=unknown, byte_fallback=model.byte_fallback))
    if (normalizer := _normalizer(model, family, lower_case, keep_accents)) is not None:
        backend.normalizer = normalizer
    scheme = "always" if model.dummy_prefix else "never"
    space = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)
    words = model.dummy_prefix and model.remove_extra_spaces  # a space then only marks the start of a word
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), space]) if words else space
    metaspace = decoders.Metaspace(replacement="▁", prepend_scheme=scheme)
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), metaspace]) if model.byte_fallback else metaspace
    # the model itself finds one-character symbols; as added tokens they would split words such as "3.14"
    names = [AddedToken(piece, normalized=False, special=kind == CONTROL) for piece, _, kind in
             model.pieces[family.skip:] if kind == CONTROL or (kind == USER_DEFINED and len(piece) > 1)]
    backend.add_tokens(names)
    return backend
