"""Encoding in several processes, each with its own model and its share of the cores.

A single process does not keep many cores busy, because short matrix products parallelize badly. The processes import
TensorFlow only after their number of threads has been set.
"""

import collections
import contextlib
import multiprocessing
import os
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tfplm.core.terminal.import_noise import hold_import_noise
from tfplm.core.worker_process import end_with_parent

if TYPE_CHECKING:
    from tfplm.embed.encoder.sentence_encoder import SentenceEncoder

PROBE = "0 a 的"  # the text whose vector identifies an encoder
_encoder = None  # set in a worker process


def encode_in_processes(encoder: "SentenceEncoder", chunks: Iterable[list], workers: int, **keywords
                        ) -> Iterator[tuple[list, np.ndarray]]:
    """Yields (chunk, its vectors) for lists of texts, in order; at most 2 chunks per worker are pending.

    encoder: created by `from_pretrained`, which each worker repeats. keywords: as in `encode`. Raises ValueError for
    any other encoder, and `BrokenProcessPool` if a worker is killed or a script starts workers on import.
    """
    if encoder.origin is None:
        raise ValueError("several workers need an encoder made by SentenceEncoder.from_pretrained, because each worker "
                         "loads the model itself: save the encoder and load it again, or use workers=1")
    # in a file, because a whitening exceeds a pipe's buffer: a child that dies before reading would hang its parent
    with tempfile.TemporaryDirectory() as folder, _environment(_threads(workers)):
        made = Path(folder, "encoder")
        made.write_bytes(pickle.dumps((encoder.origin, encoder.recipe, encoder.whitening)))
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _start, (made,)) as pool:
            try:
                yield from _encoded(pool, encoder, chunks, 2 * workers, keywords)
            except BrokenProcessPool as error:
                raise BrokenProcessPool(
                    "a worker process died, perhaps because memory ran out: use fewer workers. A script that encodes "
                    "with several must do so below `if __name__ == '__main__':`") from error


def _encoded(pool: ProcessPoolExecutor, encoder: "SentenceEncoder", chunks: Iterable[list], most: int, keywords: dict
             ) -> Iterator[tuple[list, np.ndarray]]:
    """Encodes with at most `most` pending chunks."""
    probe, theirs = encoder.encode(PROBE), pool.submit(_encode, [PROBE], {}).result()[0]
    if not np.allclose(probe, theirs, atol=0.02 * np.abs(probe).max()):
        raise ValueError("the encoder's weights are no longer those that it was loaded with, and its workers load the "
                         "original ones: save the encoder and load it again, or use workers=1")
    waiting = collections.deque()
    try:
        for chunk in chunks:
            waiting.append((chunk, pool.submit(_encode, chunk, keywords)))
            if len(waiting) >= most:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        for _, future in waiting:
            future.cancel()


def _threads(workers: int) -> dict[str, str]:
    share = str(max(1, (os.cpu_count() or 1) // workers))
    return {"TF_NUM_INTRAOP_THREADS": share, "TF_NUM_INTEROP_THREADS": "1", "OMP_NUM_THREADS": share,
            "TF_FORCE_GPU_ALLOW_GROWTH": "true", "TOKENIZERS_PARALLELISM": "true" if int(share) > 1 else "false"}


@contextlib.contextmanager
def _environment(values: dict[str, str]):
    """Sets variables for spawned processes to inherit, and restores the environment of this process at the end."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _start(made: Path) -> None:
    global _encoder
    end_with_parent()
    hold_import_noise()
    from tfplm.embed.encoder.sentence_encoder import SentenceEncoder

    origin, recipe, whitening = pickle.loads(made.read_bytes())  # a file that the parent has just written
    _encoder = SentenceEncoder.from_pretrained(**origin).with_recipe(recipe)
    _encoder.whitening = whitening


def _encode(chunk: list, keywords: dict) -> np.ndarray:
    return _encoder.encode(chunk, show_progress=False, **keywords)
