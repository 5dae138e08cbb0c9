"""Whose requests are worked on: replies go to an identity, so that two clients of one would get each other's vectors."""

import threading
from collections import OrderedDict
from typing import Protocol

IDENTITIES = 1 << 14  # that are remembered
TWICE = ("a request of this identity with this number is being worked on, and nobody could tell the replies apart: give "
         "each request a number of its own, and each client an identity of its own")
CONTESTED = ("another client that is connected asks with this identity, too, and would get these vectors for its own: give "
             "each client that asks an identity of its own (those that only listen may share it)")


class Asker(Protocol):
    """A connection over which requests come."""

    def gone(self) -> bool:
        """Whether it has ended."""


class _Identity:
    """The connections that ask for an identity, with the highest number that each has used; what is worked on."""

    def __init__(self):
        self.askers: dict[Asker, int] = {}
        self.numbers: dict[int, bool] = {}  # False: its reply would be mistaken for another one's


class InFlight:
    """The requests that are worked on, by identity and number; from any thread.

    A client of bert-as-service counts its requests from 1 on. So a connection that goes on counting is the client of
    before, which has connected anew; one that begins again while the other is open is another client.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._identities: OrderedDict[bytes, _Identity] = OrderedDict()

    def begin(self, identity: bytes, number: int, asker: Asker) -> str | None:
        """Notes a request; returns the reason if it is to be refused.

        Then what is worked on for this identity and could be mistaken is not wanted any more, see `end`.
        """
        with self._lock:
            known = self._identities.pop(identity, None) or _Identity()
            self._identities[identity] = known
            if len(self._identities) > IDENTITIES:
                self._identities.popitem(last=False)
            others = {each: highest for each, highest in known.askers.items() if each is not asker and not each.gone()}
            if asker not in known.askers and others and number > max(others.values()):
                others = {}
            known.askers = {**dict(list(others.items())[:1]), asker: max(number, known.askers.get(asker, 0))}
            if others:
                known.numbers = dict.fromkeys(known.numbers, False)
                return CONTESTED
            if number in known.numbers:
                return TWICE
            known.numbers[number] = True
            return None

    def end(self, identity: bytes, number: int) -> bool:
        """A request has been worked on; returns whether its vectors may be sent."""
        with self._lock:
            known = self._identities.get(identity)
            return known is None or known.numbers.pop(number, True)

    def forget(self, identity: bytes) -> None:
        """What was worked on for this identity is dropped; and all of it where nobody asks for it any more."""
        with self._lock:
            if (known := self._identities.get(identity)) is None:
                return
            known.numbers.clear()
            if all(asker.gone() for asker in known.askers):
                del self._identities[identity]
