"""I3: what every event must have led to, and nothing else. The rules are in ``rules``; this compares.

Both directions: an effect that no event demands is as wrong as a demand without an effect. An event that a
consumer has buried (dead) demands nothing of it.
"""

from collections import Counter
from collections.abc import Collection

from shared.check.events import Facts, Seen
from shared.check.log import Log
from shared.check.report import Finding
from shared.check.rules import Copy, Reaction
from shared.check.sources import Reading


class CopyCheck:
    """The rows of one table against the newest version of each aggregate in a topic."""

    def __init__(
        self, rule: Copy, dead: Collection[tuple[str, str, str]], erased: Collection[str] = ()
    ) -> None:
        self.rule, self._dead = rule, dead
        self._forgotten = erased if rule.forgets else ()
        self._newest: dict[str, int] = {}

    def add(self, seen: Seen, facts: Facts) -> None:
        """Note an event that was seen for the first time."""
        if self._dead and (seen.tenant, seen.source, seen.id) in self._dead:
            return
        subject = self.rule.of(seen, facts)
        if subject is None:
            return
        key = f"{seen.tenant} {subject}"
        known = self._newest.get(key)
        if known is None or seen.sequence > known:
            self._newest[key] = seen.sequence

    async def judge(self, reading: Reading, log: Log, finding: Finding) -> None:
        """Compare both ways."""
        rule, name = self.rule, f"{self.rule.service}.{self.rule.table}"
        async for row in reading.rows(rule.service, rule.query):
            key = f"{row['tenant']} {row['key']}"
            newest = self._newest.pop(key, None)
            finding.counts[name] += 1
            if key in self._forgotten:
                finding.excluded["people who have been erased, and are back"] += 1
                continue
            told = {"table": name, "tenant": row["tenant"], "id": row["key"]}
            if newest is None:
                if log.whole:
                    finding.wrong("a row of which no event speaks", **told, row=row["version"])
                else:
                    finding.excluded["rows whose events are no longer in the topic"] += 1
            elif newest != row["version"]:
                finding.wrong("a row of another version", **told, row=row["version"], said=newest)
        for key, version in self._newest.items():
            if key in self._forgotten:
                finding.excluded["people who have been erased"] += 1
                continue
            tenant, _, subject = key.partition(" ")
            finding.wrong("an event without its row", table=name, tenant=tenant, id=subject, said=version)
        self._newest = {}


class ReactionCheck:
    """The effects that exist against those that events demand."""

    def __init__(self, rule: Reaction, dead: Collection[tuple[str, str, str]]) -> None:
        self.rule, self._dead = rule, dead
        self._demanded: dict[str, int] = {}
        self._possible: set[str] = set()

    def add(self, seen: Seen, facts: Facts) -> None:
        """Note an event that was seen for the first time."""
        if self._dead and (seen.tenant, seen.source, seen.id) in self._dead:
            return
        for key in self.rule.demands(seen, facts):
            self._demanded[f"{seen.tenant} {key}"] = 0
        if self.rule.allows is not None:
            self._possible.update(f"{seen.tenant} {key}" for key in self.rule.allows(seen, facts))

    async def judge(self, reading: Reading, log: Log, finding: Finding) -> None:
        """Compare both ways."""
        rule = self.rule
        doubled: Counter[str] = Counter()
        async for row in reading.rows(rule.service, rule.query):
            key = f"{row['tenant']} {row['key']}"
            finding.counts[rule.name] += 1
            if key in self._demanded:
                self._demanded[key] += 1
                if self._demanded[key] > 1:
                    doubled[key] += 1
            elif key not in self._possible:
                if log.whole:
                    finding.wrong(
                        f"{rule.name}: an effect that no event demands",
                        tenant=row["tenant"],
                        effect=row["key"],
                    )
                else:
                    finding.excluded["effects whose events are no longer in the topic"] += 1
        for key, more in doubled.items():
            tenant, _, effect = key.partition(" ")
            finding.wrong(f"{rule.name}: doubled", tenant=tenant, effect=effect, times=more + 1)
        for key, times in self._demanded.items():
            if not times:
                tenant, _, effect = key.partition(" ")
                finding.wrong(f"{rule.name}: missing", tenant=tenant, effect=effect)
        self._demanded, self._possible = {}, set()
