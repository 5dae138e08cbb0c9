"""Batches, order, retries and limits of the scheduler, without threads and sockets."""

import threading

import numpy as np
import pytest

from tests.serve.conftest import eventually
from tests.serve.fake_engines import DIMENSION, FakeEngine, vectors_of
from tfplm.serve.engines.engine import WorkerDied
from tfplm.serve.engines.vectors import VectorInfo
from tfplm.serve.queue.job import Job
from tfplm.serve.queue.scheduler import PATIENCE, Scheduler

INFO = VectorInfo(DIMENSION)


class Queue(Scheduler):
    """A scheduler that keeps the jobs that ended."""

    def __init__(self, info=INFO, **keywords):
        super().__init__(**keywords)
        self.info, self.ended = info, []

    def put(self, *texts, owner=None) -> Job:
        job = Job(list(texts), self.info.join, self.ended.append, owner)
        self.submit(job)
        return job

    def sizes(self) -> list[int]:
        """The sizes of all batches, in order; nothing is encoded."""
        batches = []
        while batch := self.take(timeout=0):
            batches.append([len(part) for part in batch])
        return batches

    def serve(self, engine=None) -> None:
        engine = engine or FakeEngine(info=self.info)
        while batch := self.take(timeout=0):
            try:
                self.finish(batch, engine.encode(inputs_of(batch)))
            except ValueError as error:
                self.fail(batch, error)


def inputs_of(batch) -> list:
    return [each for part in batch for each in part.inputs]


def texts(number: int, name: str = "t") -> list[str]:
    return [f"{name}{i}" for i in range(number)]


def test_requests_of_many_clients_share_a_batch():
    queue = Queue()
    jobs = [queue.put(f"我{i}", f"你{i}") for i in range(10)]
    queue.serve(engine := FakeEngine())
    assert len(engine.batches) == 1 and queue.ended == jobs
    for i, job in enumerate(jobs):
        np.testing.assert_array_equal(job.result.vectors, vectors_of([f"我{i}", f"你{i}"]))


def test_small_requests_first():
    queue = Queue(max_batch_size=8, priority_batch_size=2)
    large, small = queue.put(*texts(10)), queue.put("a", "b")
    batch = queue.take(timeout=0)
    assert [(part.job, part.start, part.stop) for part in batch] == [(small, 0, 2), (large, 0, 6)]
    assert [(part.job, part.start, part.stop) for part in queue.take(timeout=0)] == [(large, 6, 10)]


@pytest.mark.parametrize("size", [7, 8, 9, 16, 17, 100])
def test_large_requests_are_split_and_put_together(size):
    queue = Queue(max_batch_size=8, priority_batch_size=2)
    job = queue.put(*texts(size))
    queue.serve(engine := FakeEngine(tokens=True))
    assert max(map(len, engine.batches)) <= 8
    np.testing.assert_array_equal(job.result.vectors, vectors_of(texts(size)))
    assert [tokens[1:-1] for tokens in job.result.tokens] == [list(text) for text in texts(size)]
    assert job.result.lengths.tolist() == [len(text) + 2 for text in texts(size)]
    assert queue.pending == 0 and not queue.jobs


def test_parts_that_end_out_of_order():
    queue = Queue(max_batch_size=3, priority_batch_size=1)
    job = queue.put(*texts(8))
    batches = [queue.take(timeout=0) for _ in range(3)]
    for batch in reversed(batches):
        assert not queue.ended
        queue.finish(batch, FakeEngine().encode(inputs_of(batch)))
    np.testing.assert_array_equal(job.result.vectors, vectors_of(texts(8)))


def test_large_requests_take_turns():
    queue = Queue(max_batch_size=4, priority_batch_size=1)
    first, second = queue.put(*texts(100)), queue.put(*texts(8))
    turns = [queue.take(timeout=0)[0].job for _ in range(4)]
    assert turns == [first, second, first, second]


def test_a_large_request_does_not_starve():
    queue = Queue(max_batch_size=4, priority_batch_size=4)
    large, waited = queue.put(*texts(5)), 0
    for _ in range(20):
        queue.put(*texts(4))
        if queue.take(timeout=0)[0].job is large:
            break
        waited += 1
    assert waited == PATIENCE


def test_a_priority_size_above_the_batch_size():
    queue = Queue(max_batch_size=4, priority_batch_size=100)
    job = queue.put(*texts(10))
    queue.serve(engine := FakeEngine())
    assert [len(batch) for batch in engine.batches] == [4, 4, 2]
    np.testing.assert_array_equal(job.result.vectors, vectors_of(texts(10)))


def test_random_requests_all_come_back():
    random = np.random.default_rng(0)
    queue = Queue(max_batch_size=16, priority_batch_size=5)
    wanted, engine = {}, FakeEngine()
    for i in range(300):
        some = texts(int(random.integers(1, 40)), f"{i}.")
        wanted[queue.put(*some)] = some
        if random.random() < 0.5 and (batch := queue.take(timeout=0)):
            queue.finish(batch, engine.encode(inputs_of(batch)))
    queue.serve(engine)
    assert set(queue.ended) == set(wanted) and max(map(len, engine.batches)) <= 16
    for job, some in wanted.items():
        np.testing.assert_array_equal(job.result.vectors, vectors_of(some))


@pytest.mark.parametrize("fixed, expected", [(None, 9), (6, 6), (20, 20)])
def test_vectors_of_tokens(fixed, expected):
    """Without a fixed length, the longest row of the request counts, not that of the batch."""
    info = VectorInfo(DIMENSION, per_token=True, fixed_length=fixed)
    queue = Queue(info, max_batch_size=2, priority_batch_size=1)
    job = queue.put("a", "ab", "abcdefg", "abc")
    other = queue.put("a" * 30)
    batches = [queue.take(timeout=0) for _ in range(3)]
    for batch in batches:
        queue.finish(batch, FakeEngine(info=info).encode(inputs_of(batch)))
    assert {job, other} <= set(queue.ended)
    assert job.result.vectors.shape == (4, expected, DIMENSION)
    assert (job.result.vectors[0, :3] == vectors_of(["a"])).all() and not job.result.vectors[0, 3:].any()


def test_one_at_fault_takes_nobody_with_it():
    queue = Queue()
    good, bad, more = queue.put("a"), queue.put("poison"), queue.put("b", "c")
    queue.serve()
    assert bad.error == "ValueError: a poisonous text" and bad.result is None
    assert good.error is None and more.error is None
    np.testing.assert_array_equal(more.result.vectors, vectors_of(["b", "c"]))
    assert queue.pending == 0


def test_vectors_for_which_there_is_no_memory():
    """The request is answered, and the others of its batch as if nothing had happened."""
    def join(outputs):
        raise MemoryError("no room for 3 vectors")

    queue = Queue()
    first, large = queue.put("a"), Job(["b", "c"], join, queue.ended.append)
    queue.submit(large)
    last = queue.put("d")
    queue.serve(engine := FakeEngine())
    assert queue.ended == [first, large, last] and large.error == "MemoryError: no room for 3 vectors"
    np.testing.assert_array_equal(last.result.vectors, vectors_of(["d"]))
    assert len(engine.batches) == 1 and not queue.jobs and queue.pending == 0


def test_a_request_fails_once_and_as_a_whole():
    queue = Queue(max_batch_size=2, priority_batch_size=1)
    job = queue.put("a", "b", "poison", "c", "poison", "d")
    queue.serve()
    assert queue.ended == [job] and job.error and queue.pending == 0


def test_a_death_is_tried_once_more():
    queue = Queue()
    job = queue.put("a")
    batch = queue.take(timeout=0)
    queue.fail(batch, WorkerDied("killed"))
    assert not queue.ended
    queue.fail(queue.take(timeout=0), WorkerDied("killed again"))
    assert job.error == "WorkerDied: killed again" and queue.take(timeout=0) == []


def test_cancelled_work_is_dropped():
    queue = Queue(max_batch_size=4, priority_batch_size=1)
    mine = [queue.put(*texts(10), owner="me"), queue.put("x", owner="me")]
    yours = queue.put("y", owner="you")
    batch = queue.take(timeout=0)
    assert queue.cancel("me") == 2 and queue.pending == 1
    queue.finish(batch, FakeEngine().encode(inputs_of(batch)))
    queue.serve()
    assert queue.ended == [yours] and all(job.cancelled for job in mine)


def test_the_queue_is_bounded():
    changes = []
    queue = Queue(max_pending=5, changed=lambda: changes.append(queue.full))
    queue.put(*texts(4))
    assert not queue.full
    queue.put("a")
    assert queue.full
    queue.serve()
    assert not queue.full and changes[-1] is False


def test_memory_of_what_waits_is_bounded():
    """Texts and tokens, not only their number."""
    queue = Queue(max_pending_bytes=100_000)
    queue.put("a" * 90_000)
    assert not queue.full and 90_000 <= queue.pending_bytes < 91_000
    tokens = queue.put([f"token {i}" for i in range(400)], owner="me")
    assert queue.full and tokens.bytes > 400 * 50
    queue.cancel("me")
    assert not queue.full
    queue.put(list(range(1000, 2000)))
    assert queue.full
    queue.serve()
    assert not queue.full and queue.pending_bytes == 0


def test_an_engine_with_too_few_outputs():
    queue = Queue()
    queue.put("a", "b")
    with pytest.raises(ValueError, match="1 outputs for 2 inputs"):
        queue.finish(queue.take(timeout=0), FakeEngine().encode(["a"]))


def test_a_result_is_what_the_engine_joins():
    """The queue knows neither texts nor vectors: pairs in, numbers out."""
    queue, ended = Queue(max_batch_size=2, priority_batch_size=1), []
    job = Job([("a", "b"), ("c", "dd"), ("e", "f")], sum, ended.append)
    queue.submit(job)
    while batch := queue.take(timeout=0):
        queue.finish(batch, [len(first + second) for first, second in inputs_of(batch)])
    assert ended == [job] and job.result == 7 and job.bytes > 3 * 2 * 50


def test_close_serves_what_is_there():
    queue = Queue()
    queue.put("a")
    queue.close()
    with pytest.raises(RuntimeError, match="stopping"):
        queue.put("b")
    assert len(queue.take()) == 1
    assert queue.take() is None


def test_take_waits_and_wakes():
    queue = Queue()
    assert queue.take(timeout=0.01) == []
    threading.Timer(0.05, queue.put, ["a"]).start()
    assert len(queue.take(timeout=10)) == 1


def test_all_idle_workers_share_a_large_request():
    queue, batches = Queue(max_batch_size=4, priority_batch_size=1), []
    idle = [threading.Thread(target=lambda: batches.append(queue.take()), daemon=True) for _ in range(3)]
    for thread in idle:
        thread.start()
    assert eventually(lambda: len(queue._condition._waiters) == 3)
    queue.put(*texts(12))
    for thread in idle:
        thread.join(20)
    assert sorted(batch[0].start for batch in batches) == [0, 4, 8]


def test_an_answer_that_nobody_takes():
    queue = Queue()

    def refuse(job):
        raise RuntimeError("Event loop is closed")

    queue.submit(Job(["a"], list, refuse))
    other = queue.put("b")
    queue.serve()
    assert queue.ended == [other] and queue.pending == 0


def test_an_answer_does_not_keep_its_batch_in_memory():
    for info in (INFO, VectorInfo(DIMENSION, per_token=True)):
        queue = Queue(info)
        job = queue.put("a")
        queue.put(*texts(200))
        queue.serve()
        assert job.result.vectors.base is None


def test_fail_all():
    queue = Queue()
    jobs = [queue.put("a"), queue.put(*texts(300))]
    queue.fail_all("no worker")
    assert [job.error for job in jobs] == ["no worker"] * 2 and queue.pending == 0
    assert queue.take(timeout=0) == []
