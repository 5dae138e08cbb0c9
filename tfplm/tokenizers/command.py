"""The verb `tfplm tokenize`."""

import itertools
import sys
from collections.abc import Iterable, Iterator

from tfplm.options.base import verb
from tfplm.options.tokenize import TokenizeOptions
from tfplm.tokenizers.tokenizer import Tokenizer


def _texts(options: TokenizeOptions) -> Iterator[str]:
    if options.text:
        yield from options.text
    elif options.file:
        with open(options.file, encoding="utf-8-sig") as file:
            yield from (line.rstrip("\n") for line in file)
    else:
        yield from (line.rstrip("\n") for line in sys.stdin)


def _halves(text: str) -> tuple[str, str]:
    divider = "\t" if "\t" in text else " ||| "
    first, found, second = text.partition(divider)
    if not found:
        raise ValueError(f"no tab and no ' ||| ' between the two texts of the pair: {text[:80]!r}; separate them "
                         "by one of these")
    return first, second


def _chunks(texts: Iterable[str], size: int) -> Iterator[list[str]]:
    texts = iter(texts)
    while chunk := list(itertools.islice(texts, size)):
        yield chunk


@verb(TokenizeOptions)
def tokenize(options: TokenizeOptions) -> list[list[int]]:
    """Prints two lines for each text, with its tokens and its ids, and returns the ids."""
    tokenizer = Tokenizer.from_pretrained(options.source)
    result = []
    # at a terminal every line is answered at once
    typed = not options.text and not options.file and sys.stdin.isatty()
    for chunk in _chunks(_texts(options), 1 if typed else 500):
        texts, pairs = zip(*map(_halves, chunk)) if options.pairs else (chunk, None)
        rows = tokenizer(texts, pairs, options.max_length, padding=False,
                         truncation="longest_first" if options.max_length else False,
                         add_special_tokens=options.special_tokens)["input_ids"]
        for row in rows:
            print(" ".join(tokenizer.convert_ids_to_tokens(row)))
            print(" ".join(map(str, row)))
        result += [row.tolist() for row in rows]
    return result
