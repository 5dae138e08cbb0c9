"""Options of `tfplm similar`."""

import dataclasses

from tfplm.options.base import ResultOptions, flag
from tfplm.options.encode import EncoderOptions


@dataclasses.dataclass(kw_only=True)
class SimilarOptions(ResultOptions, EncoderOptions):
    """Print the cosine similarity of two texts, -1 to 1.

    A and B are texts, or files with one text per line. For a text and a file, print the nearest lines of the file; for
    two files with equally many lines, print the cosine of each pair of lines.
    """

    RUN = "tfplm.embed.commands.similar:run"
    EXAMPLES = ('tfplm similar "a good film" "a great movie" --init all-MiniLM-L6-v2',
                'tfplm similar "a good film" reviews.txt --init all-MiniLM-L6-v2 --top 5')
    UNUSED = ("seed",)

    a: str = flag(help="a text, or a file of texts", positional=True)
    b: str = flag(help="a text, or a file of texts", positional=True)
    top: int = flag(10, "number of nearest lines to show for a text and a file", short="-n")
    prompt: str | None = flag(None, "prefix of each text: a prompt's name in the folder, or the prompt itself")
    encoding: str = flag("utf-8", "encoding of the text files")
