"""Options of `tfplm demo`."""

import dataclasses
from typing import Literal

from tfplm.options.base import DeviceOptions, flag


@dataclasses.dataclass(kw_only=True)
class DemoOptions(DeviceOptions):
    """Run the whole workflow in a few minutes, without a network: learn a vocabulary from a corpus, write records,
    pre-train a small ModernBERT on them with masked words, and show what it has learned.

    Everything is written to --output. After Ctrl-C or a kill, run the same command again to resume.
    """

    RUN = "tfplm.demos.demo:demo"
    EXAMPLES = ("tfplm demo", "tfplm demo --text novel.txt -o novel-demo")

    text: list[str] = flag(
        factory=list, help="corpus, Chinese or English: files, globs, folders, .gz, .jsonl (default: the texts that "
                           "ship with every Python, builtin:python)")
    output: str | None = flag(None, "folder for the vocabulary, the records, the model and the TensorBoard logs "
                                    "(default: tfplm-demo, or tfplm-demo-NAME for the text NAME)")
    overwrite: bool = flag(False, "start again, if the folder has a demo")
    steps: int | None = flag(None, "training steps, without a time limit (default: about three minutes on two cores)")
    minutes: float | None = flag(None, "stop training after this many minutes (default without --steps: so that the "
                                        "whole demo takes less than five)")
    vocab_size: int | None = flag(None, "size of the vocabulary (default: 3000; Chinese: 5000)")
    text_layout: Literal["auto", "sentences", "paragraphs", "wrapped", "documents"] = flag(
        "auto", "what a line of the text is: a sentence, a paragraph, a part of a paragraph, or a document")
    encoding: str = flag("utf-8", "encoding of the text files")
    sentences: int = flag(5, "number of held-out sentences to show, with a mask that is filled")
