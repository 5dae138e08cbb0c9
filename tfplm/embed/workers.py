"""Several processes that encode, each with a model of its own and its share of the processor.

One process does not keep many cores busy: short products do not divide well. TensorFlow is imported in the processes
only after their share of threads is set.
"""

import collections
import contextlib
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tfplm.embed.sentence_encoder import SentenceEncoder

PROBE = "0 a 的"  # what tells encoders apart
_encoder = None  # of a worker process


def encode_in_processes(encoder: "SentenceEncoder", chunks: Iterable[list], workers: int, **keywords
                        ) -> Iterator[tuple[list, np.ndarray]]:
    """(chunk, its vectors) of lists of texts, in their order; at most 2 chunks a worker wait.

    encoder: made by `from_pretrained`, which each worker repeats. keywords: of `encode`. ValueError for another
    encoder; `BrokenProcessPool` where a worker was killed.
    """
    if encoder.origin is None:
        raise ValueError("several workers need an encoder made by SentenceEncoder.from_pretrained, since each of them "
                         "reads the model itself: save the encoder and load it again, or use workers=1")
    with _environment(_threads(workers)), ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), _start,
            (encoder.origin, encoder.recipe, encoder.whitening)) as pool:
        probe, theirs = encoder.encode(PROBE), pool.submit(_encode, [PROBE], {}).result()[0]
        if not np.allclose(probe, theirs, atol=0.02 * np.abs(probe).max()):
            raise ValueError("the encoder's weights are no longer those that it was loaded with, which its workers read: "
                             "save the encoder and load it again, or use workers=1")
        waiting = collections.deque()
        try:
            for chunk in chunks:
                waiting.append((chunk, pool.submit(_encode, chunk, keywords)))
                if len(waiting) >= 2 * workers:
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
    """Spawned processes inherit these; the environment of this process is as before at the end."""
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


def _start(origin: dict, recipe, whitening) -> None:
    global _encoder
    from tfplm.embed.sentence_encoder import SentenceEncoder

    _encoder = SentenceEncoder.from_pretrained(**origin).with_recipe(recipe)
    _encoder.whitening = whitening


def _encode(chunk: list, keywords: dict) -> np.ndarray:
    return _encoder.encode(chunk, show_progress=False, **keywords)
