"""Reading what comes to a topic from now on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
