"""Publish one HR event: ``python publish_hr_event.py localhost:9092`` (needs only aiokafka)."""

import asyncio
import json
import sys

from aiokafka import AIOKafkaProducer

HEADERS = [("content-type", b"application/cloudevents+json; charset=utf-8")]
EVENT = {
    "specversion": "1.0",
    "id": "workday-E1017-20260401031000",  # made from the source's own row: sent again, it is the same event
    "source": "urn:acme:workday",
    "type": "hr.person.terminated.v1",
    "subject": "E1017",
    "time": "2026-04-01T03:10:00Z",
    "sequence": "20260401031000",  # higher for every later event of this employee
    "tenant": "acme",
    "data": {"employee_id": "E1017", "effective_on": "2026-04-30"},
}


async def publish(servers: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True) as producer:
        key, value = str(EVENT["subject"]).encode(), json.dumps(EVENT).encode()
        await producer.send_and_wait("mentoring.hr-intake", value, key, headers=HEADERS)


if __name__ == "__main__":
    asyncio.run(publish(sys.argv[1]))
