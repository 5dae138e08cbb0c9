"""The verb `tfplm tokenize`."""

import itertools
import sys
from collections.abc import Iterable, Iterator

from tfplm.core.terminal.results import Results
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


def _as_text(row: dict) -> str:
    return f"{' '.join(row['tokens'])}\n{' '.join(map(str, row['ids']))}"


@verb(TokenizeOptions)
def tokenize(options: TokenizeOptions) -> list[list[int]]:
    """Shows two lines for each text, with its tokens and its ids, or JSON, and returns the ids."""
    results = Results(options.json, options.output, overwrite=options.overwrite, as_text=_as_text, text_in_pipes=True)
    tokenizer = Tokenizer.from_pretrained(options.source)
    result = []
    with results:
        for row in _encoded(tokenizer, options):
            results.show({"tokens": tokenizer.convert_ids_to_tokens(row), "ids": row.tolist()})
            result.append(row.tolist())
    return result


def _encoded(tokenizer: Tokenizer, options: TokenizeOptions) -> Iterator:
    """The ids of each text."""
    typed = not options.text and not options.file and sys.stdin.isatty()  # at a terminal every line is answered at once
    for chunk in _chunks(_texts(options), 1 if typed else 500):
        texts, pairs = zip(*map(_halves, chunk)) if options.pairs else (chunk, None)
        yield from tokenizer(texts, pairs, options.max_length, padding=False,
                             truncation="longest_first" if options.max_length else False,
                             add_special_tokens=options.special_tokens)["input_ids"]
