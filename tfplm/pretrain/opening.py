"""Opening of a pre-training corpus from text or records; vocabulary and records are made once and kept in a folder."""

import dataclasses
import glob
import itertools
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tfplm.core.config import Config
from tfplm.core.files import replacing
from tfplm.core.outputs import fingerprint
from tfplm.data.records.build import records
from tfplm.data.records.index import INDEX, JOURNAL, load_index
from tfplm.data.records.reader import TokenRecords, split_files
from tfplm.data.text.corpus import read_documents
from tfplm.data.text.text_files import find_files
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.corpus import (
    Corpus,
    DocumentCorpus,
    FeatureCorpus,
    LabelledCorpus,
    PartOfRecords,
    is_held_out,
)
from tfplm.pretrain.objectives.objective import Objective
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.train import learn_once
from tfplm.training.loop.distribute import is_chief


def open_corpus(options: PretrainOptions, config: Config, folder: Path, labelled: type[Objective] | None = None) -> Corpus:
    """Reads vocabulary and records, or makes them; they are kept in `folder`, where a restart finds them.

    labelled: the objective that finds classes in texts, if there is one.
    Raises ValueError if the corpus is empty, or if records were made with another tokenizer.
    """
    if options.records:
        return _from_records(options)
    options = _keep_standard_input(options, folder)
    source = _tokenizer_source(options, config, folder)
    tokenizer = Tokenizer.from_pretrained(source)
    if labelled is not None:
        layout = "documents" if options.text_layout == "auto" else options.text_layout
        texts = [" ".join(document) for document in documents_of(options, layout)]
        held = [is_held_out(text.encode(), options.held_out) for text in texts]
        held[:1] = [held[0] and not all(held)] if held else []  # one remains to train on
        return LabelledCorpus(options, tokenizer, kind=labelled, texts=texts, held=held)
    if is_chief():
        records(text=options.text, output=str(folder / "records"), tokenizer=source, text_layout=options.text_layout,
                encoding=options.encoding, field=options.field, words=options.words, held_out=options.held_out,
                quiet=options.quiet, overwrite=True)
    _wait_for(folder / "records" / INDEX)
    index = load_index(folder / "records")

    def reader(held_out: bool):
        if held_out and not index["totals"].get("held-out", {}).get("tokens"):
            return None
        return TokenRecords(folder / "records", "held-out" if held_out else "train")

    return DocumentCorpus(options, tokenizer, reader=reader)


def digests(options: PretrainOptions) -> dict[str, str]:
    """What decides whether a training is the same: name -> digest of the contents of corpus and models.

    Raises FileNotFoundError for a path that does not exist.
    """
    streams = [name for name in options.text if name == "-" or name.startswith(("tfds:", "builtin:"))]
    files = [file for name in options.text if name not in streams for file in find_files(name)]
    records = [os.path.join(name, INDEX) if Path(name, INDEX).is_file() else file
               for name in options.records for file in _files(name)]
    found = {"the text": files, "the records": sorted(set(records))} | {
        f"--{name}": [value] for name in ("init", "tokenizer", "phrases") if (value := getattr(options, name))}
    return {name: fingerprint(paths) for name, paths in found.items() if paths}


class Sentences:
    """The sentences of a corpus, which can be iterated over more than once."""

    def __init__(self, options: PretrainOptions):
        self.options = options

    def __iter__(self) -> Iterator[str]:
        return itertools.chain.from_iterable(documents_of(self.options))


def documents_of(options: PretrainOptions, layout: str | None = None) -> Iterator[list[str]]:
    return read_documents(options.text, layout or options.text_layout, options.encoding, options.field)


def _keep_standard_input(options: PretrainOptions, folder: Path) -> PretrainOptions:
    """Copies standard input, which can be read only once, to a file."""
    if "-" not in options.text:
        return options
    kept = folder / "standard-input.txt"
    if not kept.exists():
        with replacing(kept) as temporary, open(temporary, "wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    return dataclasses.replace(options, text=[str(kept) if name == "-" else name for name in options.text])


def _tokenizer_source(options: PretrainOptions, config: Config, folder: Path) -> str:
    """The file or folder of the tokenizer; a vocabulary that has to be learned is learned once."""
    if options.tokenizer or options.init:
        return options.tokenizer or options.init
    if not is_chief():
        return str(_wait_for(folder / "vocabulary"))
    return str(learn_once(folder / "vocabulary", Sentences(options), config.model_type, options.vocabulary,
                          options.vocab_size or config.vocab_size, character_coverage=options.character_coverage))


def _wait_for(path: Path) -> Path:
    """The path, as soon as the chief has written it."""
    while not path.exists():
        time.sleep(1)
    return path


def _from_records(options: PretrainOptions) -> Corpus:
    first = Path(options.records[0])
    if len(options.records) == 1 and first.is_dir() and ((first / INDEX).is_file() or (first / JOURNAL).is_file()):
        index = load_index(first)
        tokenizer = Tokenizer.from_pretrained(options.tokenizer or str(first / "tokenizer"))
        _check_same_tokenizer(options, tokenizer, index, first)
        if index["layout"] == "tokens":
            return _from_token_records(options, tokenizer, first, index)
        files, held = (split_files(first, index, split) for split in ("train", "held-out"))
        return FeatureCorpus(options, tokenizer, files=files, held=held)
    if not (options.tokenizer or options.init):
        raise ValueError("records in BERT's layout do not name their vocabulary; expected the one that they were made "
                         "with: add --tokenizer vocab.txt")
    tokenizer = Tokenizer.from_pretrained(options.tokenizer or options.init)
    return FeatureCorpus(options, tokenizer, files=[name for pattern in options.records for name in _files(pattern)])


def _files(pattern: str) -> list[str]:
    path = Path(pattern)
    names = sorted(map(str, path.iterdir())) if path.is_dir() else sorted(glob.glob(pattern))
    names = [name for name in names if Path(name).is_file()]
    if not names:
        raise FileNotFoundError(f"{pattern}: there are no records here; expected TFRecord files, or a folder that "
                                "`tfplm records` wrote: check --records")
    return names


def _check_same_tokenizer(options: PretrainOptions, tokenizer: Tokenizer, index: dict, folder: Path) -> None:
    if options.init and Tokenizer.from_pretrained(options.init).vocab != tokenizer.vocab:
        raise ValueError(f"the records in {folder} were made with another vocabulary ({len(tokenizer):,} tokens) than "
                         f"that of {options.init}: make the records with --tokenizer {options.init}")
    if len(tokenizer) != index["vocabulary"]["size"]:
        raise ValueError(f"the tokenizer has {len(tokenizer):,} tokens, but the records in {folder} were made with "
                         f"{index['vocabulary']['size']:,}: omit --tokenizer")


def _from_token_records(options: PretrainOptions, tokenizer: Tokenizer, folder: Path, index: dict) -> Corpus:
    own_split = bool(index["totals"].get("held-out", {}).get("tokens"))
    single = index["totals"].get("train", {}).get("records", 0) < 2  # it is trained on

    def reader(held_out: bool):
        if own_split or single or not options.held_out:
            return TokenRecords(folder, "held-out" if held_out else "train") if own_split or not held_out else None
        return PartOfRecords(TokenRecords(folder), options.held_out, held_out)

    return DocumentCorpus(options, tokenizer, reader=reader)
