"""The figures of SHOW_STATUS, as bert-as-service computes them."""

from tfplm.serve.queue.statistics import CLIENTS, INTERVALS, SIZES, Counters, Statistics


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_before_any_request():
    assert Statistics().value() == {"num_data_request": 0, "num_total_seq": 0, "num_sys_request": 0,
                                    "num_total_request": 0, "num_total_client": 0, "num_active_client": 0}


def test_requests_are_summed_up():
    clock = Clock()
    statistics = Statistics(clock)
    for client, size in ((b"a", None), (b"a", 2), (b"b", 8), (b"a", 2)):
        clock.now += 0.5
        statistics.count(client, size)
    value = statistics.value()
    assert value["num_data_request"] == 3 and value["num_sys_request"] == 1 and value["num_total_request"] == 4
    assert value["num_total_seq"] == 12 and value["num_total_client"] == 2
    assert (value["avg_size_per_request"], value["min_size_per_request"], value["max_size_per_request"]) == (4, 2, 8)
    assert (value["avg_request_per_client"], value["max_request_per_client"]) == (2, 3)
    assert value["num_max_request_per_client"] == value["num_min_request_per_client"] == 1
    assert value["min_last_two_interval"] == 0.5 and value["max_last_two_interval"] == 1.0
    assert value["max_request_per_second"] == 2.0 and value["num_max_request_per_second"] == 2


def test_clients_are_active_for_three_minutes():
    clock = Clock()
    statistics = Statistics(clock)
    statistics.count(b"a", 1)
    clock.now += 100
    statistics.count(b"b", 1)
    statistics.count(b"c", None)
    assert statistics.value()["num_active_client"] == 2
    clock.now += 100
    assert statistics.value()["num_active_client"] == 1
    clock.now += 3600
    assert statistics.value()["num_active_client"] == 0


def test_memory_is_bounded():
    statistics = Statistics()
    for i in range(SIZES + 1000):
        statistics.count(b"%d" % i, i)
    assert len(statistics._requests) == len(statistics._active) == CLIENTS
    assert len(statistics._sizes) == SIZES and len(statistics._intervals) == INTERVALS
    assert statistics.value()["num_total_client"] == SIZES + 1000


def test_counters_pass_every_value_on():
    counters, seconds, sizes = Counters(), [], []
    counters.on_request.append(seconds.append)
    counters.on_batch.append(sizes.append)
    for failed in (False, True):
        counters.request_ended(0.5, failed)
    counters.batch_ended(3, 0.25)
    assert (seconds, sizes, counters.busy_seconds) == ([0.5, 0.5], [3], 0.25)
    assert counters.numbers == {"failed": 1, "batches": 1}
