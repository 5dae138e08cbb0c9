"""The console command `bert-serving-benchmark`: bert-as-service's benchmark, with its options, of servers of this library.

    bert-serving-benchmark -model_dir chinese_L-12_H-768_A-12 -test_num_client 1 4 -test_max_seq_len

One setting at a time is varied; `-test_...` without values leaves that one out. The clients are bert-serving-client's.
"""

import argparse
import gc
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tfplm.core.terminal.import_noise import hold_import_noise
from tfplm.core.terminal.messages import one_line
from tfplm.options.serve import DEFAULTS, ServeOptions
from tfplm.serve.bert.commands import FIXED, start_parser

TESTS = {"client_batch_size": [1, 16, 256, 4096], "max_batch_size": [8, 32, 128, 512],
         "max_seq_len": [32, 64, 128, 256], "num_client": [1, 4, 16, 64],
         "pooling_layer": [-layer for layer in range(1, 13)]}
DROPPED = 2  # requests of each client that are not counted: the first are slow


def benchmark_parser() -> argparse.ArgumentParser:
    """The options of bert-serving-start, and those of the benchmark."""
    parser = start_parser("bert-serving-benchmark", "Measure servers of BERT vectors under several settings")
    group = parser.add_argument_group("benchmark")
    for name, values in TESTS.items():
        group.add_argument(f"-test_{name}", type=int, nargs="*", default=values,
                           help=f"values of {name}; none: leave it as it is (default: {' '.join(map(str, values))})")
    group.add_argument("-client_batch_size", type=int, default=4096, help="texts of a request (default: 4096)")
    group.add_argument("-num_client", type=int, default=1, help="clients at once (default: 1)")
    group.add_argument("-num_repeat", type=int, default=10, help="requests of each client, the first two of which are "
                                                                 "not counted (default: 10)")
    group.add_argument("-wait_till_ready", type=int, default=30, help="most seconds until a server answers (default: 30)")
    group.add_argument("-client_vocab_file", default="README.md", help="file with the words of which texts are made "
                                                                       "(default: README.md)")
    return parser


def benchmark(arguments: list[str] | None = None) -> int:
    """`bert-serving-benchmark`: prints sequences per second and client, and adds the tables to a file
    `benchmark-WORKERS.result`. Exit status 0, 1 (failed), 2 (usage), 130 (Ctrl-C)."""
    parser = benchmark_parser()
    given = vars(parser.parse_args(arguments))
    own = {name: given.pop(name) for name in list(given)
           if name.startswith("test_") or name in ("client_batch_size", "num_client", "num_repeat", "wait_till_ready",
                                                   "client_vocab_file")}
    for name, least in (("num_repeat", DROPPED + 1), ("client_batch_size", 1), ("num_client", 1)):
        if min([own[name], *own.get(f"test_{name}", ())]) < least:
            parser.error(f"{name} is below {least}")
    try:
        ServeOptions(**{**FIXED, **given})
    except ValueError as error:
        parser.error(str(error))
    hold_import_noise()
    try:
        _check_client()
        words = _read_words(own["client_vocab_file"])
        file = Path(f"benchmark-{given.get('num_worker', 1)}{'-fp16' * given.get('fp16', False)}.result")
        for name in TESTS:
            if own[f"test_{name}"]:
                table = _vary(name, own, given, words)
                print(table, flush=True)
                with file.open("a", encoding="utf-8") as results:
                    results.write(table)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        print(f"bert-serving-benchmark: {one_line(error)}", file=sys.stderr)
        return 1
    return 0


def _check_client() -> None:
    try:
        import bert_serving.client  # noqa: F401
    except ImportError:
        raise ImportError("the clients are bert-serving-client's: pip install bert-serving-client==1.10.0") from None


def _read_words(file: str) -> list[str]:
    reason = "it is empty"
    try:
        if words := sorted(set(Path(file).read_text(encoding="utf-8").split())):
            return words
    except OSError as error:
        reason = error.strerror or str(error)
    raise OSError(f"there are no words in {file} ({reason}): name a text file by -client_vocab_file")


def _vary(name: str, own: dict, given: dict, words: list[str]) -> str:
    """A Markdown table of speeds for the values of one setting. Values that the model cannot have get a dash."""
    rows = [f"\n|`{name}`|samples/s|\n|---|---|\n"]
    for value in own[f"test_{name}"]:
        settings = {**own, **given, name: [value] if name == "pooling_layer" else value}
        try:
            server = _make_server(settings)
        except ValueError as error:
            print(f"{name} {value}: {error}", file=sys.stderr, flush=True)
            rows.append(f"|{value}|-|\n")
            continue
        speeds = _measure(server, settings, words)
        print(f"{name} {value}: avg speed: {np.mean(speeds):.0f}\tmax speed: {max(speeds):.0f}\tmin speed: "
              f"{min(speeds):.0f}", flush=True)
        rows.append(f"|{value}|{np.mean(speeds):.0f}|\n")
    return "".join(rows)


def _make_server(settings: dict):
    from tfplm.serve.command import make_server

    gc.collect()  # the model before is part of a cycle
    of_server = {name: value for name, value in settings.items() if name in ServeOptions.__dataclass_fields__}
    return make_server(ServeOptions(**{"port": 0, "port_out": 0, "quiet": True, **FIXED, **of_server}))


def _measure(server, settings: dict, words: list[str]) -> list[float]:
    """Sequences per second of each client."""
    length = server.options.max_seq_len if isinstance(server.options.max_seq_len, int) else DEFAULTS["max_seq_len"]
    batches = [[" ".join(random.choices(words, k=length)) for _ in range(settings["client_batch_size"])]
               for _ in range(settings["num_client"])]
    with server, ThreadPoolExecutor(len(batches)) as pool:
        return list(pool.map(lambda texts: _ask(server, texts, settings), batches))


def _ask(server, texts: list[str], settings: dict) -> float:
    from bert_serving.client import BertClient

    seconds = []
    with BertClient(port=server.port, port_out=server.port_out, check_length=False,
                    timeout=1000 * settings["wait_till_ready"]) as client:
        client.timeout = -1
        for _ in range(settings["num_repeat"]):
            start = time.perf_counter()
            vectors = client.encode(texts)
            seconds.append(time.perf_counter() - start)
            if np.isnan(vectors[0]).any():
                raise RuntimeError("the server could not encode the texts: start it by bert-serving-start to see why")
    return len(texts) / float(np.mean(seconds[DROPPED:]))
