"""Flags of `tfplm tokenize`."""

import dataclasses

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class TokenizeOptions(Options):
    """Shows the tokens and the ids of texts: of the arguments, of a file, or of standard input, a text a line."""

    RUN = "tfplm.tokenizers.command:tokenize"

    text: list[str] = flag(
        factory=list, help="texts; none: read --file or standard input", positional=True)
    source: str = flag(help="folder of the tokenizer's files, one of these files, or a name on the Hugging Face hub")
    file: str | None = flag(None, "read the texts from this file, a text a line")
    pairs: bool = flag(False, "each text is two, divided by a tab or by ' ||| '")
    max_length: int | None = flag(None, "cut longer texts to this many tokens")
    special_tokens: bool = flag(True, "with the special tokens of the model")
