"""Options of `tfplm word2vec`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class Word2vecOptions(Options):
    """Train word vectors on raw text: word2vec's CBOW and skip-gram, with negative sampling or hierarchical softmax.

    OUTPUT is what tfplm.WordVectors.load and gensim read. Needs numba: pip install -e '.[words]'. After an interruption,
    run the same command again to resume.
    """

    RUN = "tfplm.pretrain.words.run:word2vec"
    EXAMPLES = ("tfplm word2vec novels/*.txt -o novels.vec --words jieba",
                "tfplm word2vec wiki.txt -o wiki.bin --format word2vec_binary --architecture cbow --dimension 300")
    EXPLAINED = ("text", "output", "overwrite", "architecture", "dimension", "window", "negative", "min_count", "epochs",
                 "words", "format")

    text: list[str] = flag(
        help="files, globs, folders, .gz, .jsonl, - for standard input, tfds:NAME[:SPLIT], builtin:python", positional=True)
    output: str = flag(help="the file to write; OUTPUT.training, beside it, holds what an interrupted training resumes from")
    overwrite: bool = flag(False, "train again, if the file exists, or belongs to a training with other options")
    format: Literal["word2vec", "word2vec_binary", "glove", "folder"] = flag(
        "word2vec", "word2vec: text with a header; glove: without; folder: words.txt and vectors.npy, mapped when read")
    architecture: Literal["skipgram", "cbow"] = flag(
        "skipgram", "skipgram: each neighbour predicts the word; cbow: the mean of all neighbours does")
    dimension: int = flag(100, "numbers of a vector")
    window: int = flag(5, "largest distance of neighbours; the actual one is drawn for each word")
    negative: int = flag(5, "negative words for each prediction; 0: hierarchical softmax")
    sample: float = flag(1e-3, "relative frequency above which words are left out at times; 0: never")
    min_count: int = flag(5, "rarer words are left out")
    max_words: int | None = flag(None, "number of words, the most frequent ones (default: all)")
    phrases: int = flag(0, "how often neighbours that occur together are joined to one word, such as new_york")
    epochs: int = flag(5, "passes over the text")
    learning_rate: float | None = flag(None, "first learning rate; it falls linearly (default: 0.025, cbow 0.05)")
    workers: int = flag(2, "threads; only one thread gives the same numbers in each run")
    words: Literal["auto", "blanks", "letters", "jieba", "characters"] = flag(
        "auto", "how text is split: blanks (split already), letters (runs of letters and digits), jieba (Chinese words), "
                "characters; auto: jieba for Chinese, else letters")
    lowercase: bool = flag(True, "lower-case the text")
    text_layout: Literal["auto", "sentences", "paragraphs", "wrapped", "documents"] = flag(
        "auto", "what a line of the text is: a sentence, a paragraph, a part of a paragraph, or a document")
    encoding: str = flag("utf-8", "encoding of the text files")
    field: str | None = flag(None, "field of the text in JSON lines (default for .jsonl: text), or in a tfds data set")
    log_dir: str | None = flag(None, "folder for TensorBoard event files (default: logs/word2vec/DATE-TIME)")
    watch: list[str] = flag(factory=list, help="words whose neighbours TensorBoard shows (default: eight frequent ones)")
    summary_every: float = flag(10.0, "seconds between two points of the TensorBoard curves; 0: no summaries")
    save_every: float = flag(600.0, "seconds between two saved states")

    def __post_init__(self):
        for name, least in (("dimension", 1), ("window", 1), ("negative", 0), ("min_count", 1), ("epochs", 1),
                            ("workers", 1), ("phrases", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if self.learning_rate is None:
            self.learning_rate = 0.025 if self.architecture == "skipgram" else 0.05
        if not 0 < self.learning_rate <= 1 or not 0 <= self.sample < 1:
            raise ValueError(f"learning_rate is {self.learning_rate} and sample {self.sample}, expected more than 0 and at "
                             "most 1, and 0 or a small share such as 1e-3")
