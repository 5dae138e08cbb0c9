"""Options of `tfplm records`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class RecordsOptions(Options):
    """Tokenize a corpus into TFRecord shards.

    After an interruption, run the same command again to write the missing shards.
    """

    RUN = "tfplm.data.records.build:records"
    EXAMPLES = ("tfplm records novels/*.txt --tokenizer vocabulary -o records --held-out 0.02",
                "tfplm records wiki.txt.gz --tokenizer bert-base-uncased -o examples --layout bert --max-length 512")
    EXPLAINED = ("text", "output", "tokenizer", "layout", "text_layout", "field", "words", "held_out", "processes",
                 "overwrite")

    text: list[str] = flag(
        help="files, globs, folders, .gz, .jsonl, - for standard input, tfds:NAME[:SPLIT], builtin:python",
        positional=True)
    output: str = flag(help="folder to write")
    tokenizer: str = flag(help="folder of a tokenizer or of a model, or a vocab.txt, tokenizer.json or .model file")
    layout: Literal["tokens", "bert"] = flag("tokens", "tokens: documents of ids, with noise added while reading; "
                                                       "bert: the masked features of BERT's script")
    text_layout: Literal["auto", "sentences", "paragraphs", "wrapped", "documents"] = flag(
        "auto", "what a line of the text is: a sentence (as for BERT), a paragraph, a part of a paragraph, a document")
    encoding: str = flag("utf-8", "encoding of the text files")
    field: str | None = flag(None, "field of the text in JSON lines (default for .jsonl: text), or in a tfds data set")
    words: Literal["tokenizer", "jieba"] = flag("tokenizer", "words for whole-word masking; jieba: Chinese words")
    held_out: float = flag(0.0, "share of the text written to separate shards for evaluation")
    shard_megabytes: float = flag(4.0, "size of the text in a shard, in MB")
    processes: int = flag(0, "number of processes; 0: one per core")
    compression: Literal["auto", "gzip", "none"] = flag("auto", "auto: gzip for tokens, none for bert")
    overwrite: bool = flag(False, "write the records again, if there are some that were made with other options")
    max_length: int = flag(128, "layout bert: maximum tokens of an example")
    masking: Literal["token", "word", "ngram", "span"] = flag("token", "layout bert: the unit of masking")
    masked_rate: float = flag(0.15, "layout bert: share of masked tokens")
    max_predictions: int = flag(20, "layout bert: maximum number of masked tokens in an example")
    relation: Literal["next", "order", "order3"] = flag("next", "layout bert: next sentence, or sentence order")
    repeats: int = flag(10, "layout bert: number of differently masked copies of the text (dupe_factor)")
    short_rate: float = flag(0.1, "layout bert: share of documents with shorter examples")
