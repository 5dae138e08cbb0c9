"""Whole programs for the shapes of batches that recur."""

import collections
import logging
import threading
import time
from collections.abc import Callable, Hashable

import tensorflow as tf

from tfplm.layers.kernels import tuning

WORTH = 3.0  # seconds spent with a shape, after which a program is compiled for it, which takes about as long
FEWEST = 3  # calls before
log = logging.getLogger(__name__)


class RecurringShapes:
    """`call(shape, batch)`: the outputs of a function, soon by a program that XLA has compiled as a whole.

    Where XLA multiplies float32 faster than oneDNN, a whole program is 1.1 to 1.2 times as fast as a graph with XLA products
    (on a processor with AVX2), elsewhere slower; and it is compiled for each shape, for seconds. So a shape has first to
    recur; then its program is compiled in the background, while the graph is still used.

    Args:
        graph: a function of the batch.
        program: a `tf.function` that computes the same, with parts compiled by XLA.
        dtype: the dtype of computation.
    """

    def __init__(self, graph: Callable, program: Callable, dtype: str):
        self.graph, self.program, self.dtype = graph, program, dtype
        self.ready: set[Hashable] = set()
        self._started: set[Hashable] = set()
        self._calls: collections.Counter = collections.Counter()
        self._seconds: collections.Counter = collections.Counter()
        self._lock = threading.Lock()

    def __call__(self, shape: Hashable, batch):
        if self.dtype != "float32" or tuning.has_gpu() or tuning.float32_library() != "xla":
            return self.graph(batch)
        if shape in self.ready:
            return self.program(batch)
        start = time.perf_counter()
        result = self.graph(batch)
        self._calls[shape] += 1
        self._seconds[shape] += time.perf_counter() - start
        if self._calls[shape] >= FEWEST and self._seconds[shape] >= WORTH and shape not in self._started:
            self._started.add(shape)
            threading.Thread(target=self._compile, args=(shape, batch)).start()
        return result

    def _compile(self, shape: Hashable, batch) -> None:
        try:
            with self._lock:
                tf.nest.map_structure(lambda x: x.numpy(), self.program(batch))
        except tf.errors.OpError as error:  # an operation that XLA does not support
            log.info("batches of shape %s are not compiled: %s", shape, error)
        else:
            self.ready.add(shape)
