"""Options of `tfplm similar`."""

import dataclasses

from tfplm.options.base import Options, flag
from tfplm.options.encode import EncoderOptions


@dataclasses.dataclass(kw_only=True)
class SimilarOptions(Options, EncoderOptions):
    """Print the cosine of the vectors of two texts, -1 to 1.

    A and B are texts, or names of files with a text a line. A text and a file: the nearest lines of the file. Two
    files of as many lines: a cosine for each two lines.
    """

    RUN = "tfplm.embed.commands.similar:run"

    a: str = flag(help="a text, or a file of texts", positional=True)
    b: str = flag(help="a text, or a file of texts", positional=True)
    top: int = flag(10, "how many lines of a file are shown for a text", short="-n")
    prompt: str | None = flag(None, "written before each text: a prompt's name in the folder, or the prompt itself")
    encoding: str = flag("utf-8", "of the text files")
