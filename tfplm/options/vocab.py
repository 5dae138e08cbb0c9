"""Options of `tfplm vocab`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class VocabOptions(Options):
    """Learn a vocabulary from a corpus, and write it in the formats of BERT's repository and Hugging Face."""

    RUN = "tfplm.data.text.vocab:vocab"
    EXAMPLES = ("tfplm vocab novels/*.txt -o vocabulary --vocab-size 8000",
                "tfplm vocab reviews.jsonl --field text -o bpe --kind byte_bpe --model-type gpt2")
    UNUSED = ("seed",)

    text: list[str] = flag(
        help="files, globs, folders, .gz, .jsonl, - for standard input, tfds:NAME[:SPLIT], builtin:python",
        positional=True)
    output: str = flag(help="folder to write")
    overwrite: bool = flag(False, "write the vocabulary again, if there is one")
    kind: Literal["wordpiece", "bpe", "byte_bpe", "sentencepiece"] = flag(
        "wordpiece", "wordpiece: BERT; bpe: the first GPT; byte_bpe: GPT-2, RoBERTa; sentencepiece: ALBERT, T5, XLNet")
    vocab_size: int = flag(8000, "maximum number of tokens, including special tokens; Chinese characters alone are "
                                 "4,000 to 8,000")
    model_type: str | None = flag(None, "family whose special tokens and file layout to use, such as electra, gpt2, t5 "
                                        "(default: bert, openai-gpt, roberta or albert, by kind)")
    special_tokens: list[str] = flag(
        factory=list, help="special tokens in addition to those of the family, such as [SPEAKER]")
    unused_tokens: int = flag(0, "number of tokens [unused1], [unused2], ... to reserve for later use")
    character_coverage: float = flag(1.0, "share of the text whose characters get a token; usual for Chinese: 0.9995")
    lowercase: bool | None = flag(None, "lower-case and strip accents (default: by family)")
    min_frequency: int = flag(2, "merge two adjacent pieces only if they occur together at least this often")
    text_layout: Literal["auto", "sentences", "paragraphs", "wrapped", "documents"] = flag(
        "auto", "what a line of the text is: a sentence, a paragraph, a part of a paragraph, or a document")
    encoding: str = flag("utf-8", "encoding of the text files")
    field: str | None = flag(None, "field of the text in JSON lines (default for .jsonl: text), or in a tfds data set")
