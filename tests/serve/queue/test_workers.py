"""Worker threads, and engines in processes that die."""

import os
import queue
import signal
import threading
import time

import numpy as np
import pytest

from tests.serve.conftest import eventually
from tests.serve.fake_engines import FakeEngine, HeldEngine, Panic, make_broken, make_engine, vectors_of
from tfplm.serve.engines.engine import WorkerDied
from tfplm.serve.engines.process_engine import start_engines
from tfplm.serve.engines.vectors import VectorInfo
from tfplm.serve.queue.job import Job
from tfplm.serve.queue.scheduler import Scheduler
from tfplm.serve.queue.workers import Workers


class Line:
    """A scheduler, its workers, and the jobs that ended."""

    def __init__(self, engines, **keywords):
        self.ended = queue.Queue()
        self.scheduler, self.engine = Scheduler(), engines[0]
        self.workers = Workers(self.scheduler, engines, **keywords)
        self.workers.start()

    def put(self, *sequences) -> None:
        self.scheduler.submit(Job(list(sequences), self.engine.join, self.ended.put))

    def get(self) -> Job:
        return self.ended.get(timeout=30)

    def stop(self) -> bool:
        self.scheduler.close()
        return self.workers.join(10)


class Mortal(FakeEngine):
    """Dies at the text `die`, and cannot be made again as often as `refusals` says."""

    def __init__(self, refusals: int = 0):
        super().__init__()
        self.refusals, self.dead = refusals, False

    def encode(self, sequences):
        if "die" in sequences:
            self.dead = True
            raise WorkerDied("it was killed")
        return super().encode(sequences)

    def check(self):
        if self.dead:
            raise WorkerDied("it is dead")

    def restart(self):
        self.refusals -= 1
        if self.refusals >= 0:
            raise FileNotFoundError("the model is gone")
        self.dead = False


def test_jobs_are_served_and_counted():
    counted = []
    line = Line([FakeEngine(), FakeEngine()], encoded=lambda number, seconds: counted.append(number))
    for i in range(50):
        line.put(f"文{i}")
    for _ in range(50):
        job = line.get()
        np.testing.assert_array_equal(job.result.vectors, vectors_of(job.inputs))
    assert line.stop() and sum(counted) == 50


@pytest.mark.parametrize("text, reason", [
    ("poison", "ValueError: a poisonous text"), ("panic", "Panic: a panic in Rust")])
def test_failures_are_told_and_the_worker_continues(text, reason):
    """A panic of a library in Rust is no Exception."""
    line = Line([FakeEngine()])
    line.put(text)
    assert line.get().error == reason
    line.put("a")
    assert line.get().error is None
    assert line.stop()


def test_an_error_of_the_server_itself_does_not_end_its_only_worker():
    calls = []

    def encoded(inputs, seconds):
        calls.append(inputs)
        if len(calls) == 1:
            raise SystemExit("a fault in the figures")

    line = Line([FakeEngine()], encoded=encoded, pauses=(0.01, 0.1))
    for text in ("a", "b"):
        line.put(text)
        assert line.get().error is None
    assert line.stop() and calls == [1, 1]


def test_stopping_serves_what_is_there():
    line = Line([FakeEngine(seconds=0.05)])
    for i in range(5):
        line.put(*[f"{i}"] * 200)
    assert line.stop() and line.ended.qsize() == 5


def test_a_dead_engine_is_made_again():
    line = Line([Mortal()], pauses=(0.01, 0.1))
    line.put("die")
    assert line.get().error == "WorkerDied: it was killed"  # at its second try
    line.put("a")
    assert line.get().error is None
    assert line.workers.restarts == 2 and line.workers.alive == [True]
    assert line.stop()


def test_without_a_worker_requests_are_answered():
    line = Line([Mortal(refusals=5)], pauses=(0.05, 0.1))
    line.put("die")
    assert "no worker is running: FileNotFoundError: the model is gone" in line.get().error
    line.put("a")
    line.get()  # refused as well, or served when the engine is back
    while not all(line.workers.alive):
        time.sleep(0.01)
    line.put("b")
    assert line.get().error is None and line.stop()


def test_requests_that_wait_for_a_restart_are_answered():
    """However long an attempt takes."""
    class Slow(Mortal):
        def restart(self):
            came.wait(20)
            super().restart()

    came = threading.Event()
    line = Line([Slow()], pauses=(0.01, 0.1), impatience=0.2)
    line.put("die")
    reason = "no worker is running: it is dead; it is being started again"
    assert line.get().error == reason and line.workers.alive == [False]
    line.put("a")
    assert line.get().error == reason
    came.set()
    assert eventually(lambda: line.workers.alive == [True])
    line.put("b")
    assert line.get().error is None and line.stop()


def test_an_engine_of_this_process_that_hangs():
    """It cannot be ended, but what it works on is answered, and so is what waits; it comes back when it returns."""
    line = Line([engine := HeldEngine()], timeout=0.1, impatience=0.2)
    line.put("a")
    assert line.get().error == "TimeoutError: worker 0 has not answered within 0.1 s" and line.workers.alive == [False]
    line.put("b")
    assert "no worker is running: worker 0 has not answered within 0.1 s" in line.get().error
    engine.go.set()
    assert eventually(lambda: line.workers.alive == [True])
    line.put("c")
    assert line.get().error is None and line.stop() and line.ended.empty()


def test_what_a_hanging_engine_had_is_done_once_by_another():
    """Its own outputs come too late to count."""
    held = HeldEngine()
    line = Line([held, FakeEngine()], timeout=0.1)
    line.put(*(str(number) for number in range(300)))  # a part for each
    assert held.asked.wait(20)
    job = line.get()
    assert job.error is None or "TimeoutError" in job.error
    held.go.set()
    line.put("a")
    assert line.get().error is None and line.stop() and line.ended.empty()


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), MemoryError(), GeneratorExit(), Panic("x")])
def test_whatever_an_engine_raises_is_an_error_of_the_request(error):
    class Raising(FakeEngine):
        def encode(self, sequences):
            if "bad" in sequences:
                raise error
            return super().encode(sequences)

        def join(self, outputs):
            if len(outputs) == 2:
                raise error
            return super().join(outputs)

    line = Line([Raising()])
    for texts in (["bad"], ["a", "b"]):
        line.put(*texts)
        assert line.get().error.startswith(type(error).__name__)
    line.put("a")
    assert line.get().error is None and line.stop()


def test_a_thread_that_ends_is_begun_anew(monkeypatch):
    """As it would where even the message of an error finds no memory."""
    line = Line([FakeEngine()])
    ended = []
    serve = line.workers._serve

    def serve_once(number):
        if not ended:
            ended.append(line.workers.scheduler.take(10))
            line.workers._work_of[number] = ended[0], time.monotonic()
            return False
        return serve(number)

    monkeypatch.setattr(line.workers, "_serve", serve_once)
    line.put("a")
    line.put("b")
    found = {line.get().inputs[0]: None for _ in range(2)}
    assert set(found) == {"a", "b"} and line.workers._threads[0].is_alive() and line.stop()


@pytest.fixture(scope="module")
def processes():
    engines = start_engines(make_engine, [(0.0, True), (0.0, True)])
    yield engines
    for engine in engines:
        engine.close()


def test_engines_in_processes(processes):
    first, second = processes
    assert first.pid != second.pid and first.info == VectorInfo(4, vocab_size=100)
    outputs = first.encode(["你好", ["a", "b"], [1, 2]])
    assert outputs[0].tokens == ["[CLS]", "你", "好", "[SEP]"]
    found = first.join(outputs)
    np.testing.assert_array_equal(found.vectors, vectors_of(["你好", ["a", "b"], [1, 2]]))
    assert found.lengths.tolist() == [4, 4, 4] and first.cost(["a", "b"]) == 2 * 4 * 4
    for text, reason in (("poison", "ValueError: a poisonous text"), ("panic", "Panic: a panic in Rust")):
        with pytest.raises(RuntimeError, match=reason):
            first.encode([text])
    assert len(first.encode([str(i) for i in range(3000)])) == 3000


def test_a_process_that_dies_at_work(processes):
    engine = processes[0]
    with pytest.raises(WorkerDied, match="ended with exit code 9, in the middle of its work"):
        engine.encode(["die"])
    with pytest.raises(WorkerDied, match="while idle"):
        engine.check()
    engine.restart()
    engine.check()
    assert len(engine.encode(["a"])) == 1


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signals_to_the_whole_group_leave_workers_at_work(processes, name):
    """The server drains, and ends its workers itself."""
    engine = processes[1]
    os.kill(engine.pid, getattr(signal, name))
    np.testing.assert_array_equal(engine.encode(["a"])[0].vector, vectors_of(["a"])[0])


def test_a_killed_process_behind_the_scheduler(processes):
    line = Line(list(processes), pauses=(0.01, 0.1))
    try:
        for round_ in range(3):
            os.kill(processes[0].pid, getattr(signal, "SIGKILL", signal.SIGTERM))
            for i in range(30):
                line.put(f"{round_} {i}")
            jobs = [line.get() for _ in range(30)]
            assert [job.error for job in jobs] == [None] * 30
            while not all(line.workers.alive) or line.workers.restarts <= round_:
                time.sleep(0.01)
    finally:
        line.stop()


def test_a_hung_process_is_killed():
    (engine,) = start_engines(make_engine, [(60.0,)], timeout=0.2)
    with pytest.raises(WorkerDied, match=r"killed: no answer within 0\.2 s"):
        engine.encode(["a"])
    engine.close()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_process_that_is_stopped_is_replaced():
    """It does not even read what it is sent."""
    engines = start_engines(make_engine, [()], timeout=0.3)
    line = Line(engines, pauses=(0.01, 0.1), timeout=0.3)
    os.kill(engines[0].pid, signal.SIGSTOP)
    line.put("x" * 1_000_000)
    assert "TimeoutError" in line.get().error
    line.put("a")
    assert line.get().error is None and line.workers.restarts == 1 and line.stop()


def test_an_engine_that_cannot_be_made():
    with pytest.raises(RuntimeError, match="FileNotFoundError: there is no model here"):
        start_engines(make_broken, [()])
