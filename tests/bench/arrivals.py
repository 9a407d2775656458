"""Reading what comes to a topic from now on."""

import asyncio
import multiprocessing
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

from aiokafka import AIOKafkaConsumer

from shared.messaging.kafka import make_reader, topic_name
from shared.runtime.settings import KafkaSettings


@asynccontextmanager
async def from_now_on(settings: KafkaSettings, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A reader that gets what comes to *topic* after this moment, and nothing that is there already.

    ``seek_to_end`` would not do (aiokafka 0.14): while the reader's first reset, to the earliest offset, is under way,
    the answer to that one is taken for the end, and the reader begins with all that the topic has ever held.
    """
    reader = make_reader(settings, topic_name(settings, topic), client_id="bench")
    await reader.start()
    try:
        partitions = reader.assignment()
        for partition in partitions:
            await reader.position(partition)  # the first reset has been done
        for partition, end in (await reader.end_offsets(partitions)).items():
            reader.seek(partition, end)
        yield reader
    finally:
        await reader.stop()


@asynccontextmanager
async def noted_apart(
    settings: KafkaSettings, topic: str, header: str, count: int
) -> AsyncIterator[asyncio.Future[dict[str, float]]]:
    """A reader in a process of its own, so that its work is not done in the loop that is measured. The future has,
    for each of the next *count* records, the value of *header* and when it came, as ``time.perf_counter`` (one clock
    for all processes of a machine)."""
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(
        target=_note, args=(settings, topic, header, count, theirs), daemon=True
    )
    child.start()
    theirs.close()
    try:
        if await asyncio.to_thread(ours.recv) != "ready":
            raise AssertionError("the reader has not started")
        yield asyncio.ensure_future(asyncio.to_thread(ours.recv))
    finally:
        child.terminate()
        await asyncio.to_thread(child.join)


def _note(settings: KafkaSettings, topic: str, header: str, count: int, pipe: Connection) -> None:
    asyncio.run(_note_all(settings, topic, header, count, pipe))


async def _note_all(settings: KafkaSettings, topic: str, header: str, count: int, pipe: Connection) -> None:
    seen: dict[str, float] = {}
    async with from_now_on(settings, topic) as reader:
        pipe.send("ready")
        while len(seen) < count:
            for records in (await reader.getmany(timeout_ms=1000)).values():
                now = time.perf_counter()
                for record in records:
                    seen[dict(record.headers)[header].decode()] = now
    pipe.send(seen)
