"""Options of `tfplm vocab`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class VocabOptions(Options):
    """Learn a vocabulary from a corpus, and write it as BERT's repository and Hugging Face read it."""

    RUN = "tfplm.data.text.vocab:vocab"

    text: list[str] = flag(
        help="files, globs, folders, .gz, .jsonl, - for standard input, tfds:NAME[:SPLIT], builtin:python",
        positional=True)
    output: str = flag(help="folder of the tokenizer's files")
    kind: Literal["wordpiece", "bpe", "byte_bpe", "sentencepiece"] = flag(
        "wordpiece", "wordpiece: BERT; bpe: the first GPT; byte_bpe: GPT-2, RoBERTa; sentencepiece: ALBERT, T5, XLNet")
    vocab_size: int = flag(8000, "tokens at most, special ones included; Chinese characters alone are 4,000 to 8,000")
    model_type: str | None = flag(None, "family whose special tokens and file layout to use, such as electra, gpt2, t5 "
                                        "(default: bert, openai-gpt, roberta, albert, by kind)")
    special_tokens: list[str] = flag(
        factory=list, help="more special tokens than the family's own, such as [SPEAKER]")
    unused_tokens: int = flag(0, "how many [unused1], [unused2], ... to keep free for later use")
    character_coverage: float = flag(1.0, "share of the text whose characters get a token; usual for Chinese: 0.9995")
    lowercase: bool | None = flag(None, "lower-case and strip accents (default: as the family does)")
    min_frequency: int = flag(2, "a piece is made of two that stand together at least this often")
    text_layout: Literal["auto", "sentences", "paragraphs", "wrapped", "documents"] = flag(
        "auto", "a line of the text is a sentence, a paragraph, a piece of a paragraph, or a document")
    encoding: str = flag("utf-8", "of the text files")
    field: str | None = flag(None, "the text's field in JSON lines (.jsonl: text), or in a tfds data set")
