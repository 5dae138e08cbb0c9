"""Vocabularies learned from a corpus: WordPiece, BPE, byte-level BPE, SentencePiece.

WordPiece is learned with BPE's merges, as in the library `tokenizers`: Google has not published its own trainer.
"""

import collections
import dataclasses
import io
import logging
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

import sentencepiece
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, trainers

from tfplm.core.files import replacing
from tfplm.core.tokenizer_rules import Kind, TokenizerRules
from tfplm.families import registry
from tfplm.tokenizers.tokenizer import Tokenizer

_LONGEST_LINE = 1000  # characters; SentencePiece passes over lines of more than 4,192 bytes


@dataclasses.dataclass(kw_only=True)
class VocabularySettings:
    """What `train_vocabulary` makes.

    vocab_size: tokens at most, special ones included.
    special_tokens: more special tokens than the family's own.
    unused_tokens: how many `[unused1]`, `[unused2]`, ... to keep free for later use.
    character_coverage: share of the text whose characters get a token; the rarest beyond it become unknown. 0.9995 is
        usual for Chinese. Byte-level BPE knows no unknown characters.
    lowercase: lower-case and strip accents (WordPiece, ALBERT); None: as the family does.
    min_frequency: a piece is made of two that stand together at least this often.
    model_type: the family whose special tokens and layout are used; None: bert, openai-gpt, roberta, albert.
    """

    kind: Kind = "wordpiece"
    vocab_size: int = 8000
    special_tokens: tuple[str, ...] = ()
    unused_tokens: int = 0
    character_coverage: float = 1.0
    lowercase: bool | None = None
    min_frequency: int = 2
    model_type: str | None = None

    def __post_init__(self):
        if self.kind not in _LEARNERS:
            raise ValueError(f"kind='{self.kind}': expected {', '.join(_LEARNERS)}")
        if not 0 < self.character_coverage <= 1:
            raise ValueError(f"character_coverage={self.character_coverage}: expected a share above 0, at most 1")
        usual = registry.default_rules(self.kind, "learning")
        self.model_type = (registry.rules_for(self.model_type) if self.model_type else usual).name
        if self.family.kind != self.kind:
            raise ValueError(f"model type '{self.model_type}' has a {self.family.kind} vocabulary, not {self.kind}")
        if self.lowercase is None:
            self.lowercase = self.kind in ("wordpiece", "bpe") or self.family.lower_case
        if self.lowercase and self.kind == "byte_bpe":
            raise ValueError("byte-level BPE is cased: lowercase=True is for the other kinds")
        if not self.lowercase and self.kind == "bpe":
            raise ValueError("the BPE of the first GPT is lower-cased: use byte_bpe for a cased vocabulary")

    @property
    def family(self) -> TokenizerRules:
        return registry.rules_for(self.model_type)

    @property
    def reserved(self) -> list[str]:
        """Tokens that are not learned, in the order of their ids."""
        own = list(dict.fromkeys(self.family.tokens.values()))
        unused = [f"[unused{number + 1}]" for number in range(self.unused_tokens)]
        if self.kind == "wordpiece":  # Google's order: [PAD], [unused...], [UNK], [CLS], [SEP], [MASK]
            own = ["[PAD]", *unused, "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
            unused = []
        return [*own, *self.special_tokens, *unused]


def train_vocabulary(lines: Iterable[str], kind: Literal["wordpiece", "bpe", "byte_bpe", "sentencepiece"] = "wordpiece",
                     vocab_size: int = 8000, **settings) -> Tokenizer:
    """Learns a vocabulary from lines of text and returns its tokenizer (`save_pretrained` writes it).

    kind: "wordpiece" (BERT; CJK characters singly), "bpe" (GPT), "byte_bpe" (GPT-2, RoBERTa; Radford et al. 2019) or
    "sentencepiece" (unigram; Kudo 2018). `settings` are the fields of `VocabularySettings`.

    `lines` is read twice; an iterator is kept in a temporary file in between. Where the corpus has too little text for
    `vocab_size` tokens, the vocabulary is smaller, and a warning says so. ValueError for a corpus without text.
    """
    settings = VocabularySettings(kind=kind, vocab_size=vocab_size, **settings)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as spool:
        if iter(lines) is lines:
            lines = _spooled(lines, spool)
        clean = _normalizer(settings)
        known = _characters(map(clean, lines), settings)
        if kind == "byte_bpe":
            known = None
        tokenizer = _LEARNERS[kind](_Corpus(lines, clean, known), settings)
    tokenizer.add_tokens(settings.special_tokens, special=True)
    if len(tokenizer) < vocab_size:
        logging.getLogger(__name__).warning(
            "the corpus supports a vocabulary of %d tokens, fewer than the %d asked for", len(tokenizer), vocab_size)
    return tokenizer


def learn_once(place: Path, lines: Iterable[str], model_type: str, kind: Kind | Literal["auto"], vocab_size: int,
               **settings) -> Path:
    """The folder `place` with a tokenizer of a model: what is there, or what is learned now from `lines`.

    `kind` and `settings` are those of `train_vocabulary`; "auto" is what the `model_type` was published with.
    """
    if not place.exists():
        usual = registry.rules_for(model_type).kind
        kind = usual if kind == "auto" else kind
        tokenizer = train_vocabulary(lines, kind, vocab_size, model_type=model_type if kind == usual else None, **settings)
        with replacing(place) as beside:
            tokenizer.save_pretrained(beside)
    return place


class _Spool:
    """Lines in a file, to be read again and again."""

    def __init__(self, file):
        self.file = file

    def __iter__(self) -> Iterator[str]:
        self.file.seek(0)
        return iter(self.file)


def _spooled(lines: Iterable[str], file) -> _Spool:
    file.writelines(line.rstrip("\n") + "\n" for line in lines)
    return _Spool(file)


def _normalizer(settings: VocabularySettings) -> Callable[[str], str]:
    """What the finished tokenizer does to a text before it looks for pieces."""
    if settings.kind == "byte_bpe":
        return str
    if settings.kind != "sentencepiece":
        return normalizers.BertNormalizer(lowercase=settings.lowercase).normalize_str
    steps = [normalizers.NFKC()]
    if settings.family.clean:
        steps = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
                 normalizers.StripAccents(), normalizers.NFKC()]
    if settings.lowercase:
        steps.append(normalizers.Lowercase())
    return normalizers.Sequence(steps).normalize_str


def _stands_alone(character: str) -> bool:
    """Whether BERT's basic tokenization makes a word of this character, so that it has no `##` form."""
    if character.isascii():
        return not character.isalnum()
    return unicodedata.category(character)[0] == "P" or unicodedata.name(character, "").startswith("CJK")


def _characters(lines: Iterable[str], settings: VocabularySettings) -> set[str]:
    """The most frequent characters: as many as `character_coverage` asks for and as the vocabulary has room for."""
    counts = collections.Counter()
    for line in lines:
        counts.update(line)
    for character in [c for c in counts if c.isspace()]:
        del counts[character]
    if not counts:
        raise ValueError("the corpus has no text to learn a vocabulary from: expected lines with words")
    room = settings.vocab_size - len(settings.reserved) - len(settings.family.head) - len(settings.family.tail) - 1
    needed = 256 if settings.kind == "byte_bpe" else 2
    if room < needed:
        raise ValueError(f"vocab_size={settings.vocab_size} leaves room for {max(room, 0)} tokens beside the special "
                         f"ones: {settings.kind} needs {needed} or more")
    wanted = settings.character_coverage * counts.total()
    known, covered = set(), 0
    for character, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        # a letter takes two places, for the beginning (BPE: end) of a word and for the rest of it
        single = settings.kind == "sentencepiece" or (settings.kind == "wordpiece" and _stands_alone(character))
        room -= 1 if single else 2
        if covered >= wanted or room < 0:
            break
        known.add(character)
        covered += count
    return known


class _Corpus:
    """The normalized lines in parts of a bearable length, with spaces in place of unknown characters."""

    def __init__(self, lines: Iterable[str], clean: Callable[[str], str], known: set[str] | None):
        self.lines, self.clean, self.known = lines, clean, known

    def __iter__(self) -> Iterator[str]:
        table = collections.defaultdict(lambda: " ", {ord(c): c for c in self.known or ()})
        for line in self.lines:
            line = self.clean(line.rstrip("\n"))
            if self.known is not None:
                line = line.translate(table)
            start = 0
            while len(line) - start > _LONGEST_LINE:
                cut = line.rfind(" ", start + 1, start + _LONGEST_LINE)
                cut = start + _LONGEST_LINE if cut < 0 else cut
                yield line[start:cut]
                start = cut
            yield line[start:]


def _learn_with_rust(corpus: _Corpus, settings: VocabularySettings, backend: Backend, trainer) -> Tokenizer:
    backend.train_from_iterator(iter(corpus), trainer)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(path) for path in backend.model.save(folder)]
        if settings.kind == "wordpiece":
            return Tokenizer.from_vocab(files[0], lowercase=settings.lowercase, model_type=settings.model_type)
        return Tokenizer.from_bpe(*files, model_type=settings.model_type)


def _common(settings: VocabularySettings, alphabet: Iterable[str] = ()) -> dict:
    # the library numbers the letters in an order that changes from run to run, unless they are given like this
    return {"vocab_size": settings.vocab_size, "min_frequency": settings.min_frequency,
            "special_tokens": [*settings.reserved, *alphabet], "show_progress": False}


def _wordpiece(corpus: _Corpus, settings: VocabularySettings) -> Tokenizer:
    backend = Backend(models.WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = sorted(corpus.known)
    alphabet = [*letters, *(f"##{letter}" for letter in letters if not _stands_alone(letter))]
    return _learn_with_rust(corpus, settings, backend, trainers.WordPieceTrainer(**_common(settings, alphabet)))


def _bpe(corpus: _Corpus, settings: VocabularySettings) -> Tokenizer:
    backend = Backend(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = sorted(corpus.known)
    alphabet = [*letters, *(f"{letter}</w>" for letter in letters)]
    return _learn_with_rust(corpus, settings, backend,
                            trainers.BpeTrainer(end_of_word_suffix="</w>", **_common(settings, alphabet)))


def _byte_bpe(corpus: _Corpus, settings: VocabularySettings) -> Tokenizer:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _learn_with_rust(corpus, settings, backend,
                            trainers.BpeTrainer(initial_alphabet=sorted(alphabet), **_common(settings)))


def _sentencepiece(corpus: _Corpus, settings: VocabularySettings) -> Tokenizer:
    family = settings.family
    layout = dict(family.layout)
    control = [*layout.pop("control_symbols", []), *settings.special_tokens,
               *(token for token in settings.reserved if token.startswith("[unused"))]
    model = io.BytesIO()
    size = settings.vocab_size - len(family.head) - len(family.tail) + family.skip
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=(line for line in corpus if line.strip()), model_writer=model, vocab_size=size,
            character_coverage=1.0, hard_vocab_limit=False, minloglevel=2, control_symbols=control, **layout)
    except RuntimeError as error:
        raise ValueError(f"SentencePiece cannot learn a vocabulary from this corpus: {error}") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "learned.model")
        path.write_bytes(model.getvalue())
        return Tokenizer.from_sentencepiece(path, settings.model_type, settings.lowercase)


_LEARNERS = {"wordpiece": _wordpiece, "bpe": _bpe, "byte_bpe": _byte_bpe, "sentencepiece": _sentencepiece}
