"""One run: from a pool to pairs with their factors, the unmatched with their reasons, and the certificate."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

import numpy as np

from services.matching.engine.arrays import I32, Factor, Rule
from services.matching.engine.certificate import Certificate
from services.matching.engine.configuration import Configuration, Objective
from services.matching.engine.encode import Encoded, encode
from services.matching.engine.explain import explain
from services.matching.engine.pairwise import count_allowed
from services.matching.engine.people import Pool
from services.matching.engine.reach import match_more
from services.matching.engine.search import Found, Progress, search

_COVERS = "All pairs that the rules allow, with these capacities and scores."


class Why(StrEnum):
    """Why somebody has no mentor."""

    NOBODY = "nobody"
    """There is no mentor at all in the pool."""
    RULES = "rules"
    """Rules forbid every mentor; ``forbidden`` counts by which."""
    ALL_FULL = "all-full"
    """Mentors who would be allowed have no room in this run, or others have more from them."""


@dataclass(frozen=True, slots=True)
class Pair:
    mentee_id: str
    mentor_id: str
    score: int
    """Points; comparable within one configuration version."""
    factors: Mapping[Factor, int]
    """The points' parts; they add up to the score. Factors that give nothing are left out."""
    reasons: tuple[str, ...]
    """For the two people themselves: at most five general sentences, nothing that one of them keeps private."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    mentee_id: str
    why: Why
    forbidden: Mapping[Rule, int]
    """How many mentors each rule forbids (the first that does, in the order of :class:`Rule`)."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found. Pairs and unmatched are in the order of mentees' ids."""

    pairs: tuple[Pair, ...]
    unmatched: tuple[Unmatched, ...]
    certificate: Certificate
    prices: Mapping[str, int]
    """Mentor to what a place with them costs in points; those with room left cost nothing and are left out."""
    circles: tuple[tuple[str, ...], ...]
    """People who report to each other in a circle by HR's data: to be told to whoever keeps that data."""
    digest: str
    """SHA-256 over pairs and prices: equal for equal input, on every machine."""


def match(
    pool: Pool, configuration: Configuration, *, threads: int = 2, progress: Progress | None = None
) -> Result:
    """The best pairs of a pool. Raises :class:`InvalidPool` and :class:`InvalidConfiguration`."""
    encoded = encode(pool, configuration)
    found = search(encoded.people, configuration, threads=threads, progress=progress)
    mentor, added, proven = match_more(encoded.people, found.mentor)
    if configuration.objective is Objective.VALUE and added:
        mentor, added = found.mentor, 0  # whoever gains nothing stays unmatched
    return _result(encoded, configuration, found, mentor, added, proven)


def _result(
    encoded: Encoded, configuration: Configuration, found: Found, mentor: I32, added: int, proven: bool
) -> Result:
    people = encoded.people
    pairs = []
    for i in np.flatnonzero(mentor >= 0).tolist():
        why = explain(encoded, i, int(mentor[i]))
        parts = {share.factor: share.points for share in why.shares}
        pairs.append(Pair(why.mentee_id, why.mentor_id, why.score, parts, why.reasons))
    pairs.sort(key=lambda pair: pair.mentee_id)
    value = sum(pair.score for pair in pairs)
    bonus = int(people.bonus[mentor >= 0].sum())
    dual = found.bound + int(people.bonus[found.mentor >= 0].sum())
    with_room = int((people.capacity > 0).sum())
    certificate = Certificate(
        value=value,
        bound=dual - bonus,
        matched=len(pairs),
        matched_at_most=len(pairs) if proven or not with_room else len(encoded.mentees),
        rounds=found.rounds,
        tolerance=configuration.tolerance,
        covers=_COVERS,
    )
    prices = {encoded.mentors[j].person_id: int(found.price[j]) for j in np.flatnonzero(found.price).tolist()}
    unmatched = [_unmatched(encoded, i) for i in np.flatnonzero(mentor < 0).tolist()]
    unmatched.sort(key=lambda one: one.mentee_id)
    return Result(
        tuple(pairs), tuple(unmatched), certificate, prices, encoded.circles, _digest(pairs, prices)
    )


def _unmatched(encoded: Encoded, i: int) -> Unmatched:
    reasons = np.zeros(len(Rule), np.int64)
    allowed = int(count_allowed(encoded.people, i, reasons))
    reasons[Rule.NONE] = 0
    forbidden = {Rule(number): int(count) for number, count in enumerate(reasons) if count}
    why = Why.NOBODY if not encoded.mentors else Why.ALL_FULL if allowed else Why.RULES
    return Unmatched(encoded.mentees[i].person_id, why, forbidden)


def _digest(pairs: list[Pair], prices: Mapping[str, int]) -> str:
    content = sha256()
    for pair in pairs:
        content.update(f"{pair.mentee_id}\x1f{pair.mentor_id}\x1f{pair.score}\n".encode())
    for mentor_id in sorted(prices):
        content.update(f"{mentor_id}\x1f{prices[mentor_id]}\n".encode())
    return content.hexdigest()
