"""The toy as a whole process, with signals, health and HTTP, inside the test's loop."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from deploy.local.ports import free_port
from shared.http.api import Api
from shared.persistence.migrate import revisions_of
from shared.runtime.process import Process
from shared.runtime.service import Service
from tests.support.toy import PASSWORD, THINGS, Toy
from tests.support.waiting import eventually


@asynccontextmanager
async def running(toy: Toy, seconds: float) -> AsyncIterator[Process]:
    """The toy as a process of its own would run it; leaving waits for its end."""
    async with schema_at_head(toy):
        api = Api()
        service = Service(toy.name, [THINGS], toy.handlers, api, _summary)
        settings = toy.settings.model_copy(
            update={
                "shutdown_seconds": seconds,
                "http_port": free_port(),
                "auth_issuer": "urn:test",
                "auth_jwks_url": "http://127.0.0.1:9",
            }
        )
        process = Process(service, settings)
        serving = asyncio.create_task(process.run())
        try:
            yield process
            await serving
        finally:
            process.stopping.set()
            await asyncio.gather(serving, return_exceptions=True)
            await _end(process)
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().remove_signal_handler(number)


async def _end(process: Process) -> None:
    """What the end of a real process does to tasks that did not stop in time."""
    tasks = [*process._tasks.values()]
    for consumer in process.consumers:
        tasks += consumer._subscriber.tasks
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await process.broker.stop()
    await process.database.close()


async def _summary(_: Any) -> dict[str, int]:
    return {}


@asynccontextmanager
async def schema_at_head(toy: Toy) -> AsyncIterator[None]:
    """The toy has no migrations; a process waits for the head of the service whose name it bears."""
    settings = toy.settings
    connection = await asyncpg.connect(
        host=settings.database_host,
        port=settings.database_port,
        user=f"mentoring_{toy.name}_owner",
        password=PASSWORD,
        database=f"mentoring_{toy.name}",
        ssl=False,
    )
    try:
        await connection.execute("DELETE FROM alembic_version")
        await connection.execute("INSERT INTO alembic_version VALUES ($1)", revisions_of(toy.name)[0])
        yield
    finally:
        await connection.execute("DELETE FROM alembic_version")
        await connection.close()


async def started(process: Process) -> None:
    async def up() -> bool:
        return process.health.started

    await eventually(up, seconds=60, what="the start")
