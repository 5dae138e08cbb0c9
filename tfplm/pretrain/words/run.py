"""`tfplm word2vec`: from raw text to a file of word vectors."""

import contextlib
import dataclasses
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.core.config import read_json, write_json
from tfplm.core.outputs import fingerprint, locked
from tfplm.data.text.corpus import read_documents
from tfplm.data.words import WordVectors
from tfplm.data.words.opening import check_target
from tfplm.data.words.splitting import word_sentences
from tfplm.data.words.vocabulary import Vocabulary
from tfplm.data.words.word_ids import write_ids
from tfplm.options.base import verb
from tfplm.options.word2vec import Word2vecOptions
from tfplm.pretrain.words.word2vec import Settings, Word2Vec
from tfplm.summaries.projector import Embedding, write_projector
from tfplm.summaries.text import text_samples
from tfplm.summaries.writers import create_writer
from tfplm.training.loop.progress import Line

_FREE = ("quiet", "overwrite", "log_dir", "summary_every", "save_every", "watch", "output")
_SHOWN = 5_000  # words in the projector
_RARE = 40  # the words before this rank say little


@verb(Word2vecOptions)
def word2vec(options: Word2vecOptions) -> WordVectors:
    """Trains word vectors on raw text, writes them to `output`, and returns them.

    Raises ImportError without numba, FileExistsError for an output that exists, unless `overwrite`, and ValueError for a
    corpus that is empty or too small, and for a training with other options that was interrupted.
    """
    _need_numba()
    output = Path(options.output).expanduser()
    work = output.with_name(output.name + ".training")
    with locked(output.parent, f".{output.name}.lock"):
        check_target(output, options.format, options.overwrite)
        _open(work, options)
        vocabulary = _prepare(work, options)
        training = _train(work, vocabulary, options)
        vectors = training.vectors
        vectors.save(output, options.format)
        shutil.rmtree(work)
    if not options.quiet:
        print(f"{output}: {len(vectors):,} words of {options.dimension} numbers; the nearest:")
        for word, near in neighbours(vectors, _watched(vectors, options)):
            print(f"  {word}: {near}")
    return vectors


def _need_numba() -> None:
    try:
        import numba  # noqa: F401
    except ImportError:
        raise ImportError("numba, which compiles the loops of word2vec, is not installed: pip install -e '.[words]'"
                          ) from None


def _open(work: Path, options: Word2vecOptions) -> None:
    """Creates the folder of the training, or checks that the one there belongs to the same training."""
    wanted = {name: value for name, value in dataclasses.asdict(options).items() if name not in _FREE}
    wanted["data"] = fingerprint([text for text in options.text if text != "-"])
    if (work / "options.json").is_file():
        before = read_json(work / "options.json")
        changed = [name for name, value in wanted.items() if before.get(name) != value]
        if not changed:
            return
        if not options.overwrite:
            raise ValueError(f"{work} has an interrupted training with other options ({', '.join(changed)}): give the same "
                             "options to resume it, add --overwrite to train again, or use another --output")
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    write_json(work / "options.json", wanted)


def _prepare(work: Path, options: Word2vecOptions) -> Vocabulary:
    """The vocabulary; the text is read only once."""
    if (work / "words.json").is_file() and (work / "ids").is_file():
        before = read_json(work / "words.json")
        return Vocabulary(before["words"], np.array(before["counts"]))
    start = time.monotonic()
    documents = read_documents(options.text, options.text_layout, options.encoding, options.field)
    try:
        vocabulary = write_ids(word_sentences(documents, options.words, options.lowercase), work / "ids",
                               options.min_count, options.phrases, max_words=options.max_words)
    except BaseException:  # nothing has been done that could be resumed
        shutil.rmtree(work)
        raise
    write_json(work / "words.json", {"words": vocabulary.words, "counts": vocabulary.counts.tolist()})
    if not options.quiet:
        print(f"read {int(vocabulary.counts.sum()):,} words, {len(vocabulary):,} different ones, in "
              f"{time.monotonic() - start:.0f} s", file=sys.stderr)
    return vocabulary


def _train(work: Path, vocabulary: Vocabulary, options: Word2vecOptions) -> Word2Vec:
    settings = Settings(options.architecture == "skipgram", options.dimension, options.window, options.negative,
                        options.sample, options.epochs, options.learning_rate, options.workers, options.seed)
    training = Word2Vec(vocabulary, settings)
    if training.restore(work) and not options.quiet:
        print(f"resuming after {training.progress.words:,} words", file=sys.stderr)
    watcher = _Watcher(work, training, options)
    with _deferred() as received:

        def each():
            watcher.look()
            if received:
                training.save(work)
                print(f"interrupted after {training.progress.words:,} words; the same command resumes", file=sys.stderr)
                raise KeyboardInterrupt if received[0] == signal.SIGINT else SystemExit(128 + received[0])

        try:
            training.train(work / "ids", each)
        finally:
            watcher.close()
    return training


@contextlib.contextmanager
def _deferred() -> Iterator[list[int]]:
    """Collects the signals of Ctrl-C and `kill`, so that no chunk is lost; a second one acts at once."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # Python delivers signals only there
        yield received
        return
    before = {}

    def note(number, frame):
        received.append(number)
        signal.signal(number, before[number])

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Watcher:
    """Shows progress, writes summaries, and saves the state, each in its time."""

    def __init__(self, work: Path, training: Word2Vec, options: Word2vecOptions):
        self.work, self.training, self.options = work, training, options
        self.total = training.total
        self.line = None if options.quiet else Line("", self.total, sys.stderr, 30.0, False)
        self.log_dir = options.log_dir or str(Path("logs", "word2vec", time.strftime("%Y%m%d-%H%M%S")))
        self.writer = create_writer(self.log_dir) if options.summary_every else None
        self.saved = self.written = time.monotonic()
        self.words_then, self.loss = training.progress.words, None

    def look(self) -> None:
        now, words = time.monotonic(), self.training.progress.words
        if self.writer is not None and (now - self.written >= self.options.summary_every or words >= self.total):
            self._write(now, words)
        if self.line is not None:
            self.line.advance(words, {} if self.loss is None else {"loss": self.loss}, lambda: {"words": words})
        if now - self.saved >= self.options.save_every:
            self.training.save(self.work)
            self.saved = time.monotonic()

    def _write(self, now: float, words: int) -> None:
        if words == self.words_then:
            return
        self.loss = self.training.progress.take()
        with self.writer.as_default(step=words):
            tf.summary.scalar("loss", self.loss)
            tf.summary.scalar("speed/words_per_second", (words - self.words_then) / max(now - self.written, 1e-9))
            tf.summary.scalar("optimizer/learning_rate", self.training.rate(words))
            vectors = self.training.vectors
            text_samples("neighbours", neighbours(vectors, _watched(vectors, self.options)), header=("word", "nearest"))
        self.written, self.words_then = now, words

    def close(self) -> None:
        if self.line is not None:
            words = self.training.progress.words
            self.line.close({} if self.loss is None else {"loss": self.loss}, lambda: {"words": words})
        if self.writer is not None:
            vectors = self.training.vectors
            write_projector(self.log_dir, {"words": Embedding(vectors.vectors[:_SHOWN], {
                "word": vectors.index_to_key[:_SHOWN], "count": vectors.counts[:_SHOWN].tolist()})})
            self.writer.close()


def _watched(vectors: WordVectors, options: Word2vecOptions) -> list[str]:
    """The words whose neighbours are shown: those asked for, or eight among the frequent ones, at equal distances."""
    if options.watch:
        return [word for word in options.watch if word in vectors]
    ranks = np.linspace(min(_RARE, len(vectors) - 1), min(10 * _RARE, len(vectors) - 1), 8).astype(int)
    return [vectors.index_to_key[rank] for rank in sorted(set(ranks))]


def neighbours(vectors: WordVectors, words: list[str], count: int = 6) -> list[tuple[str, str]]:
    """`(word, its nearest words with their cosines)` for each word."""
    return [(word, ", ".join(f"{near} {cosine:.2f}" for near, cosine in vectors.most_similar(word, topn=count)))
            for word in words]
