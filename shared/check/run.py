"""The whole check: rest, then topic after topic with everything that is compared with it, then rows alone."""

import asyncio
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from shared.check.capacity import Places
from shared.check.early import NeverEarly, judge_last_days
from shared.check.effects import CopyCheck, ReactionCheck
from shared.check.events import Facts, Seen, hashed
from shared.check.inbox import compare_inbox
from shared.check.log import Log
from shared.check.mails import judge_mails
from shared.check.outbox import Versions, compare_ledgers, has_versions
from shared.check.report import CLAIMS, Finding, Report
from shared.check.requests import Requests
from shared.check.rest import Fence, at_rest, look
from shared.check.rules import COPIES, HEARS, REACTIONS
from shared.check.sources import Reading, Sources
from shared.check.states import judge_states
from shared.contracts import TOPICS, Topic

_DEAD: Final = "SELECT tenant, source, id FROM inbox WHERE consumer = $1 AND outcome = 'dead'"
_DROPPED: Final = "SELECT tenant, sum(count) AS times FROM hr_dropped_field GROUP BY tenant"
_DROPPED_RULE: Final = "fields that HR sent beyond the contract: counted once"
_ERASED: Final = "SELECT tenant, person_id FROM departure WHERE erased_version > 0"
_DUE: Final = "SELECT count(*) FROM timer WHERE due_at <= app_now()"

Dead = Collection[tuple[str, str, str]]


async def check(sources: Sources) -> Report:
    """Compare everything, on a platform that runs or one of which only the servers run.

    Waits up to ``sources.wait`` seconds for rest, and begins again when something has moved meanwhile. Raises
    :class:`~shared.check.sources.CheckError` when a database or Kafka cannot be read.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + sources.wait
    began = time.monotonic()
    requests = Requests.load(sources.ledger) if sources.ledger is not None else None
    async with Reading(sources) as reading:
        while True:
            fence = await at_rest(reading, deadline)
            if fence.moving:
                return Report(moving=fence.moving, seconds=time.monotonic() - began)
            judgement = _Judgement(reading, fence, requests)
            await judgement.run()
            after = await look(reading)
            if not after.moving and fence.same(after):
                return Report(judgement.ordered, seconds=time.monotonic() - began)
            if clock() >= deadline:
                moved = after.moving or {"events during the check": _events(after) - _events(fence)}
                return Report(moving=moved, seconds=time.monotonic() - began)
            if sources.ledger is not None:
                requests = Requests.load(sources.ledger)


def _events(fence: Fence) -> int:
    return sum(fence.ends.values()) + sum(sum(numbers) for numbers in fence.written.values())


@dataclass(slots=True)
class _Judgement:
    """One pass over everything."""

    reading: Reading
    fence: Fence
    requests: Requests | None
    findings: dict[str, Finding] = field(default_factory=lambda: {name: Finding(name) for name in CLAIMS})
    erased: set[str] = field(default_factory=set)
    """Tenant and id of everybody who was ever erased."""
    early: NeverEarly = field(init=False)
    places: Places = field(init=False)

    def __post_init__(self) -> None:
        self.early = NeverEarly(self.findings["I7"], self.erased)
        self.places = Places(self.findings["I9"])

    @property
    def ordered(self) -> list[Finding]:
        """The findings, without I1 when there is no ledger."""
        return [f for f in self.findings.values() if f.invariant != "I1" or self.requests is not None]

    async def run(self) -> None:
        if "matching" in self.reading.services:
            async for row in self.reading.rows("matching", _ERASED):
                self.erased.add(f"{row['tenant']} {row['person_id']}")
        for topic in TOPICS:
            await self._topic(topic)
        await judge_states(self.reading, self.findings)
        await self.early.judge(self.reading)
        await judge_last_days(self.reading, self.findings["I7"], self.findings["I8"])
        await judge_mails(self.reading, self.findings["I6"])
        await self._notes()

    async def _topic(self, topic: Topic) -> None:
        reading, services = self.reading, self.reading.services
        old_before = (time.time() - reading.sources.retention.total_seconds() + 86_400) * 1000
        log = Log(topic, self.fence, reading, old_before, self.erased)
        readers = [service for service in services if topic.name in HEARS[service]]
        dead: dict[str, Dead] = {
            service: {tuple(row) for row in await reading.fetch(service, _DEAD, topic.name)}
            for service in readers
        }
        copies = [
            CopyCheck(rule, dead.get(rule.service, ()), self.erased)
            for rule in COPIES
            if rule.topic == topic.name and rule.service in services
        ]
        reactions = [
            ReactionCheck(rule, dead.get(rule.service, ()))
            for rule in REACTIONS
            if rule.topic == topic.name and rule.service in services
        ]
        versions, dropped = Versions(), Counter[str]()
        async for seen, _ in log.fill(reading, self.fence):
            facts = seen.facts()
            versions.add(seen)
            for copy in copies:
                copy.add(seen, facts)
            for reaction in reactions:
                reaction.add(seen, facts)
            self.early.add(seen, facts)
            self._remember(topic, seen, facts, dropped, dead)
        self.findings["I10"].counts["records"] += log.records - log.unreadable
        if topic.name == "person":
            self.places.known = log.whole
        await self._compare(topic, log, versions, readers)
        for copy in copies:
            await copy.judge(reading, log, self.findings["I4" if copy.rule.own else "I3"])
        for reaction in reactions:
            await reaction.judge(reading, log, self.findings["I3"])
        if topic.intake and "profiles" in services and log.whole:
            await self._judge_dropped(dropped)
        if self.requests is not None:
            self.requests.judge(topic.name, self.findings["I1"], whole=log.whole)

    def _remember(
        self, topic: Topic, seen: Seen, facts: Facts, dropped: Counter[str], dead: dict[str, Dead]
    ) -> None:
        if topic.name in ("person", "relationship") and not seen.erasure:
            self.places.add(hashed(seen.tenant, seen.source, seen.id), seen, facts)
        if topic.intake and (seen.tenant, seen.source, seen.id) not in dead.get("profiles", ()):
            dropped[seen.tenant] += seen.fields_beyond_contract()
        if self.requests is not None:
            self.requests.add(topic.name, seen)

    async def _compare(self, topic: Topic, log: Log, versions: Versions, readers: list[str]) -> None:
        writers = list(topic.writers)
        if set(writers) <= set(self.reading.services) and not topic.intake:
            said = self.places.said if topic.name == "relationship" and log.whole else _unheard
            await compare_ledgers(self.reading, log, versions, self.findings["I2"], writers, in_order=said)
        if has_versions(topic):
            versions.judge(log, self.findings["I4"])
        for service in readers:
            await compare_inbox(self.reading, service, log, self.findings["I5"], self.findings["I10"])

    async def _judge_dropped(self, dropped: Counter[str]) -> None:
        finding = self.findings["I3"]
        counted: dict[str, Any] = {
            row["tenant"]: int(row["times"]) for row in await self.reading.fetch("profiles", _DROPPED)
        }
        for tenant in dropped.keys() | counted.keys():
            finding.counts[_DROPPED_RULE] += dropped[tenant]
            if dropped[tenant] != counted.get(tenant, 0):
                finding.wrong(
                    _DROPPED_RULE, tenant=tenant, sent=dropped[tenant], counted=counted.get(tenant, 0)
                )

    async def _notes(self) -> None:
        for service in self.reading.services:
            if due := await self.reading.value(service, _DUE):
                self.findings["I7"].notes.append(f"{service}: {due:,} timers are due, and not fired yet")
        missing = [service for service in HEARS if service not in self.reading.services]
        if missing:
            self.findings["I3"].notes.append(f"not compared, because not given: {', '.join(missing)}")
        if self.requests is not None and self.requests.without_effect:
            self.findings["I1"].notes.append(
                f"{self.requests.without_effect:,} requests name no effect, and were not judged"
            )


def _unheard(identity: int) -> None:
    """The order of what was said in other topics is of no interest."""
