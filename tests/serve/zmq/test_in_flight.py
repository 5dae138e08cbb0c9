"""Requests that are worked on: two clients of one identity never get each other's vectors unnoticed."""

from tfplm.serve.zmq import in_flight
from tfplm.serve.zmq.in_flight import CONTESTED, TWICE, InFlight


class Asker:
    def __init__(self):
        self.ended = False

    def gone(self):
        return self.ended


def test_the_same_number_twice_at_once():
    flight, me = InFlight(), Asker()
    assert flight.begin(b"me", 2, me) is None and flight.begin(b"me", 3, me) is None
    assert flight.begin(b"me", 2, me) == TWICE
    assert flight.begin(b"you", 2, Asker()) is None
    assert flight.end(b"me", 2)  # the first has its vectors
    assert flight.begin(b"me", 2, me) is None


def test_two_clients_of_one_identity():
    """Numbers that overlap are those of two clients: from then on both get errors, until one has gone."""
    flight, first, second = InFlight(), Asker(), Asker()
    assert flight.begin(b"me", 2, first) is None and flight.begin(b"me", 3, first) is None
    assert flight.begin(b"me", 2, second) == CONTESTED
    assert not flight.end(b"me", 3)  # which `second` would take for its own
    assert flight.begin(b"me", 4, first) == CONTESTED
    second.ended = True
    assert flight.begin(b"me", 5, first) is None and flight.end(b"me", 5)


def test_a_client_that_connects_anew_goes_on():
    flight, before, after = InFlight(), Asker(), Asker()
    assert flight.begin(b"me", 7, before) is None
    assert flight.begin(b"me", 8, after) is None and flight.end(b"me", 7) and flight.end(b"me", 8)


def test_one_after_the_other():
    flight, before = InFlight(), Asker()
    flight.begin(b"me", 7, before)
    before.ended = True
    assert flight.begin(b"me", 1, Asker()) is None


def test_what_a_client_left_is_forgotten():
    flight, me = InFlight(), Asker()
    flight.begin(b"me", 2, me)
    flight.forget(b"me")
    assert flight.begin(b"me", 2, me) is None
    me.ended = True
    flight.forget(b"me")
    flight.forget(b"me")
    assert not flight._identities and flight.end(b"me", 2)


def test_identities_are_bounded(monkeypatch):
    monkeypatch.setattr(in_flight, "IDENTITIES", 10)
    flight, me = InFlight(), Asker()
    for number in range(100):
        flight.begin(b"%d" % number, 1, me)
    assert len(flight._identities) == 10 and flight.end(b"0", 1)
