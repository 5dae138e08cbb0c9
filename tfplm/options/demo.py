"""Options of `tfplm demo`."""

import dataclasses
from typing import Literal

from tfplm.options.base import Options, flag


@dataclasses.dataclass(kw_only=True)
class DemoOptions(Options):
    """The whole way in a few minutes, without a network: a corpus, its vocabulary, records, a small ALBERT pre-trained
    on them with masked words and sentence order, and what it has learned.

    Everything is written below --output. Interrupted by Ctrl-C or killed, the same command goes on where it was.
    """

    RUN = "tfplm.demos.demo:demo"

    text: list[str] = flag(
        factory=list, help="corpus, Chinese or English: files, globs, folders, .gz, .jsonl (default: the texts that "
                           "every Python brings along, builtin:python)")
    output: str = flag("tfplm-demo", "folder of the vocabulary, the records, the model and the TensorBoard logs")
    steps: int | None = flag(None, "training steps, as long as they take (default: about three minutes on two cores)")
    minutes: float | None = flag(None, "stop the training after so many minutes (default without --steps: so that "
                                        "everything is done in less than five)")
    vocab_size: int | None = flag(None, "tokens of the vocabulary (default: 3000; Chinese: 5000)")
    text_layout: Literal["auto", "sentences", "paragraphs", "wrapped", "documents"] = flag(
        "auto", "a line of the text is a sentence, a paragraph, a piece of a paragraph, or a document")
    encoding: str = flag("utf-8", "of the text files")
    sentences: int = flag(5, "held-out sentences to fill masks in, and texts to generate")
