"""Follow the relationships: ``python read_events.py localhost:9092`` (needs only aiokafka)."""

import asyncio
import json
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer


async def read(servers: str) -> None:
    newest: dict[tuple[str, str], int] = {}  # in a real reader: a table, written in one transaction
    consumer = AIOKafkaConsumer(
        "mentoring.relationship",
        bootstrap_servers=servers,
        group_id="bi.relationship",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    async with consumer:
        async for record in consumer:
            event: dict[str, Any] = json.loads(record.value)
            aggregate = (event["tenant"], event["subject"])
            if int(event["sequence"]) > newest.get(aggregate, -1):  # else a duplicate, or older news
                newest[aggregate] = int(event["sequence"])
                print(event["type"], event["subject"], event["time"])
            await consumer.commit()


if __name__ == "__main__":
    asyncio.run(read(sys.argv[1]))
