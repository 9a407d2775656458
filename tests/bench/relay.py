"""Figure 3: the outbox's way to Kafka, against a producer that has everything in memory."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from shared.messaging.kafka import make_producer, topic_name
from shared.messaging.relay import Relay
from shared.persistence.outbox import OutboxRecord
from shared.runtime.collector import spare_collections
from shared.runtime.process import Process
from tests.bench.arrivals import noted_apart
from tests.bench.flows import Latency
from tests.bench.timing import Rounds, Server, spending
from tests.support.instance import service_of
from tests.support.platform import Platform

TOPIC = "enrolment"
_TENANT = "bench"
_CHUNK = 500
_TOGETHER = 50
"""Rows of one transaction at half load."""
_WRITERS = 4


class RelayContest:
    """Both send the same records to the same topic with the same producer settings."""

    def __init__(self, platform: Platform, server: Server, records: Sequence[OutboxRecord]) -> None:
        self._settings = platform.settings("matching")
        self._process = Process(service_of("matching"), self._settings)
        self._server = server
        self._records = [replace(record, topic=TOPIC) for record in records]

    async def close(self) -> None:
        await self._process.relay.close()
        await self._process.database.close()

    async def _write(self, records: Sequence[OutboxRecord]) -> None:
        async with self._process.database.transaction(_TENANT) as uow:
            for record in records:
                uow.record(record)

    async def ours(self, rounds: Rounds) -> None:
        """Read, send, delete, until the outbox is empty."""
        for start in range(0, len(self._records), _CHUNK):
            await self._write(self._records[start : start + _CHUNK])
        await self._process.relay.move_batch()  # connects its producer
        rest = len(self._records) - self._settings.relay_batch
        sent = 0
        with spending(self._server) as spent:
            while moved := await self._process.relay.turn():
                sent += moved
        if sent != rest:
            raise AssertionError(f"the relay has sent {sent} of {rest} records")
        scale = len(self._records) / rest
        spent.wall, spent.cpu, spent.server_cpu = (
            spent.wall * scale, spent.cpu * scale, spent.server_cpu * scale,
        )  # fmt: skip
        rounds.spent.append(spent)

    async def bare(self, rounds: Rounds) -> None:
        """Send from memory, as many at once as the relay does, and wait for each lot."""
        producer = make_producer(self._settings, "bench")
        await producer.start()
        topic = topic_name(self._settings, TOPIC)
        finished = [
            (r.payload, r.key.encode(), [(name, value.encode()) for name, value in r.headers.items()])
            for r in self._records
        ]
        try:
            await producer.send_and_wait(topic, b"{}", b"warm-up")
            with spending(self._server) as spent:
                for start in range(0, len(finished), _CHUNK):
                    await asyncio.gather(
                        *[
                            await producer.send(topic, value, key, headers=headers)
                            for value, key, headers in finished[start : start + _CHUNK]
                        ]
                    )
        finally:
            await producer.stop()
        rounds.spent.append(spent)

    async def latency(self, rate: float, seconds: float) -> Latency:
        """Milliseconds from the end of a commit of fifty rows to their arrival at a reader in another process. The
        rate of the result is the one that the writers kept."""
        count = int(rate * seconds)
        relay = Relay(self._settings, self._process.database, self._process.metrics)
        # Connections are made before: a service has them, and a hundredth of ten seconds is soon lost.
        await asyncio.gather(*(self._write(self._records[:_TOGETHER]) for _ in range(_WRITERS)))
        await relay.turn()
        async with noted_apart(self._settings, TOPIC, "bench-id", count) as arrivals:
            kept, committed = await self._written(relay, rate, count, arrivals)
            seen = arrivals.result()
        return Latency(kept, [(seen[name] - moment) * 1000 for name, moment in committed.items()])

    async def _written(
        self, relay: Relay, rate: float, count: int, arrivals: asyncio.Future[dict[str, float]]
    ) -> tuple[float, dict[str, float]]:
        """Write so many rows at this rate, until all have arrived; the rate that was kept, and when each row's commit
        had ended."""
        stamp = datetime.now(UTC).isoformat()
        committed: dict[str, float] = {}
        rows = [
            replace(self._records[number % len(self._records)], headers={"bench-id": f"{stamp}-{number}"})
            for number in range(count)
        ]
        spare_collections()  # of the bench's own rows: one would stop relay and writers for 70 ms
        began = time.perf_counter()

        async def write(own: Sequence[int]) -> None:
            for start in own:
                if (wait := began + start / rate - time.perf_counter()) > 0.001:
                    await asyncio.sleep(wait)
                chunk = rows[start : start + _TOGETHER]
                await self._write(chunk)
                now = time.perf_counter()
                committed.update((row.headers["bench-id"], now) for row in chunk)

        relaying = asyncio.create_task(relay.run())
        starts = range(0, count, _TOGETHER)
        try:
            # Several, because one alone would wait for the disk so often that it could not keep the rate.
            await asyncio.gather(*(write(starts[n::_WRITERS]) for n in range(_WRITERS)))
            kept = count / (max(committed.values()) - began)
            async with asyncio.timeout(120):
                await asyncio.wait({arrivals})
        finally:
            relay.stop()
            await asyncio.gather(relaying, return_exceptions=True)
        return kept, committed
