"""The first thing that a worker process imports: light, so that settings come before TensorFlow."""

import os

from tfplm.options.serve import ServeOptions
from tfplm.serve.engine import Engine


def make_in_process(options: ServeOptions, number: int) -> Engine:
    """The engine of worker `number`, in a process that does nothing else."""
    share = max(1, (os.cpu_count() or 1) // options.num_worker)
    os.environ.setdefault("OMP_NUM_THREADS", str(share))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    from tfplm.serve.sentence_engine import make_engine

    return make_engine(options, number)
