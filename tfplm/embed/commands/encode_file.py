"""Encoding of files larger than memory, and the verb `tfplm encode`."""

import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from tfplm.core.outputs import writing_file
from tfplm.data.text.text_files import find_files, read_lines
from tfplm.embed.commands.vector_files import writer_of
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.whitening import Whitening
from tfplm.embed.encoder.workers import PROBE, encode_in_processes
from tfplm.options.base import verb
from tfplm.options.encode import EncodeOptions, EncoderOptions

_CHUNK = 8192  # texts encoded together, sorted by length


def encode_file(encoder: SentenceEncoder, path: str | os.PathLike | list, output: str | os.PathLike, *,
                workers: int = 1, pairs: bool = False, encoding: str = "utf-8", show_progress: bool | None = None,
                **keywords) -> Path:
    """Writes the vectors of the lines of text files, in order, chunk by chunk.

    Args:
        path: a file, folder or glob, or several; also gzip files and "-", standard input. An empty line is an empty
            text, so that vector i belongs to line i.
        output: `.npy`, float32 `[N,H]` (which `np.load(output, mmap_mode="r")` maps into memory), or `.parquet` with
            the columns `text` and `vector`. The file appears only when it is complete. After a kill, the same call
            resumes an `.npy` file.
        workers: the number of processes, each with its own model and its share of the cores; the encoder must come from
            `from_pretrained`.
        pairs: each line is two texts, separated by a tab or " ||| ".
        encoding: the encoding of the files.
        show_progress: default: True at a terminal.
        keywords: batch_tokens, prompt and normalize, as in `encode`.

    Returns the path of the output. Raises ValueError for files without a line, and for pooling NONE.
    """
    if encoder.recipe.plan.of_tokens:
        raise ValueError("pooling NONE gives one vector per token, which does not fit into one array: choose another "
                         "pooling")
    files = [file for source in ([path] if isinstance(path, str | os.PathLike) else path)
             for file in (["-"] if str(source) == "-" else find_files(str(source)))]
    origin = None if "-" in files else _origin(encoder, files, {**keywords, "pairs": pairs, "encoding": encoding})
    writer = writer_of(output)(output, encoder.dimension, origin)
    if writer.rows and show_progress is not False:
        print(f"resuming at text {writer.rows:,} of {output}", file=sys.stderr)
    lines = itertools.islice(_lines(files, pairs, encoding), writer.rows, None)
    chunks = iter(lambda: list(itertools.islice(lines, _CHUNK)), [])
    disable = None if show_progress is None else not show_progress
    try:
        with tqdm(initial=writer.rows, total=_count(files), unit="text", unit_scale=True, disable=disable,
                  dynamic_ncols=True) as bar:
            for chunk, vectors in _encoded(encoder, chunks, workers, keywords):
                writer.write(vectors, [text if isinstance(text, str) else "\t".join(text) for text in chunk])
                bar.update(len(chunk))
        if not writer.rows:
            raise ValueError(f"{', '.join(files)}: no line of text; give a file with texts")
    except BaseException:
        writer.abandon()
        raise
    writer.close()
    return Path(output)


def _encoded(encoder: SentenceEncoder, chunks: Iterable[list], workers: int, keywords: dict
             ) -> Iterator[tuple[list, np.ndarray]]:
    if workers > 1:
        yield from encode_in_processes(encoder, chunks, workers, **keywords)
    else:
        for chunk in chunks:
            yield chunk, encoder.encode(chunk, show_progress=False, **keywords)


def _lines(files: list[str], pairs: bool, encoding: str) -> Iterator:
    for file in files:
        for number, line in enumerate(read_lines(file, encoding, longest=-1), 1):
            yield _pair(line, f"{file}:{number}") if pairs else line


def _pair(line: str, origin: str) -> tuple[str, str]:
    first, found, second = line.partition("\t")
    if not found:
        first, found, second = line.rpartition(" ||| ")
    if not found:
        raise ValueError(f"{origin}: no tab and no ' ||| ' between the two texts of the pair: {line[:60]!r}; separate "
                         "them by one of these")
    return first, second


def _origin(encoder: SentenceEncoder, files: list[str], reading: dict) -> dict:
    """Everything that the vectors depend on: the files, the settings, and the encoder, identified by a vector."""
    keywords = {name: value for name, value in reading.items() if name not in ("pairs", "encoding")}
    probe = encoder.encode(PROBE, **keywords).astype(float)
    reading = {**reading, "max_length": encoder.recipe.max_length, "lowercase": encoder.recipe.lowercase}
    stats = [(file, os.stat(file).st_size, os.stat(file).st_mtime_ns) for file in files]
    return {"files": [list(stat) for stat in stats], "probe": np.round(probe, 3).tolist(),
            "reading": {name: str(value) for name, value in reading.items()}}


def _count(files: list[str]) -> int | None:
    """The number of lines for the progress bar; None if the files include a stream."""
    if any(file == "-" or file.endswith(".gz") for file in files):
        return None
    total = 0
    for name in files:
        last = b"\n"
        with open(name, "rb") as file:
            while block := file.read(1 << 20):
                total, last = total + block.count(b"\n"), block[-1:]
        total += last != b"\n"
    return total


def open_encoder(options: EncoderOptions) -> SentenceEncoder:
    """Loads the encoder described by the flags of a verb."""
    encoder = SentenceEncoder.from_pretrained(
        options.init, options.pooling or None, options.layers or None, options.normalize, options.max_length,
        options.dtype, average_layers=options.average_layers, mask_cls_sep=options.mask_cls_sep, backend=options.backend,
        precision=options.precision)
    if options.whitening:
        encoder.whitening = Whitening.load(options.whitening)
    return encoder


@verb(EncodeOptions)
def run(options: EncodeOptions) -> Path:
    """Writes the vectors and prints their number, length and file."""
    with writing_file(options.output, options.overwrite):
        encoder = open_encoder(options)
        output = encode_file(encoder, options.text, options.output, workers=options.workers, pairs=options.pairs,
                             encoding=options.encoding, show_progress=False if options.quiet else None,
                             prompt=options.prompt, batch_tokens=options.batch_tokens)
    if not options.quiet:
        print(f"{output}: {_rows(output):,} vectors of {encoder.dimension} numbers")
    return output


def _rows(path: Path) -> int:
    if path.suffix.lower() == ".npy":
        return len(np.load(path, mmap_mode="r"))
    from pyarrow import parquet
    return parquet.read_metadata(path).num_rows
