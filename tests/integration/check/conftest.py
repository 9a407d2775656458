"""A small organisation on the real broker with all services in this process, to be judged by the check."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from shared.check import Report, Sources, check
from shared.contracts import TOPICS
from shared.contracts.topics import SERVICES
from shared.messaging.kafka import connection
from tests.integration.services.story import TERMINATED, Story
from tests.support.databases import Databases, new_tenant, prepared_databases
from tests.support.platform import Platform
from tests.support.records import hr_event
from tests.support.servers import Servers

Check = Callable[..., Awaitable[Report]]
NewPlatform = Callable[[], AbstractAsyncContextManager[Platform]]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def databases(servers: Servers) -> AsyncIterator[Databases]:
    async with prepared_databases(servers) as databases:
        yield databases


def sources_of(platform: Platform, **more: Any) -> Sources:
    """All of this platform, as the roles that may only read."""
    return Sources(
        databases={service: platform.databases.dsn(service, "check") for service in SERVICES},
        kafka=connection(platform.settings("profiles")),
        topic_prefix=platform.prefix,
        group_prefix=platform.prefix,
        **more,
    )


@asynccontextmanager
async def empty_platform(databases: Databases, folder: Path) -> AsyncIterator[Platform]:
    """All topics on the broker, and nothing in the databases."""
    for service in SERVICES:
        async with databases.login(service, "admin") as admin:
            tables = await admin.fetch(
                "SELECT relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'"
                " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
            )
            await admin.execute(f"TRUNCATE {', '.join(name for (name,) in tables)}")
    topics = [topic.name for topic in TOPICS]
    async with Platform.open(databases, folder, topics=topics) as platform:
        yield platform


@pytest.fixture
def new_platform(databases: Databases, tmp_path: Path) -> NewPlatform:
    """``async with new_platform() as platform``: for one test alone. Nothing of it runs yet."""
    return lambda: empty_platform(databases, tmp_path)


async def live(platform: Platform) -> Story:
    """People enrol, a pair meets twice, a reminder comes due, feedback is given, and the mentor leaves."""
    story = Story(platform, new_tenant())
    for chapter in (story.begin, story.enrol, story.plan, story.propose, story.accept, story.meet):
        await chapter()
    await platform.pass_time(timedelta(days=2, hours=3))
    await platform["notifications"].fire_timers()
    await platform.carry()
    return story


async def leave(story: Story) -> None:
    """The pair's mentor has left."""
    gone = {"employee_id": story.pair[0], "effective_on": "2020-01-31"}
    await story.platform.hear_hr(hr_event(story.tenant, TERMINATED, gone, sequence=2))
    for service in SERVICES:
        await story.platform[service].fire_timers()
    await story.platform.carry()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def lived(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Story]:
    """A story that has been lived. Whoever damages its rows puts them back (:func:`damaged`)."""
    async with empty_platform(databases, tmp_path_factory.mktemp("lived")) as platform:
        await platform.run()
        yield await live(platform)


@asynccontextmanager
async def damaged(platform: Platform, service: str, statement: str, *values: Any) -> AsyncIterator[None]:
    """Within it the database is as somebody has left it who may do everything; afterwards as it was."""
    async with platform.databases.login(service, "admin") as admin:
        table = statement.replace("INTO ", "").replace("FROM ", "").split()[1]
        await admin.execute("SET session_replication_role = replica")  # neither triggers nor foreign keys
        await admin.execute(f"CREATE TEMPORARY TABLE saved AS TABLE {table}")
        try:
            done = await admin.execute(statement, *values)
            assert not done.endswith(" 0"), f"nothing was damaged: {statement}"
            yield
        finally:
            await admin.execute(f"DELETE FROM {table}")
            await admin.execute(f"INSERT INTO {table} SELECT * FROM saved")


@pytest.fixture
def judge() -> Check:
    """``await judge(platform)``: the report, at rest."""

    async def run(platform: Platform, **more: Any) -> Report:
        report = await check(sources_of(platform, wait=20, **more))
        assert report.at_rest, report.render()
        return report

    return run
