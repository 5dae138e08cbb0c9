"""Interleaved timing: each contender runs in a separate process, and they take turns, round by round.

On a shared machine a single time has no meaning; the ratio of medians of interleaved runs has. The processes are
separate because libraries configure threads and allocators for a whole process, and idle OpenMP threads spin.
"""

import argparse
import multiprocessing
import os
import statistics
import time

THREADS = 2


def parser(description: str) -> argparse.ArgumentParser:
    """The flags of every benchmark."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--rounds", type=int, default=7, help="number of runs of each contender")
    result.add_argument("--only", nargs="*", help="only contenders whose names contain one of these words")
    return result


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
    """Prints the medians, and for each contender the ratio of its median to that of `reference`."""
    print(f"\n{title}")
    if reference not in times:
        return
    base = statistics.median(times[reference])
    print(f"  {'':34s} {'median s':>9s} {unit:>12s} {'ratio':>7s}  (how many times as fast {reference} is)")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"  {name:34s} {median:9.4f} {units / median:12.1f} {median / base:7.2f}")
