"""SentencePiece model files (Kudo and Richardson 2018) as Rust tokenizers that give the same ids.

The file is a protocol buffer of three messages; reading it takes a page and spares a dependency on the version of
`protobuf` that generated code is bound to.
"""

import dataclasses
import struct

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from tfplm.core.tokenizer_rules import TokenizerRules

CONTROL, USER_DEFINED = 3, 4
_UNIGRAM, _BPE = 1, 2


@dataclasses.dataclass
class Model:
    """What a `.model` file says, as far as encoding needs it."""

    pieces: list[tuple[str, float, int]]  # piece, score, type
    model_type: int
    byte_fallback: bool
    charsmap: bytes
    dummy_prefix: bool
    remove_extra_spaces: bool


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(data: bytes):
    """(field number, value) of a protocol buffer message: int, float or bytes."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
        elif wire == 2:
            length, at = _varint(data, at)
            value, at = data[at:at + length], at + length
        elif wire == 5:
            value, at = struct.unpack_from("<f", data, at)[0], at + 4
        elif wire == 1:
            value, at = None, at + 8
        else:
            raise ValueError(f"wire type {wire}")
        if at > len(data):
            raise IndexError("cut short")
        yield number, value


def _piece(data: bytes) -> tuple[str, float, int]:
    fields = dict(_fields(data))
    return fields[1].decode("utf-8"), fields.get(2, 0.0), fields.get(3, 1)


def parse(data: bytes, name: str = "the file") -> Model:
    """Reads the bytes of a `.model` file; ValueError where they are something else or are cut short."""
    try:
        messages: dict[int, list[bytes]] = {1: [], 2: [b""], 3: [b""]}
        for number, value in _fields(data):
            messages.setdefault(number, []).append(value)
        trainer, normalizer = dict(_fields(messages[2][-1])), dict(_fields(messages[3][-1]))
        pieces = [_piece(message) for message in messages[1]]
    except (IndexError, KeyError, ValueError, TypeError, AttributeError, struct.error) as error:
        raise ValueError(f"{name} ({len(data)} bytes) is not a complete SentencePiece model: {error}") from error
    model_type = trainer.get(3, _UNIGRAM)
    if not pieces or model_type not in (_UNIGRAM, _BPE):
        raise ValueError(f"{name} has {len(pieces)} pieces of SentencePiece model type {model_type}: "
                         "expected a unigram (1) or BPE (2) model")
    return Model(pieces, model_type, bool(trainer.get(35, 0)), normalizer.get(2, b""), bool(normalizer.get(3, 1)),
                 bool(normalizer.get(4, 1)))


def _splits_number(piece: str) -> bool:
    return len(piece) >= 2 and piece[-1] == "," and piece[-2].isdigit()


def _vocabulary(model: Model, family: TokenizerRules) -> list[tuple[str, float]]:
    """(token, score) by id."""
    best = max((score for _, score, kind in model.pieces if kind == 1), default=0.0)
    scored = []
    for piece, score, kind in model.pieces[family.skip:]:
        if kind == USER_DEFINED:  # the score that SentencePiece itself gives it, so that it always wins
            score = len(piece) * best - 0.1
        elif family.clean and _splits_number(piece):  # XLNet and ALBERT split "2008," (their `encode_pieces`)
            score -= 100
        scored.append((piece, score))
    head = [(token, -100.0 if token == "<unk>NOTUSED" else 0.0) for token in family.head]
    return head + scored + [(token, 0.0) for token in family.tail]


def _merges(vocab: list[tuple[str, float]]) -> list[tuple[str, str]]:
    """The merges of a SentencePiece BPE model: every way to make a piece of two, the best scored piece first."""
    ids = {token: number for number, (token, _) in enumerate(vocab)}
    ranked = [(-score, ids[token[:cut]], ids[token[cut:]], token[:cut], token[cut:]) for token, score in vocab
              for cut in range(1, len(token)) if token[:cut] in ids and token[cut:] in ids]
    return [(left, right) for *_, left, right in sorted(ranked)]


def _normalizer(model: Model, family: TokenizerRules, lower_case: bool, keep_accents: bool):
    steps = []
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
    words = model.dummy_prefix and model.remove_extra_spaces  # then a space means no more than that a word begins
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), space]) if words else space
    metaspace = decoders.Metaspace(replacement="▁", prepend_scheme=scheme)
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), metaspace]) if model.byte_fallback else metaspace
    # one-character symbols are found by the model itself; as added tokens they would cut words apart: "3.14"
    names = [AddedToken(piece, normalized=False, special=kind == CONTROL) for piece, _, kind in
             model.pieces[family.skip:] if kind == CONTROL or (kind == USER_DEFINED and len(piece) > 1)]
    backend.add_tokens(names)
    return backend
