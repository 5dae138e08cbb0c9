"""Speed and memory of `tfplm records`, and speed of the input pipeline of training, without a model.

    python tests/benchmarks/records.py [--text FILE ...] [--vocab vocab.txt] [--processes N] [--memory-megabytes 1000]

Without --text it uses the built-in English corpus, and a vocabulary of its words. It prints MB of text per second and
core, the tokenizer's part of the time, tokens per second of reading + packing + noise + batching, and with
--memory-megabytes the peak memory of all processes while a synthetic corpus of this size is converted to records.
"""

import argparse
import collections
import functools
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

from tfplm.data.batches.batch_source import token_batches
from tfplm.data.batches.batching import Batching
from tfplm.data.noise import Masking, corrupt_spans, denoise, mask_tokens, mix_policies, predict_next
from tfplm.data.records.build import records
from tfplm.data.records.reader import TokenRecords
from tfplm.data.sequences.documents import encode_documents
from tfplm.data.sequences.recipes import Sequences
from tfplm.data.text.corpus import read_documents
from tfplm.tokenizers import Tokenizer


def word_vocabulary(sources: list[str], path: Path) -> str:
    """Writes a WordPiece vocabulary of the most common words and all characters of the corpus, and returns its path."""
    counts = collections.Counter(word for document in read_documents(sources) for sentence in document
                                 for word in re.findall(r"\w+|[^\w\s]", sentence.lower()))
    letters = sorted({letter for word in counts for letter in word})
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters),
             *(word for word, _ in counts.most_common(8000))]
    path.write_text("\n".join(dict.fromkeys(words)) + "\n", encoding="utf-8")
    return str(path)


def measure_records(sources: list[str], vocabulary: str, folder: Path, processes: int) -> None:
    start = time.process_time()
    documents = list(read_documents(sources))
    reading = time.process_time() - start
    size = sum(len(sentence.encode()) for document in documents for sentence in document) / 1e6
    tokenizer = Tokenizer.from_pretrained(vocabulary)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    start = time.process_time()
    sentences = [sentence for document in documents for sentence in document]
    for first in range(0, len(sentences), 2048):
        tokenizer._backend.encode_batch_fast(sentences[first:first + 2048], add_special_tokens=False)
    rust = time.process_time() - start
    start = time.process_time()
    tokens = sum(map(len, encode_documents(documents, tokenizer)))
    encoding = time.process_time() - start
    start, wall = time.process_time(), time.perf_counter()
    records(text=sources, tokenizer=vocabulary, output=str(folder / "one"), processes=1, quiet=True)
    whole = time.process_time() - start
    print(f"corpus {size:.1f} MB, {tokens:,} tokens")
    for name, seconds in (("reading and sentences", reading), ("tokenizers (Rust)", rust),
                          ("documents of ids", encoding), ("records, one core", whole)):
        print(f"  {name:24s} {size / seconds:7.2f} MB/s  {tokens / seconds / 1e3:8.0f} thousand tokens/s"
              f"  {seconds / whole:5.0%} of the whole")
    one = time.perf_counter() - wall
    wall = time.perf_counter()
    records(text=sources, tokenizer=vocabulary, output=str(folder / "all"), processes=processes, quiet=True,
            shard_megabytes=min(4.0, size / processes / 2))
    print(f"  {processes} processes: {size / (time.perf_counter() - wall):.2f} MB/s, wall; one: {size / one:.2f}")


def measure_pipeline(folder: Path) -> None:
    reader = TokenRecords(folder)
    vocabulary = reader.vocabulary
    noises = {
        "mlm": ("framed", functools.partial(mask_tokens, vocabulary=vocabulary)),
        "mlm, whole words": ("framed", functools.partial(mask_tokens, vocabulary=vocabulary, masking=Masking("word"))),
        "mlm, spans": ("framed", functools.partial(mask_tokens, vocabulary=vocabulary, masking=Masking("span"))),
        "mlm + next sentence": ("next", functools.partial(mask_tokens, vocabulary=vocabulary)),
        "mlm + sentence order": ("order", functools.partial(mask_tokens, vocabulary=vocabulary)),
        "full sentences": ("full_sentences", functools.partial(mask_tokens, vocabulary=vocabulary)),
        "clm": ("stream", predict_next),
        "unilm": ("next", functools.partial(mix_policies, vocabulary=vocabulary)),
        "bart": ("framed", functools.partial(denoise, vocabulary=vocabulary)),
    }
    if vocabulary.sentinels:
        noises["t5"] = ("stream", functools.partial(corrupt_spans, vocabulary=vocabulary))
    print("pipeline: reading + packing + noise + batches of 4096 tokens, length 128, tokens per second of one core")
    for name, (packing, noise) in noises.items():
        source = token_batches(reader, Sequences(packing, 128), noise, batching=Batching(4096))
        start, tokens, positions = time.process_time(), 0, 0
        for batch in source.epoch(0):
            tokens += int(batch["attention_mask"].sum())
            positions += batch["attention_mask"].size
        print(f"  {name:22s} {tokens / (time.process_time() - start) / 1e3:8.0f} thousand  "
              f"padding {1 - tokens / positions:.2%}")
    dataset = token_batches(reader, Sequences("framed", 128), noises["mlm"][1], batching=Batching(4096)).dataset()
    iterator = iter(dataset)
    next(iterator)
    start = time.perf_counter()
    count = 4096 * sum(1 for _ in zip(range(300), iterator))
    print(f"  mlm as tf.data.Dataset {count / (time.perf_counter() - start) / 1e3:8.0f} thousand, wall")


def memory_of_group() -> int:
    """Resident bytes of this process and its children (Linux)."""
    total, group = 0, os.getpgrp()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total


def measure_memory(vocabulary: str, folder: Path, megabytes: int, processes: int) -> None:
    text = "\n".join(" ".join(document) for document in read_documents("builtin:python"))
    path = folder / "synthetic.txt"
    with open(path, "w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1e6:
            file.write(text + "\n")
    del text
    peak, done = 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(0.2):
            peak = max(peak, memory_of_group())

    if os.getpgrp() != os.getpid():
        os.setpgrp()
    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    records(text=[str(path)], tokenizer=vocabulary, output=str(folder / "big"), processes=processes, quiet=True)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    print(f"{megabytes} MB of text with {processes} processes: peak {peak / 1e6:.0f} MB resident, all together; "
          f"{megabytes / seconds:.1f} MB/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", nargs="+", default=["builtin:python"])
    parser.add_argument("--vocab", help="vocab.txt (default: made from the words of the corpus)")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--memory-megabytes", type=int, default=0, help="size of the synthetic corpus")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vocabulary = options.vocab or word_vocabulary(options.text, folder / "vocab.txt")
        if options.memory_megabytes:  # before TensorFlow is loaded
            measure_memory(vocabulary, folder, options.memory_megabytes, options.processes)
        measure_records(options.text, vocabulary, folder, options.processes)
        measure_pipeline(folder / "one")


if __name__ == "__main__":
    sys.exit(main())
