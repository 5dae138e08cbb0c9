"""`tfplm records`: tokenizes a corpus into shards, in parallel and restartable."""

import concurrent.futures
import errno
import hashlib
import itertools
import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from tfplm.core.outputs import date_of, known_files, locked
from tfplm.core.worker_process import end_with_parent
from tfplm.data.records.index import INDEX, JOURNAL, Journal
from tfplm.data.records.shards import ShardWriter
from tfplm.data.sequences.documents import noise_vocabulary
from tfplm.data.text.corpus import read_documents
from tfplm.data.text.text_files import size_of
from tfplm.options.base import verb
from tfplm.options.records import RecordsOptions
from tfplm.tokenizers import Tokenizer

Block = tuple[int, list[list[str]], str, int]  # number, documents, digest of the text, its bytes
_WRITER: ShardWriter | None = None  # set in a worker process

# the options that determine the bytes of the shards
_SETTINGS = ("layout", "words", "held_out", "shard_megabytes", "compression")
_BERT_SETTINGS = ("seed", "max_length", "masking", "masked_rate", "max_predictions", "relation", "repeats",
                  "short_rate")


def _settings(options: RecordsOptions, tokenizer: Tokenizer) -> dict:
    names = _SETTINGS + (_BERT_SETTINGS if options.layout == "bert" else ())
    words = sorted((i, token) for token, i in tokenizer.vocab.items())
    return {name: getattr(options, name) for name in names} | {
        "tokenizer": f"{tokenizer.family}, {len(tokenizer)} tokens, "
                     + hashlib.blake2b(repr((words, tokenizer.settings)).encode(), digest_size=8).hexdigest()}


def cut_blocks(documents: Iterator[list[str]], size: int) -> Iterator[Block]:
    """Groups whole documents into blocks of at least `size` bytes of text (the last block may be smaller)."""
    number, block, digest, length = 0, [], hashlib.blake2b(digest_size=16), 0
    for document in documents:
        data = "\n".join(document).encode("utf-8", "surrogatepass") + b"\n\n"
        digest.update(data)
        block.append(document)
        length += len(data)
        if length >= size:
            yield number, block, digest.hexdigest(), length
            number, block, digest, length = number + 1, [], hashlib.blake2b(digest_size=16), 0
    if block:
        yield number, block, digest.hexdigest(), length


def _start_worker(options: RecordsOptions) -> None:
    """Initializes a worker. The arguments are small: a child that dies before reading large ones hangs its parent."""
    global _WRITER
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are the parallelism
    end_with_parent()
    _WRITER = ShardWriter(options, Tokenizer.from_pretrained(options.tokenizer))


def _write(number: int, texts: list[list[str]], digest: str, size: int) -> tuple[dict, int]:
    assert _WRITER is not None  # made by _start_worker
    return _WRITER.write(number, texts, digest), size


def _write_all(blocks: Iterator[Block], processes: int, options: RecordsOptions, tokenizer: Tokenizer,
               done: Callable[[dict, int], None]) -> None:
    """Writes the blocks; at most `processes + 1` of them are in memory."""
    if processes == 1:
        writer = ShardWriter(options, tokenizer)
        for number, texts, digest, size in blocks:
            done(writer.write(number, texts, digest), size)
        return
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(processes, context, _start_worker, (options,))
    waiting = set()
    try:
        for block in blocks:
            waiting.add(pool.submit(_write, *block))
            if len(waiting) > processes:
                finished, waiting = concurrent.futures.wait(waiting, return_when="FIRST_COMPLETED")
                for future in finished:
                    done(*future.result())
        for future in concurrent.futures.as_completed(waiting):
            done(*future.result())
    except concurrent.futures.BrokenExecutor:
        raise RuntimeError("a worker process died, perhaps because memory ran out; the finished shards are kept: run "
                           "the same command again, with fewer --processes or smaller --shard-megabytes. A script that "
                           "calls records() must do so below `if __name__ == '__main__':`, or with processes=1"
                           ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@verb(RecordsOptions)
def records(options: RecordsOptions) -> dict:
    """Tokenizes a corpus into sharded TFRecords and returns the index, which is also written as `index.json`.

    The output folder also gets the tokenizer, in `tokenizer/`. The bytes of the shards depend on the text, the
    tokenizer and the options, not on the number of processes or on interruptions. Raises ValueError if the folder holds
    records made with other options, FileExistsError if it has other files, and OSError if the disk is full; finished
    shards are kept in all cases.
    """
    _check(options)
    blocks = cut_blocks(read_documents(options.text, options.text_layout, options.encoding, options.field),
                        int(options.shard_megabytes * 1e6))
    tokenizer = Tokenizer.from_pretrained(options.tokenizer)
    first = list(itertools.islice(blocks, 2))  # an unreadable corpus fails here, before the folder is touched
    processes = 1 if len(first) < 2 else options.processes or os.cpu_count() or 1
    try:
        known_files(options.output, (INDEX, JOURNAL))
        with locked(options.output):
            index = _make(options, itertools.chain(first, blocks), tokenizer, processes)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise OSError(error.errno, "the disk is full, or a size limit was reached; the finished shards are complete: "
                                   "free some space and run the same command again", options.output) from None
    if not options.quiet:
        print(_summary(index, options.output))
    return index


def _make(options: RecordsOptions, blocks: Iterator[Block], tokenizer: Tokenizer, processes: int) -> dict:
    """Writes the missing shards and the index."""
    folder = Path(options.output)
    saved = next((date_of(folder / name) for name in (JOURNAL, INDEX) if (folder / name).is_file()), None)
    journal = Journal(folder, _settings(options, tokenizer), options.overwrite)
    if journal.shards and not options.quiet:
        print(f"resuming with {len(journal.shards):,} finished shards (of {saved}); those whose text has not changed are "
              "kept", flush=True)
    tokenizer.save_pretrained(folder / "tokenizer")
    count = 0
    with tqdm(total=size_of(options.text), unit="B", unit_scale=True, desc="records",
              disable=options.quiet or None) as progress:

        def missing() -> Iterator[Block]:
            nonlocal count
            for block in blocks:
                count += 1
                if journal.has(block[0], block[2]):
                    progress.update(block[3])
                else:
                    yield block

        def done(shard: dict, size: int) -> None:
            journal.add(shard)
            progress.update(size)

        _write_all(missing(), processes, options, tokenizer, done)
    return journal.finish(count, layout=options.layout, sources=list(options.text),
                          vocabulary=noise_vocabulary(tokenizer).to_json())


def _summary(index: dict, folder: str) -> str:
    unit = "documents" if index["layout"] == "tokens" else "examples"
    return "\n".join(f"{split}: {total['records']:,} {unit} of {total['tokens']:,} tokens in {total['files']} file(s), "
                     f"{_size(total['bytes'])}, in {folder}" for split, total in index["totals"].items())


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def _check(options: RecordsOptions) -> None:
    if not 0 <= options.held_out < 1:
        raise ValueError(f"held_out {options.held_out}: expected a share of at least 0 and below 1")
    if options.shard_megabytes <= 0:
        raise ValueError(f"shard_megabytes {options.shard_megabytes}: expected more than 0")
    if options.layout == "bert" and (options.max_length < 5 or options.repeats < 1):
        raise ValueError(f"max_length {options.max_length}, repeats {options.repeats}: expected at least 5 and 1")
