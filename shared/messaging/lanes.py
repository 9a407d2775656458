"""Several transactions of one topic at a time: while PostgreSQL works for one, Python works for another.

A lane is a queue of parts, each of which becomes a transaction. A key is in one lane only, and a lane does one
part after the other, so that each key's records are handled in order, also those of batches that were handed
over one after the other. While a part is being settled, the next one of its lane is decoded. To each other,
lanes are what replicas are.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from shared.messaging.codec import Item, Record

LANES: Final = 3

Decoded = dict[str, list[Item]]
"""Items by tenant."""
Decode = Callable[[Sequence[Record]], Awaitable[Decoded]]
Settle = Callable[[Decoded], Awaitable[None]]


class _Batch:
    """What was handed over together; ``done`` when every part of it is."""

    def __init__(self) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self.left = 0

    def part_done(self) -> None:
        self.left -= 1
        if self.left == 0 and not self.done.done():
            self.done.set_result(None)

    def failed(self, error: BaseException) -> None:
        if self.done.done():
            return
        if isinstance(error, asyncio.CancelledError):
            self.done.cancel()
        else:
            self.done.set_exception(error)


class _Part(NamedTuple):
    records: Sequence[Record]
    batch: _Batch


class _Lane:
    def __init__(self, decode: Decode, settle: Settle) -> None:
        self._decode, self._settle = decode, settle
        self._waiting: deque[_Part] = deque()
        self._ahead: tuple[_Part, asyncio.Task[Decoded]] | None = None
        self._working: asyncio.Task[None] | None = None

    def append(self, part: _Part) -> None:
        self._waiting.append(part)
        self._look_ahead()
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())

    def cancel(self) -> None:
        if self._working is not None:
            self._working.cancel()

    def _look_ahead(self) -> None:
        if self._ahead is None and self._waiting:
            part = self._waiting.popleft()
            self._ahead = part, asyncio.ensure_future(self._decode(part.records))

    async def _work(self) -> None:
        """One part after the other, until there are none: a lane at rest has no task."""
        part = None
        try:
            while self._ahead is not None:
                part, decoding = self._ahead
                decoded = await decoding
                self._ahead = None
                self._look_ahead()
                await self._settle(decoded)
                part.batch.part_done()
        except BaseException as error:
            # Cancelled, or a defect of ours. What is in this lane has no outcome, and whoever waits must hear of it.
            self._give_up(part, error)
            if isinstance(error, asyncio.CancelledError):
                raise

    def _give_up(self, part: _Part | None, error: BaseException) -> None:
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead[1].cancel()
        for each in (part, ahead and ahead[0], *self._waiting):
            if each:
                each.batch.failed(error)
        self._waiting.clear()


class Lanes:
    """The lanes of one topic."""

    def __init__(self, decode: Decode, settle: Settle) -> None:
        self._lanes = [_Lane(decode, settle) for _ in range(LANES)]

    def hand_over(self, records: Sequence[Record], most: int) -> asyncio.Future[None]:
        """Put the records behind those that are there, in parts of about the same size and at most *most*.
        The future is done when all of these have been settled."""
        batch = _Batch()
        parts = [
            (lane, _Part(part, batch))
            for lane, theirs in self._by_key(records)
            for part in _parts(theirs, most)
        ]
        batch.left = len(parts)
        for lane, part in parts:
            lane.append(part)
        return batch.done

    def cancel(self) -> None:
        """Stop everything under way; whoever waits for it is cancelled too."""
        for lane in self._lanes:
            lane.cancel()

    def _by_key(self, records: Sequence[Record]) -> list[tuple[_Lane, list[Record]]]:
        sorted_out: list[list[Record]] = [[] for _ in self._lanes]
        for record in records:
            sorted_out[hash(record.key or record.partition) % LANES].append(record)
        return [(lane, theirs) for lane, theirs in zip(self._lanes, sorted_out, strict=True) if theirs]


def _parts(records: Sequence[Record], most: int) -> list[Sequence[Record]]:
    number = -(-len(records) // most)
    ends = [len(records) * part // number for part in range(number + 1)]
    return [records[start:end] for start, end in pairwise(ends)]
