"""What must be in the database and in the log of a story, by books that the code under test does not see."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import asyncpg

from shared.contracts.people import ProgrammeChanged
from shared.messaging.codec import UNATTRIBUTED
from shared.messaging.kafka import topic_name
from shared.runtime.settings import Settings
from tests.support.memory_log import Log
from tests.support.toy import PASSWORD


class Books:
    """Which commands have been committed, and whether everything else follows from them."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name, self.settings = name, settings
        self.topic = topic_name(settings, "programme")
        self._connection: asyncpg.Connection[Any] | None = None

    async def open_books(self, tenant: str, log: Log) -> None:
        """Begin with nothing said and nothing sent."""
        self.tenant, self.log = tenant, log
        self.committed: dict[tuple[str, int], str] = {}
        """The name that each committed command has given, by key and version."""
        self.disordered: set[str] = set()
        """Keys of which the broker has refused one record and taken the next."""
        ((self._ledger_from,),) = await self._ask("SELECT coalesce(max(outbox_id), 0) FROM outbox_ledger")

    async def letters(self) -> list[str]:
        """Ids of this world's open dead letters, those without a tenant among them."""
        rows = await self._ask(
            "SELECT id FROM dead_letter WHERE tenant = ANY($1) AND record_offset >= $2 AND state = 'open'"
            " ORDER BY partition, record_offset",
            [self.tenant, UNATTRIBUTED],
            self.log.base,
        )
        return [identity for (identity,) in rows]

    async def effects(self) -> dict[tuple[str, int], tuple[str, int]]:
        """(name, how often) by (key, version)."""
        things = await self._things()
        return {
            (thing.split(":")[0], version): (name, effects)
            for thing, version, name, effects in things
            if ":" in thing and not thing.startswith("own:")
        }

    async def check_always(self) -> None:
        expected = {place: (name, 1) for place, name in self.committed.items()}
        for place, effect in (await self.effects()).items():
            assert expected.get(place) == effect, f"{place} has the effect {effect}"
        assert self._sent() <= set(self.committed), "an event was sent that nobody has committed"

    async def check_quiet(self) -> None:
        await self.check_always()
        assert set(await self.effects()) == set(self.committed), "an event has no effect"
        versions = {thing: version for thing, version, _, _ in await self._things() if ":" not in thing}
        last = {key: max(v for k, v in self.committed if k == key) for key, _ in self.committed}
        assert versions == last, "a projection is not at its newest version"
        ledger = await self._ask(
            "SELECT topic, key, sequence, event_id FROM outbox_ledger WHERE outbox_id > $1", self._ledger_from
        )
        said = sorted((key, sequence) for topic, key, sequence, _ in ledger if topic == "programme")
        assert said == sorted(self.committed), "versions are not 1..n"
        assert {identity for *_, identity in ledger} == self._ids_sent(), "ledger and log differ"
        rows = await self._ask(
            "SELECT outcome, count(*) FROM inbox WHERE record_offset >= $1 AND tenant = ANY($2) GROUP BY 1",
            self.log.base,
            [self.tenant, UNATTRIBUTED],
        )
        assert dict(rows) == dict(self._outcomes()), "outcomes do not balance"
        assert len(await self.letters()) == self._outcomes()["dead"], "dead letters do not balance"

    def check_order(self) -> None:
        """Records of one key come in the order of its versions when they come for the first time."""
        by_key: dict[str, list[int]] = {}
        for key, version in self._own_records():
            versions = by_key.setdefault(key, [])
            if version not in versions:
                versions.append(version)
        for key, versions in by_key.items():
            if key not in self.disordered:
                assert versions == sorted(versions), f"{key} came as {versions}"

    def _own_records(self) -> Iterator[tuple[str, int]]:
        for record in self.log.all(self.topic):
            if (
                record.value is not None
                and b"urn:mentoring" in record.value
                and b"another" not in record.value
            ):
                event = json.loads(record.value)
                yield event["subject"], int(event["sequence"])

    def _sent(self) -> set[tuple[str, int]]:
        return set(self._own_records())

    def _ids_sent(self) -> set[str]:
        topics = {
            self.topic,
            topic_name(self.settings, "enrolment"),
            topic_name(self.settings, f"dlt.{self.name}"),
        }
        return {
            value.decode()
            for topic in topics
            for record in self.log.all(topic)
            for name, value in record.headers
            if name in ("ce_id", "dl_id") and value is not None
        }

    def _outcomes(self) -> Counter[str]:
        """What the inbox must hold when everything that can be redriven has been."""
        bodies: dict[str, bytes | None] = {}
        outcomes: Counter[str] = Counter()
        for record in self.log.all(self.topic):
            try:
                event = json.loads(record.value or b"")
                [(value or b"").decode() for _, value in record.headers]
            except ValueError:
                outcomes["dead"] += 1
                continue
            if event["id"] in bodies:
                outcomes["dead"] += bodies[event["id"]] != record.value
                continue
            bodies[event["id"]] = record.value
            outcomes[_outcome(event)] += 1
        return +outcomes

    async def _things(self) -> list[Any]:
        return await self._ask(
            "SELECT thing_id, version, name, effects FROM thing WHERE tenant = $1", self.tenant
        )

    async def unsent(self) -> bool:
        """Whether the outbox holds anything."""
        return bool(await self._ask("SELECT 1 FROM outbox LIMIT 1"))

    async def _ask(self, query: str, *values: Any) -> list[Any]:
        """As the role that may read everything, on a connection of its own."""
        if self._connection is None:
            self._connection = await asyncpg.connect(
                host=self.settings.database_host,
                port=self.settings.database_port,
                user=f"mentoring_{self.name}_check",
                password=PASSWORD,
                database=f"mentoring_{self.name}",
                ssl=False,
            )
        return [tuple(row) for row in await self._connection.fetch(query, *values)]

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


def _outcome(event: dict[str, Any]) -> str:
    if event["type"] != ProgrammeChanged.TYPE:
        return "unknown"
    return "applied" if event["data"] else "dead"
