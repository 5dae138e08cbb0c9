"""Options of `tfplm records`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class RecordsOptions(Options):
    """Tokenize a corpus into TFRecord shards.

    Run again after an interruption, it goes on with the shards that are missing.
    """

    RUN = "tfplm.data.records.build:records"

    text: list[str] = flag(
        help="files, globs, folders, .gz, .jsonl, - for standard input, tfds:NAME[:SPLIT], builtin:python",
        positional=True)
    output: str = flag(help="folder of the records")
    tokenizer: str = flag(help="folder of the tokenizer or of a model, or a vocab.txt, tokenizer.json, .model file")
    layout: Literal["tokens", "bert"] = flag("tokens", "tokens: documents of ids, noise comes while reading; "
                                                       "bert: the masked features of BERT's own script")
    text_layout: Literal["auto", "sentences", "paragraphs", "wrapped", "documents"] = flag(
        "auto", "a line of the text is a sentence (as BERT wants it), a paragraph, a piece of a paragraph, a document")
    encoding: str = flag("utf-8", "of the text files")
    field: str | None = flag(None, "the text's field in JSON lines (.jsonl: text), or in a tfds data set")
    words: Literal["tokenizer", "jieba"] = flag("tokenizer", "whose words whole-word masks will hide; jieba: Chinese")
    held_out: float = flag(0.0, "share of the text that goes to shards of its own, for evaluation")
    shard_megabytes: float = flag(4.0, "text in a shard, in MB")
    processes: int = flag(0, "number of processes (0: one per core)")
    compression: Literal["auto", "gzip", "none"] = flag("auto", "auto: gzip for tokens, none for bert")
    overwrite: bool = flag(False, "delete records that were made with other options")
    max_length: int = flag(128, "layout bert: tokens of an example")
    masking: Literal["token", "word", "ngram", "span"] = flag("token", "layout bert: what is masked as a whole")
    masked_rate: float = flag(0.15, "layout bert: share of masked tokens")
    max_predictions: int = flag(20, "layout bert: most masked tokens of an example")
    relation: Literal["next", "order", "order3"] = flag("next", "layout bert: next sentence, or sentence order")
    repeats: int = flag(10, "layout bert: times that the text is masked anew (dupe_factor)")
    short_rate: float = flag(0.1, "layout bert: share of documents with shorter examples")
