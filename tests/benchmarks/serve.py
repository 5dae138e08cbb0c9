"""Serving MiniLM-L6 over ZeroMQ to unmodified clients of bert-as-service: throughput, latency, and the original grid.

    TFPLM_DATA=... python tests/benchmarks/serve.py [--quick] [--only batches singles grid] [--dtype float32]
                                                    [--source FOLDER] [--num-worker 2]

- batches: one client that sends batches of 256 and waits for each, in turns with `SentenceEncoder.encode` of the same
  batches in a separate process. The goal is 0.9 times its throughput.
- singles: 64 clients at the same time, each of which sends one sentence after the other, compared with one such client;
  the goal is 5 times the throughput. Also the 50th and 99th percentile of the latency.
- grid: the benchmark of bert-as-service: sequences per request, maximum batch of the server, number of clients, and
  pooling layer, of which one is varied at a time; sequences per second.

Server, local encoder and clients share the cores of the machine. Needs bert-serving-client==1.10.0; the default source
is that of encode.py. The sentences are those of STS-B dev.
"""

import argparse
import multiprocessing
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from encode import model_folder, sentences
from turns import limit_threads

BATCH, CLIENTS = 256, 64
DEFAULT = {"client_batch": 256, "max_batch_size": 256, "clients": 1, "pooling_layer": -1}
GRID = {"client_batch": [1, 16, 256, 2048], "max_batch_size": [8, 32, 128, 512], "clients": [1, 4, 16, 64],
        "pooling_layer": [-1, -2, -3, -4, -5, -6]}


def _serve(pipe, options: dict) -> None:
    limit_threads()
    from tfplm.options.serve import ServeOptions
    from tfplm.serve.command import make_server

    with make_server(ServeOptions(port=0, port_out=0, quiet=True, **options)) as server:
        pipe.send({"port": server.port, "port_out": server.port_out})
        pipe.recv()


def _encode(pipe, options: dict) -> None:
    """The local encoder: for each list of texts received, sends the seconds of encoding it in batches."""
    limit_threads()
    from tfplm.options.serve import ServeOptions
    from tfplm.serve.engines.sentence_engine import make_engine

    encoder = make_engine(ServeOptions(**options)).encoder
    pipe.send(True)
    while texts := pipe.recv():
        start = time.perf_counter()
        for i in range(0, len(texts), BATCH):
            encoder.encode(texts[i:i + BATCH], show_progress=False)
        pipe.send(time.perf_counter() - start)


class Child:
    """A process with a pipe; `ready` is its first message."""

    def __init__(self, work, options: dict):
        context = multiprocessing.get_context("spawn")
        self.pipe, other_end = context.Pipe()
        self.process = context.Process(target=work, args=(other_end, options))  # no daemon: it starts workers
        self.process.start()
        self.ready = self.pipe.recv()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.pipe.send(None)
        self.process.join(30)


def load(ports: dict, requests: list[list[str]], clients: int) -> tuple[float, list[float]]:
    """(seconds, latencies) of all requests, divided among clients, each of which waits for every response."""
    from bert_serving.client import BertClient

    connected = [BertClient(**ports, check_length=False, timeout=600_000) for _ in range(clients)]
    latencies, barrier = [], threading.Barrier(clients + 1)

    def work(bert, mine):
        barrier.wait()
        for request in mine:
            start = time.perf_counter()
            bert.encode(request)
            latencies.append(time.perf_counter() - start)

    threads = [threading.Thread(target=work, args=(bert, requests[i::clients])) for i, bert in enumerate(connected)]
    for thread in threads:
        thread.start()
    barrier.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    for bert in connected:
        bert.close()
    return seconds, latencies


def in_requests(texts: list[str], size: int) -> list[list[str]]:
    return [texts[i:i + size] for i in range(0, len(texts), size)]


def batches(options: dict, texts: list[str], rounds: int) -> None:
    with Child(_serve, options) as server, Child(_encode, options) as peer:
        served, local = [], []
        for round_ in range(rounds + 1):
            peer.pipe.send(texts)
            local.append(peer.pipe.recv())
            served.append(load(server.ready, in_requests(texts, BATCH), 1)[0])
            if round_ == 0:  # compiles
                served, local = [], []
    ratio = statistics.median(mine / theirs for mine, theirs in zip(local, served))
    print(f"\none client, batches of {BATCH}: {len(texts) / statistics.median(served):.0f} sentences/s; in process "
          f"{len(texts) / statistics.median(local):.0f}; {ratio:.3f} times (goal 0.9)", flush=True)


def singles(options: dict, texts: list[str], rounds: int) -> None:
    rates, latencies = {1: [], CLIENTS: []}, {1: [], CLIENTS: []}
    with Child(_serve, options) as server:
        load(server.ready, in_requests(texts, 1), CLIENTS)
        load(server.ready, in_requests(texts, 1), 1)
        for _ in range(rounds):
            for clients in rates:
                seconds, waited = load(server.ready, in_requests(texts, 1), clients)
                rates[clients].append(len(texts) / seconds)
                latencies[clients] += waited
    print(f"\nsingle sentences, {'clients':>8s} {'sentences/s':>12s} {'p50 ms':>8s} {'p99 ms':>8s}")
    for clients, waited in latencies.items():
        cuts = statistics.quantiles(waited, n=100)
        print(f"{clients:26d} {statistics.median(rates[clients]):12.0f} {1000 * cuts[49]:8.1f} {1000 * cuts[98]:8.1f}")
    ratio = statistics.median(many / one for one, many in zip(rates[1], rates[CLIENTS]))
    print(f"{CLIENTS} clients: {ratio:.2f} times one (goal 5)", flush=True)


def grid(options: dict, texts: list[str], rounds: int) -> None:
    """Prints the sequences per second of all clients together, the median over the rounds."""
    print("\nsequences/s, one setting varied at a time; others: " + ", ".join(f"{k} {v}" for k, v in DEFAULT.items()))
    cells = [(name, value, {**DEFAULT, name: value}) for name, values in GRID.items() for value in values]
    servers = {(chosen["max_batch_size"], chosen["pooling_layer"]): [] for _, _, chosen in cells}
    for name, value, chosen in cells:
        servers[chosen["max_batch_size"], chosen["pooling_layer"]].append((name, value, chosen))
    found = {}
    for (size, layer), cells in servers.items():
        with Child(_serve, {**options, "max_batch_size": size, "pooling_layer": [layer]}) as server:
            for name, value, chosen in cells:
                requests = in_requests(texts, chosen["client_batch"])
                requests *= -(-chosen["clients"] // len(requests))  # at least one for each client
                load(server.ready, requests, chosen["clients"])
                seconds = statistics.median(load(server.ready, requests, chosen["clients"])[0] for _ in range(rounds))
                found[name, value] = sum(map(len, requests)) / seconds
    for name, values in GRID.items():
        print(f"  {name:16s}" + " |".join(f"{value:>6d}: {found[name, value]:7.0f}" for value in values), flush=True)


PARTS = {"batches": batches, "singles": singles, "grid": grid}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few sentences, one round, to check that it works")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--dtype", nargs="*", choices=["float32", "bfloat16"], default=["float32"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--num-worker", type=int, default=1, help="workers of the server, which share its cores")
    parser.add_argument("--source", help="folder of the model (default: that of encode.py)")
    options = parser.parse_args()
    texts = sentences(512 if options.quick else 3000)
    for dtype in options.dtype:
        print(f"\n== {dtype}")
        settings = {"source": options.source or model_folder(), "dtype": dtype, "max_seq_len": "NONE",
                    "num_worker": options.num_worker}
        for name in options.only:
            chosen = texts if name != "singles" else texts[:1000]
            PARTS[name](settings, chosen, 1 if options.quick else options.rounds)


if __name__ == "__main__":
    main()
