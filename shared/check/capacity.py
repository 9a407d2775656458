"""I9: at no committed instant had a mentor more pairs than places.

The starts and ends of a mentor's pairs are replayed in the order of their outbox ids: an id is taken while the
mentor's row is locked, so this is the order in which they were committed.
"""

from collections import Counter

from shared.check.events import Facts, Seen
from shared.check.report import Finding
from shared.contracts.pairs import RelationshipEnded, RelationshipStarted
from shared.contracts.people import PersonChanged


class Places:
    """Hears people first, then pairs, then the order in which pairs were said."""

    def __init__(self, finding: Finding) -> None:
        self._finding = finding
        self._capacity: dict[str, int] = {}
        self._said: dict[int, tuple[str, int]] = {}
        self._active: Counter[str] = Counter()
        self.known = True
        """Whether every version of every person could be read."""

    def add(self, identity: int, seen: Seen, facts: Facts) -> None:
        """Note an event of a person (the most places ever) or of a pair."""
        if seen.type == PersonChanged.TYPE:
            self._capacity[seen.key] = max(facts.mentor_capacity, self._capacity.get(seen.key, 0))
        elif seen.type in (RelationshipStarted.TYPE, RelationshipEnded.TYPE):
            step = 1 if seen.type == RelationshipStarted.TYPE else -1
            self._said[identity] = (f"{seen.tenant} {facts.mentor_id}", step)

    def said(self, identity: int) -> None:
        """The next start or end, in the order of the ledger."""
        mentor, step = self._said.get(identity, ("", 0))
        if not step:
            return
        self._active[mentor] += step
        self._finding.counts["starts and ends of pairs"] += 1
        active, places = self._active[mentor], self._capacity.get(mentor, 0)
        if step > 0 and active > places:
            if not self.known:
                self._finding.excluded["pairs beyond the places that compaction has left to be seen"] += 1
                return
            tenant, _, person = mentor.partition(" ")
            self._finding.wrong(
                "more pairs than places", tenant=tenant, mentor=person, pairs=active, places=places
            )
