"""Interleaved timing: each contender runs in a separate process, and they take turns, round by round.

On a shared machine a single time has no meaning; the ratio of medians of interleaved runs has. The processes are
separate because libraries configure threads and allocators for a whole process, and idle OpenMP threads spin.

What a number means depends on the processor, so each table starts with its name and its features, and each run is a line of
JSON in logs/benchmarks.jsonl (`--json`): the processor, the versions, the contender, its round and its seconds.
"""

import argparse
import datetime
import importlib.metadata
import json
import multiprocessing
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from tfplm.core.machine.processor import processor

THREADS = 2
LOG = Path("logs", "benchmarks.jsonl")
PEERS = ("tensorflow", "keras", "keras-hub", "torch", "transformers", "sentence-transformers", "onnxruntime", "openvino",
         "ctranslate2", "model2vec", "tfplm")
_log = LOG  # where `table` writes, set by the flag --json


def parser(description: str) -> argparse.ArgumentParser:
    """The flags of every benchmark."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--rounds", type=int, default=7, help="number of runs of each contender")
    result.add_argument("--only", nargs="*", help="only contenders whose names contain one of these words")
    result.add_argument("--json", type=_set_log, default=str(LOG), metavar="FILE",
                        help=f"file to which a line for each run is added (default: {LOG})")
    return result


def _set_log(path: str) -> Path:
    global _log
    _log = Path(path)
    return _log


def machine() -> dict:
    """The processor, its features, and the versions of the libraries that are installed."""
    this, versions = processor(), {}
    for name in PEERS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"processor": this.name, "features": this.shown_features, "cores": this.cores, "threads": THREADS,
            "versions": versions}


def record(benchmark: str, times: dict[str, list[float]], units: float = 1.0, unit: str = "runs/s") -> None:
    """Adds a line to the log for each run. units: done in one run, such as sentences."""
    known, date = machine(), datetime.datetime.now().isoformat(timespec="seconds")
    _log.parent.mkdir(parents=True, exist_ok=True)
    with open(_log, "a", encoding="utf-8") as file:
        for system, runs in times.items():
            for number, seconds in enumerate(runs):
                line = {"date": date, "file": Path(sys.argv[0]).name, "benchmark": benchmark, "system": system,
                        "round": number, "seconds": seconds, "units": units, "unit": unit.removesuffix("/s"), **known}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def limit_threads() -> None:
    """Sets the same number of threads for every library."""
    os.environ.update(OMP_NUM_THREADS=str(THREADS), TF_CPP_MIN_LOG_LEVEL="3", TF_NUM_INTRAOP_THREADS=str(THREADS),
                      KERAS_BACKEND="tensorflow", HF_HUB_OFFLINE="1")


def _serve(pipe, make, arguments):
    limit_threads()
    start = time.perf_counter()
    try:
        run = make(*arguments)
        run()
    except ImportError as error:
        pipe.send(f"not installed: {error.name}")
        return
    pipe.send(time.perf_counter() - start)
    while pipe.recv():
        start = time.perf_counter()
        run()
        pipe.send(time.perf_counter() - start)


def race(contenders: dict[str, tuple], rounds: int = 7, only: list[str] | None = None) -> dict[str, list[float]]:
    """Seconds per run of each contender: `{name: (make, *arguments)}`, where `make(*arguments)` returns a function.

    `make` must be importable (a function of a module). The first run is a warm-up and is not counted.
    """
    context, workers = multiprocessing.get_context("spawn"), {}
    for name, (make, *arguments) in contenders.items():
        if only and not any(word in name for word in only):
            continue
        pipe, other_end = context.Pipe()
        process = context.Process(target=_serve, args=(other_end, make, arguments), daemon=True)
        process.start()
        ready = pipe.recv()
        if isinstance(ready, str):
            print(f"{name}: {ready}")
        else:
            workers[name] = pipe, process
    times = {name: [] for name in workers}
    for _ in range(rounds):
        for name, (pipe, _) in workers.items():
            pipe.send(True)
            times[name].append(pipe.recv())
    for pipe, process in workers.values():
        pipe.send(False)
        process.join()
    return times


def table(title: str, times: dict[str, list[float]], reference: str, units: float = 1.0, unit: str = "runs/s") -> None:
    """Prints the medians, and for each contender the ratio of its median to that of `reference`; see also `record`."""
    this = processor()
    print(f"\n{title}\n  on {this.name}, {THREADS} of {this.cores} threads: {' '.join(this.shown_features) or 'unknown'}")
    record(title, times, units, unit)
    if reference not in times:
        return
    base = statistics.median(times[reference])
    print(f"  {'':34s} {'median s':>9s} {unit:>12s} {'ratio':>7s}  (how many times as fast {reference} is)")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"  {name:34s} {median:9.4f} {units / median:12.1f} {median / base:7.2f}")
