"""Options of `tfplm tokenize`."""

import dataclasses

from tfplm.options.base import ResultOptions, flag


@dataclasses.dataclass(kw_only=True)
class TokenizeOptions(ResultOptions):
    """Show the tokens and ids of texts, given as arguments, in a file, or on standard input."""

    RUN = "tfplm.tokenizers.command:tokenize"
    EXAMPLES = ('tfplm tokenize bert-base-uncased "Hello, world!"',
                "tfplm tokenize vocab.txt --file sentences.txt --json")
    UNUSED = ("seed", "quiet", "config")

    source: str = flag(help="folder of the tokenizer's files, one of these files, or a name on the Hugging "
                           "Face hub", positional=True)
    text: list[str] = flag(
        factory=list, help="texts (default: read --file or standard input)", positional=True)
    file: str | None = flag(None, "read the texts from this file, one per line")
    pairs: bool = flag(False, "each text is a pair, separated by a tab or by ' ||| '")
    max_length: int | None = flag(None, "truncate longer texts to this many tokens")
    special_tokens: bool = flag(True, "add the special tokens of the model")
