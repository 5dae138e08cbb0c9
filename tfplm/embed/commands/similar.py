"""`tfplm similar`: cosine similarities of texts and files."""

import heapq
import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from tfplm.core.terminal.results import Results
from tfplm.data.text.text_files import is_file, read_lines
from tfplm.embed.commands.encode_file import open_encoder
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.options.base import verb
from tfplm.options.similar import SimilarOptions

_CHUNK = 4096


def similarity(encoder: SentenceEncoder, first: list, second: list, **keywords) -> np.ndarray:
    """float32 `[N]`: the cosines of `first[i]` and `second[i]`. keywords: as in `encode`.

    Raises ValueError for lists of different lengths.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} texts: expected equally many, because text i is compared "
                         "with text i")
    vectors = encoder.encode([*first, *second], normalize=True, **keywords)
    return (vectors[:len(first)] * vectors[len(first):]).sum(-1)


def nearest(encoder: SentenceEncoder, text: str, candidates: Iterable[str], top: int = 10, **keywords
            ) -> list[tuple[float, int, str]]:
    """The candidates with the largest cosine: (cosine, index, candidate), best first.

    The candidates are read once, chunk by chunk.
    """
    query = encoder.encode(text, normalize=True, **keywords)
    best, numbered = [], enumerate(candidates)
    while chunk := list(itertools.islice(numbered, _CHUNK)):
        vectors = encoder.encode([candidate for _, candidate in chunk], normalize=True, **keywords)
        found = ((float(score), -index, candidate) for score, (index, candidate) in zip(vectors @ query, chunk))
        best = heapq.nlargest(top, itertools.chain(best, found))
    return [(score, -index, candidate) for score, index, candidate in best]


@verb(SimilarOptions)
def run(options: SimilarOptions) -> np.ndarray | list[tuple[float, int, str]]:
    """Shows the cosines. Returns them, or the result of `nearest` for a text and a file."""
    if options.top < 1:
        raise ValueError(f"top is {options.top}, expected 1 or more")
    files = [is_file(name) for name in (options.a, options.b)]
    one_file = sum(files) == 1
    results = Results(options.json, options.output, overwrite=options.overwrite,
                      cells=lambda row: {**row, "cosine": f"{row['cosine']:.4f}"},
                      as_text=None if one_file else lambda row: f"{row['cosine']:.4f}")
    encoder = open_encoder(options)
    keywords = {"prompt": options.prompt, "show_progress": None if not options.quiet else False}
    with results:
        if one_file:
            file, text = (options.a, options.b) if files[0] else (options.b, options.a)
            found = nearest(encoder, text, read_lines(file, options.encoding, longest=-1), options.top, **keywords)
            for score, index, candidate in found:
                results.show({"cosine": score, "index": index, "text": candidate})
            return found
        cosines = [np.zeros(0, np.float32)]
        for chunk in _compare(encoder, options, files, keywords):
            cosines.append(chunk)
            for cosine in chunk:
                results.show({"cosine": float(cosine)})
    return np.concatenate(cosines)


def _compare(encoder: SentenceEncoder, options: SimilarOptions, files: list[bool], keywords: dict
             ) -> Iterator[np.ndarray]:
    """The cosines of two texts, or of the lines of two files, chunk by chunk."""
    sides = [read_lines(name, options.encoding, longest=-1) if file else iter([name])
             for name, file in zip((options.a, options.b), files)]
    done = 0
    while any(chunks := [list(itertools.islice(side, _CHUNK)) for side in sides]):
        if len(chunks[0]) != len(chunks[1]):
            lines = [done + len(chunk) for chunk in chunks]
            more = "" if _CHUNK in map(len, chunks) else f", {lines[0]} and {lines[1]}"
            raise ValueError(f"{options.a} and {options.b} have different numbers of lines{more}: expected equally "
                             "many, because line i is compared with line i")
        yield similarity(encoder, *chunks, **keywords)
        done += len(chunks[0])
