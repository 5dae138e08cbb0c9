"""From the text or records of a pre-training to a tokenizer and documents of ids, made once and kept in its folder."""

import dataclasses
import glob
import itertools
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tfplm.core.config import Config
from tfplm.core.files import replacing
from tfplm.data.noise import NoiseVocabulary
from tfplm.data.records.build import load_tokenizer, records
from tfplm.data.records.features import read_features
from tfplm.data.records.index import INDEX, JOURNAL, load_index
from tfplm.data.records.reader import TokenRecords, split_files
from tfplm.data.sequences.documents import noise_vocabulary
from tfplm.data.text.corpus import read_documents
from tfplm.data.text.emoji import emoji_classes, emoji_examples
from tfplm.options.pretrain import PretrainOptions
from tfplm.tokenizers.train import learn_once

_ENTIRE = 10_000


@dataclasses.dataclass
class Corpus:
    """A corpus, ready for training. Of the last three one is there.

    reader: `reader(held_out)` gives the documents of the training text, or of the held-out text (None: there is none).
    features: BERT's own static features: `features(held_out, rng)` gives the examples.
    labelled: texts with the index of their emoji, whose names are `emoji`: `labelled(held_out)`.
    """

    tokenizer: object
    vocabulary: NoiseVocabulary
    emoji: tuple[str, ...] = ()
    reader: Callable[[bool], object] | None = None
    features: Callable[[bool, np.random.Generator | None], Iterator[dict]] | None = None
    labelled: Callable[[bool], list[tuple[str, int]]] | None = None


def _is_held_out(data: bytes, share: float) -> bool:
    """A part of `share` of all things, always the same ones."""
    return zlib.crc32(data) % _ENTIRE < share * _ENTIRE


@dataclasses.dataclass
class PartOfRecords:
    """`TokenRecords` of which a share of the documents is left out (or, held_out=True, only these are there)."""

    whole: TokenRecords
    share: float
    held_out: bool

    @property
    def vocabulary(self) -> NoiseVocabulary:
        return self.whole.vocabulary

    @property
    def tokens(self) -> int:
        return int(self.whole.tokens * (self.share if self.held_out else 1 - self.share))

    def windows(self, rng=None, shard=(0, 1)):
        for documents in self.whole.windows(rng, shard):
            yield [document for document in documents
                   if _is_held_out(document.ids.tobytes(), self.share) == self.held_out]


class Sentences:
    """The sentences of a corpus, as often as they are asked for."""

    def __init__(self, options: PretrainOptions):
        self.options = options

    def __iter__(self) -> Iterator[str]:
        return itertools.chain.from_iterable(documents_of(self.options))


def documents_of(options: PretrainOptions, layout: str | None = None) -> Iterator[list[str]]:
    return read_documents(options.text, layout or options.text_layout, options.encoding, options.field)


def open_corpus(options: PretrainOptions, config: Config, folder: Path, labelled: bool = False) -> Corpus:
    """Reads, and where need be makes, vocabulary and records; `folder` keeps them, so that a restart finds them.

    Raises ValueError for a corpus that is missing or empty, and for records that were made with another tokenizer.
    """
    if bool(options.text) == bool(options.records):
        raise ValueError("no corpus was given: name text files, or --records FOLDER" if not options.text else
                         "both a text and --records were given: leave one of them out")
    if options.records:
        return _from_records(options, labelled)
    options = _keep_standard_input(options, folder)
    source = _tokenizer_source(options, config, folder)
    tokenizer = load_tokenizer(source)
    corpus = Corpus(tokenizer, noise_vocabulary(tokenizer))
    if labelled:
        corpus.emoji, corpus.labelled = _emoji_texts(options)
        return corpus
    records(text=options.text, output=str(folder / "records"), tokenizer=source, text_layout=options.text_layout,
            encoding=options.encoding, field=options.field, words=options.words, held_out=options.held_out,
            quiet=options.quiet, overwrite=True)
    index = load_index(folder / "records")

    def reader(held_out: bool):
        if held_out and not index["totals"].get("held-out", {}).get("tokens"):
            return None
        return TokenRecords(folder / "records", "held-out" if held_out else "train")

    corpus.reader = reader
    return corpus


def _keep_standard_input(options: PretrainOptions, folder: Path) -> PretrainOptions:
    """Standard input can be read once only, so it becomes a file."""
    if "-" not in options.text:
        return options
    kept = folder / "standard-input.txt"
    if not kept.exists():
        with replacing(kept) as beside, open(beside, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    return dataclasses.replace(options, text=[str(kept) if name == "-" else name for name in options.text])


def _tokenizer_source(options: PretrainOptions, config: Config, folder: Path) -> str:
    """Where the tokenizer is; a learned one is learned once."""
    if options.tokenizer or options.init:
        return str(options.tokenizer or options.init)
    return str(learn_once(folder / "vocabulary", Sentences(options), config.model_type, options.vocabulary,
                          options.vocab_size or config.vocab_size, character_coverage=options.character_coverage))


def _emoji_texts(options: PretrainOptions):
    layout = "documents" if options.text_layout == "auto" else options.text_layout
    texts = [" ".join(document) for document in documents_of(options, layout)]
    held = [_is_held_out(text.encode(), options.held_out) for text in texts]
    classes = emoji_classes(text for text, out in zip(texts, held) if not out)

    def labelled(held_out: bool) -> list[tuple[str, int]]:
        return list(emoji_examples((text for text, out in zip(texts, held) if out == held_out), classes))

    labelled(False)  # says it when there is no emoji at all
    return tuple(classes), labelled


def _from_records(options: PretrainOptions, labelled: bool) -> Corpus:
    if labelled:
        raise ValueError("emoji prediction needs the text itself: name text files in place of --records")
    first = Path(options.records[0])
    if len(options.records) == 1 and first.is_dir() and ((first / INDEX).is_file() or (first / JOURNAL).is_file()):
        index = load_index(first)
        source = options.tokenizer or str(first / "tokenizer")
        tokenizer = load_tokenizer(source)
        _check_same_tokenizer(options, tokenizer, index, first)
        if index["layout"] == "tokens":
            return _from_token_records(options, tokenizer, first, index)
        files, held = (split_files(first, index, split) for split in ("train", "held-out"))
        return Corpus(tokenizer, noise_vocabulary(tokenizer), features=_feature_reader(files, held, options.held_out))
    if not (options.tokenizer or options.init):
        raise ValueError("BERT's own records name no vocabulary: give --tokenizer vocab.txt")
    tokenizer = load_tokenizer(options.tokenizer or options.init)
    files = [name for pattern in options.records for name in _files(pattern)]
    return Corpus(tokenizer, noise_vocabulary(tokenizer), features=_feature_reader(files, [], options.held_out))


def _files(pattern: str) -> list[str]:
    path = Path(pattern)
    names = sorted(map(str, path.iterdir())) if path.is_dir() else sorted(glob.glob(pattern))
    names = [name for name in names if Path(name).is_file()]
    if not names:
        raise FileNotFoundError(f"{pattern}: there are no records; expected a folder that `tfplm records` wrote, or "
                                "TFRecord files")
    return names


def _check_same_tokenizer(options: PretrainOptions, tokenizer, index: dict, folder: Path) -> None:
    if options.init and load_tokenizer(options.init).vocab != tokenizer.vocab:
        raise ValueError(f"the records in {folder} were made with another vocabulary ({len(tokenizer):,} tokens) than "
                         f"that of {options.init}: make records with --tokenizer {options.init}")
    if len(tokenizer) != index["vocabulary"]["size"]:
        raise ValueError(f"the tokenizer has {len(tokenizer):,} tokens, but the records in {folder} were made with "
                         f"{index['vocabulary']['size']:,}: leave --tokenizer out")


def _from_token_records(options: PretrainOptions, tokenizer, folder: Path, index: dict) -> Corpus:
    own_split = bool(index["totals"].get("held-out", {}).get("tokens"))

    def reader(held_out: bool):
        if own_split or not options.held_out:
            return TokenRecords(folder, "held-out" if held_out else "train") if own_split or not held_out else None
        return PartOfRecords(TokenRecords(folder), options.held_out, held_out)

    return Corpus(tokenizer, noise_vocabulary(tokenizer), reader=reader)


def _feature_reader(files: list[str], held: list[str], share: float):
    def examples(held_out: bool, rng: np.random.Generator | None) -> Iterator[dict]:
        if held:
            return read_features(held if held_out else files, rng)
        return (example for example in read_features(files, rng)
                if _is_held_out(example["input_ids"].tobytes(), share) == held_out)

    return examples
