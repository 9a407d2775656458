"""I9: at no committed instant had a mentor more pairs than places, or one of two peers another peer in the programme.

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
        self._peers: dict[int, tuple[str, str]] = {}
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
            if facts.peers:
                self._peers[identity] = (facts.programme_id, facts.mentee_id)

    def said(self, identity: int) -> None:
        """The next start or end, in the order of the ledger."""
        mentor, step = self._said.get(identity, ("", 0))
        if not step:
            return
        if identity in self._peers:
            self._with_a_peer(mentor, step, *self._peers[identity])
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

    def _with_a_peer(self, person: str, step: int, programme_id: str, other_id: str) -> None:
        """Two peers use no place of a mentor, and each has one peer at a time in a programme."""
        self._finding.counts["starts and ends of pairs"] += 1
        tenant, _, person_id = person.partition(" ")
        for each in (person_id, other_id):
            self._active[f"{tenant} {programme_id} {each}"] += step
            if step > 0 and (active := self._active[f"{tenant} {programme_id} {each}"]) > 1:
                self._finding.wrong(
                    "more than one peer at a time",
                    tenant=tenant,
                    person=each,
                    programme=programme_id,
                    peers=active,
                )
