"""Training of vocabularies on a corpus: WordPiece, BPE, byte-level BPE, SentencePiece.

WordPiece is learned with BPE's merges, as in the library `tokenizers`: Google has not published its trainer.
"""

import collections
import dataclasses
import io
import itertools
import logging
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import sentencepiece
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, trainers

from tfplm.core.files import replacing
from tfplm.core.tokenizer_rules import Kind, TokenizerRules
from tfplm.families import registry
from tfplm.tokenizers.backends import wordpiece
from tfplm.tokenizers.corpus import Corpus, spooled
from tfplm.tokenizers.original.google import GoogleTokenizer, is_word
from tfplm.tokenizers.tokenizer import Tokenizer

SAMPLE = 2000  # the number of lines, from the start of a corpus, in which unknown tokens are counted
_END = "</s>"
_MOST_UNKNOWN = 0.01  # the share of unknown tokens from which on it is reported


@dataclasses.dataclass(kw_only=True)
class VocabularySettings:
    """Settings of `train_vocabulary`.

    vocab_size: the maximum number of tokens, including special tokens.
    special_tokens: special tokens in addition to those of the family.
    unused_tokens: the number of tokens `[unused1]`, `[unused2]`, ... reserved for later use.
    character_coverage: the share of the text whose characters get a token; the rarest characters become unknown. 0.9995
        is usual for Chinese. Byte-level BPE has no unknown characters.
    lowercase: lower-cases and strips accents (WordPiece, ALBERT); None: the family's default.
    min_frequency: two adjacent pieces are merged only if they occur together at least this often.
    model_type: the family whose special tokens and layout are used; None: bert, openai-gpt, roberta or albert, by kind.
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
            raise ValueError(f"character_coverage={self.character_coverage}: expected a share above 0 and at most 1")
        if self.family.kind != self.kind:
            raise ValueError(f"model type '{self.family.name}' has a {self.family.kind} vocabulary, not {self.kind}; "
                             "change the kind or the model type")
        if self.lowercase is None:
            self.lowercase = self.kind in ("wordpiece", "bpe") or self.family.lower_case
        if self.lowercase and self.kind == "byte_bpe":
            raise ValueError("byte-level BPE is cased: use lowercase=True only with the other kinds")
        if not self.lowercase and self.kind == "bpe":
            raise ValueError("the BPE of the first GPT is lower-cased: use byte_bpe for a cased vocabulary")

    @property
    def family(self) -> TokenizerRules:
        return registry.rules_for(self.model_type) if self.model_type else registry.default_rules(self.kind, "learning")

    @property
    def reserved(self) -> list[str]:
        """The tokens that are not learned, in the order of their ids."""
        own = list(dict.fromkeys(self.family.tokens.values()))
        unused = [f"[unused{number}]" for number in range(1, self.unused_tokens + 1)]
        if self.kind == "wordpiece":  # Google's order: [PAD], [unused...], [UNK], [CLS], [SEP], [MASK]
            own = ["[PAD]", *unused, "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
            unused = []
        return [*own, *self.special_tokens, *unused]


def train_vocabulary(lines: Iterable[str], kind: Literal["wordpiece", "bpe", "byte_bpe", "sentencepiece"] = "wordpiece",
                     vocab_size: int = 8000, **settings) -> Tokenizer:
    """Learns a vocabulary from lines of text and returns its tokenizer (`save_pretrained` writes it).

    kind: "wordpiece" (BERT; CJK characters are single tokens), "bpe" (GPT), "byte_bpe" (GPT-2, RoBERTa; Radford et al.
    2019) or "sentencepiece" (unigram; Kudo 2018). `settings` are the fields of `VocabularySettings`.

    `lines` is read several times; an iterator is saved to a temporary file in between. If the corpus has too little text for
    `vocab_size` tokens, the vocabulary is smaller and a warning is logged, as it is if more than 1 % of the tokens of the
    first sentences are unknown. Raises ValueError for a corpus without text.
    """
    wanted = VocabularySettings(kind=kind, vocab_size=vocab_size, **settings)
    with tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n") as spool:
        if iter(lines) is lines:
            lines = spooled(lines, spool)
        clean = _normalizer(wanted)
        alphabet = _characters(map(clean, lines), wanted)
        corpus = Corpus(lines, clean, alphabet.known, blanks=kind != "byte_bpe")
        tokenizer = _LEARNERS[kind](corpus, wanted)
        tokenizer.add_tokens(wanted.special_tokens, special=True)
        _report(tokenizer, lines, alphabet, wanted)
    return tokenizer


def unknown_share(tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """The share of the tokens of texts that are the token for unknown words; 0 without such a token."""
    rows = tokenizer(texts, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
    unknown = sum(int((row == tokenizer.unk_token_id).sum()) for row in rows)
    return unknown / max(sum(map(len, rows)), 1)


def _report(tokenizer: Tokenizer, lines: Iterable[str], alphabet: "_Alphabet", settings: VocabularySettings) -> None:
    """Logs whether the vocabulary is smaller than wanted, or knows too little of the corpus."""
    log = logging.getLogger(__name__)
    if len(tokenizer) < settings.vocab_size and alphabet.size <= settings.vocab_size:
        log.warning("the corpus supports a vocabulary of %d tokens, fewer than the %d asked for", len(tokenizer),
                    settings.vocab_size)
    share = unknown_share(tokenizer, [line.rstrip("\n") for line in itertools.islice(lines, SAMPLE)])
    if share > _MOST_UNKNOWN:
        advice = (f"raise --vocab-size (vocab_size) from {settings.vocab_size:,} to {alphabet.size:,}, where all of its "
                  f"{alphabet.characters:,} characters have tokens" if alphabet.size > settings.vocab_size else
                  f"raise --character-coverage (character_coverage) from {settings.character_coverage}")
        log.warning("%.2f%% of the tokens of the corpus are unknown, expected at most 1%%; %s", 100 * share, advice)


def learn_once(folder: Path, lines: Iterable[str], model_type: str, kind: Kind | Literal["auto"], vocab_size: int,
               **settings) -> Path:
    """Returns `folder` with a tokenizer for a model, which is learned from `lines` unless the folder exists.

    `kind` and `settings` are those of `train_vocabulary`; "auto" is the kind that the `model_type` was published with.
    """
    if not folder.exists():
        usual = registry.rules_for(model_type)
        kind = usual.kind if kind == "auto" else kind
        rules = usual if kind == usual.kind else registry.default_rules(kind, "learning")
        # the first GPT has no token that ends a text, with which documents are separated and generation ends
        ends = () if {"eos", "sep"} & set(rules.tokens) else (_END,)
        tokenizer = train_vocabulary(lines, kind, vocab_size, model_type=rules.name, special_tokens=ends, **settings)
        for token in ends:
            tokenizer.set_role("eos", token)
        with replacing(folder) as temporary:
            tokenizer.save_pretrained(temporary)
    return folder


def _normalizer(settings: VocabularySettings) -> Callable[[str], str]:
    """The normalization that the finished tokenizer applies to a text before it searches for pieces."""
    if settings.kind == "byte_bpe":
        return str
    if settings.kind != "sentencepiece":
        return _googles(bool(settings.lowercase))
    steps: list[normalizers.Normalizer] = [normalizers.NFKC()]
    if settings.family.clean:
        steps = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(),
                 normalizers.StripAccents(), normalizers.NFKC()]
    if settings.lowercase:
        steps.append(normalizers.Lowercase())
    return normalizers.Sequence(steps).normalize_str


def _googles(lower_case: bool) -> Callable[[str], str]:
    """BERT's normalization: by the Rust library, or for rare characters by Google's rules, with spaces between words."""
    backend = wordpiece({"[UNK]": 0}, lower_case)
    finder, usual = GoogleTokenizer(backend), backend.normalizer.normalize_str

    def normalize(line: str) -> str:
        return " ".join(word for word, _ in finder.basic.words(line)) if finder.takes(line) else usual(line)

    return normalize


class _Alphabet(NamedTuple):
    """Characters that get tokens."""

    known: set[str]
    size: int  # of a vocabulary with tokens for all characters that `character_coverage` asks for
    characters: int  # their number


def _characters(lines: Iterable[str], settings: VocabularySettings) -> _Alphabet:
    """The most frequent characters, limited by `character_coverage` and the size of the vocabulary."""
    counts: collections.Counter[str] = collections.Counter()
    for line in lines:
        counts.update(line)
    for character in [c for c in counts if c.isspace()]:
        del counts[character]
    if not counts:
        raise ValueError("the corpus has no text to learn a vocabulary from: give lines with words")
    room = settings.vocab_size - len(settings.reserved) - len(settings.family.head) - len(settings.family.tail) - 1
    needed = 256 if settings.kind == "byte_bpe" else 2
    if room < needed:
        raise ValueError(f"vocab_size={settings.vocab_size} leaves room for {max(room, 0)} tokens besides the special "
                         f"tokens: {settings.kind} needs {needed} or more")
    wanted = settings.character_coverage * counts.total()
    known, covered, characters, full = set(), 0, 0, False
    for character, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        if covered >= wanted:
            break
        # a letter takes two tokens, one for the start (BPE: end) of a word and one for the rest of it
        single = settings.kind == "sentencepiece" or (settings.kind == "wordpiece" and is_word(character))
        room -= 1 if single else 2
        full = full or room < 0
        if not full:
            known.add(character)
        covered += count
        characters += 1
    size = settings.vocab_size if settings.kind == "byte_bpe" else settings.vocab_size - room
    return _Alphabet(known, size, characters)


def _learn_with_rust(corpus: Corpus, settings: VocabularySettings, backend: Backend, trainer) -> Tokenizer:
    backend.train_from_iterator(iter(corpus), trainer)
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(path) for path in backend.model.save(folder)]
        if settings.kind == "wordpiece":
            return Tokenizer.from_vocab(files[0], lowercase=settings.lowercase, model_type=settings.family.name)
        return Tokenizer.from_bpe(files[0], files[1], settings.family.name)


def _common(settings: VocabularySettings, alphabet: Iterable[str] = ()) -> dict:
    # passed as special tokens, because otherwise the ids of the letters change from run to run
    return {"vocab_size": settings.vocab_size, "min_frequency": settings.min_frequency,
            "special_tokens": [*settings.reserved, *alphabet], "show_progress": False}


def _wordpiece(corpus: Corpus, settings: VocabularySettings) -> Tokenizer:
    backend = Backend(models.WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = sorted(corpus.known)
    alphabet = [*letters, *(f"##{letter}" for letter in letters if not is_word(letter))]
    return _learn_with_rust(corpus, settings, backend, trainers.WordPieceTrainer(**_common(settings, alphabet)))


def _bpe(corpus: Corpus, settings: VocabularySettings) -> Tokenizer:
    backend = Backend(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = sorted(corpus.known)
    alphabet = [*letters, *(f"{letter}</w>" for letter in letters)]
    return _learn_with_rust(corpus, settings, backend,
                            trainers.BpeTrainer(end_of_word_suffix="</w>", **_common(settings, alphabet)))


def _byte_bpe(corpus: Corpus, settings: VocabularySettings) -> Tokenizer:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _learn_with_rust(corpus, settings, backend,
                            trainers.BpeTrainer(initial_alphabet=sorted(alphabet), **_common(settings)))


def _sentencepiece(corpus: Corpus, settings: VocabularySettings) -> Tokenizer:
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
        return Tokenizer.from_sentencepiece(path, settings.family.name, settings.lowercase)


_LEARNERS = {"wordpiece": _wordpiece, "bpe": _bpe, "byte_bpe": _byte_bpe, "sentencepiece": _sentencepiece}
