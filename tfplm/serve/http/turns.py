"""Whose request is worked on next."""

import asyncio
from collections import OrderedDict, deque

from tfplm.serve.http.body import busy


class Turns:
    """At most `most` requests at once; up to `room` others wait, in a line for each address, and the lines take turns: who
    sends many requests keeps others from work no longer than who sends one.

    Where there is no room, the last one of the longest line makes way for an address with a shorter line.
    """

    def __init__(self, most: int, room: int):
        self._free, self.room, self.waiting = most, room, 0
        self._lines: OrderedDict[str, deque[asyncio.Future]] = OrderedDict()  # the first one is next

    async def acquire(self, address: str) -> None:
        """Waits for a turn, which ends with `release`; Refusal where there is no room."""
        if self._free:
            self._free -= 1
            return
        if self.waiting >= self.room:
            self._make_room(address)
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(address, deque()).append(turn)
        self.waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._leave(address, turn)
            else:  # it came at the same moment
                self.release()
            raise

    def release(self) -> None:
        """A turn has ended: the next one begins."""
        while self._lines:
            address, line = next(iter(self._lines.items()))
            self._lines.move_to_end(address)
            turn = line[0]
            self._leave(address, turn)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _make_room(self, address: str) -> None:
        longest = max(self._lines, key=lambda each: len(self._lines[each]), default=address)
        if len(self._lines.get(longest, ())) <= len(self._lines.get(address, ())) + 1:
            raise busy()
        turn = self._lines[longest][-1]
        self._leave(longest, turn)
        if not turn.done():
            turn.set_exception(busy())

    def _leave(self, address: str, turn: asyncio.Future) -> None:
        line = self._lines.get(address)
        if line is not None and turn in line:
            line.remove(turn)
            self.waiting -= 1
            if not line:
                del self._lines[address]
