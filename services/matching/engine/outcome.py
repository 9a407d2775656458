"""From the numbers that a form's solver gives to a result with names, reasons, certificate and figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from services.matching.engine.arrays import I32, I64
from services.matching.engine.certificate import Certificate
from services.matching.engine.configuration import Configuration, Form
from services.matching.engine.encode import Encoded
from services.matching.engine.factors import Rule
from services.matching.engine.figures import (
    Choice,
    Figures,
    GroupScore,
    Proof,
    Raise,
    ScoredPair,
    Stability,
    bars_of,
    by_group,
    choice_of,
    load_of,
    worst_of,
)
from services.matching.engine.pairs import pairs_of
from services.matching.engine.people import Pool
from services.matching.engine.result import Pair, Result, Unmatched, Why
from services.matching.engine.together import count_rules

_RULES: Final[tuple[Rule, ...]] = tuple(rule for rule in Rule if rule is not Rule.NONE)
_SAMPLE: Final = 500
"""Mentees for whom it is counted how many mentors the rules leave: the first of the draw."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Pairs by the numbers of the arrays, and what is proven."""

    mentee: I32
    mentor: I32
    """Of the same length; between peers each pair once."""
    bonus: int
    """What these pairs carry for people being matched at all."""
    dual: int
    """No set of pairs is worth more, its bonus included."""
    matched_at_most: int
    rounds: int
    price: I32
    """[mentors] points."""
    covers: str
    ceiling: int | None = None
    """No set of pairs is worth more, whoever is matched."""
    coherence: I64 | None = None
    """[pairs] points that a group gives to the mentee."""
    without_group: frozenset[int] = frozenset()
    """Mentees left over though an allowed mentor has room."""
    stability: Stability | None = None
    raised: Raise | None = None


def result_of(encoded: Encoded, pool: Pool, configuration: Configuration, outcome: Outcome) -> Result:
    """*pool* as it was given, before anybody was left out."""
    peers = configuration.form is Form.PEER
    coherence = np.zeros(len(outcome.mentee), np.int64) if outcome.coherence is None else outcome.coherence
    pairs = pairs_of(encoded, outcome.mentee, outcome.mentor, coherence)
    scores: dict[str, list[int]] = {}
    for pair in pairs:
        for person_id in (pair.mentee_id, pair.mentor_id) if peers else (pair.mentee_id,):
            scores.setdefault(person_id, []).append(pair.score)
    value = sum(pair.score for pair in pairs)
    bound = outcome.dual - outcome.bonus
    certificate = Certificate(
        value=value,
        bound=bound if outcome.ceiling is None else min(bound, outcome.ceiling),
        matched=len(scores),
        matched_at_most=outcome.matched_at_most,
        rounds=outcome.rounds,
        tolerance=configuration.tolerance,
        covers=outcome.covers,
    )
    prices = {encoded.mentors[j].person_id: int(outcome.price[j]) for j in np.flatnonzero(outcome.price)}
    unmatched = _unmatched(encoded, pool, scores, outcome.without_group)
    figures = Figures(
        form=configuration.form,
        method=configuration.method,
        configuration=configuration.fingerprint(),
        mentees=len(pool.mentees),
        mentors=len(pool.mentors),
        pairs=len(pairs),
        proof=_proof(certificate),
        mean_score=value / len(pairs) if pairs else 0.0,
        scores=bars_of([pair.score for pair in pairs]),
        worst=worst_of([ScoredPair(pair.mentee_id, pair.mentor_id, pair.score) for pair in pairs]),
        choice=_choice(encoded),
        load=load_of(
            {mentor.person_id: mentor.room for mentor in encoded.mentors},
            Counter(one for pair in pairs for one in _loaded(pair, peers=peers)),
        ),
        unmatched=dict(sorted(Counter(one.why.value for one in unmatched).items())),
        forbidden=_forbidden(unmatched),
        by_group=_by_group(encoded, scores),
        circles=len(encoded.circles),
        stability=outcome.stability,
        fairness=outcome.raised,
    )
    return Result(
        pairs=tuple(pairs),
        unmatched=tuple(unmatched),
        certificate=certificate,
        prices=prices,
        circles=encoded.circles,
        digest=_digest(pairs, prices),
        figures=figures,
    )


def _loaded(pair: Pair, *, peers: bool) -> tuple[str, ...]:
    return (pair.mentee_id, pair.mentor_id) if peers else (pair.mentor_id,)


def _unmatched(
    encoded: Encoded, pool: Pool, matched: Mapping[str, object], without_group: frozenset[int]
) -> list[Unmatched]:
    """Everybody who wanted a mentor (every peer) and has none."""
    peers = encoded.form is Form.PEER
    wanting = {person.person_id for person in (*pool.mentees, *(pool.mentors if peers else ()))}
    wanting -= {person.person_id for person in encoded.mentees}
    left = [i for i, person in enumerate(encoded.mentees) if person.person_id not in matched]
    others = len(encoded.mentors) - int(peers)
    found = []
    for i, counts in zip(left, count_rules(encoded.people, np.array(left, np.int32)).tolist(), strict=True):
        forbidden = {rule: counts[rule] for rule in _RULES if counts[rule]}
        full = Why.NO_GROUP if i in without_group else Why.ALL_FULL
        why = Why.NOBODY if not others else full if counts[Rule.NONE] else Why.RULES
        found.append(Unmatched(encoded.mentees[i].person_id, why, forbidden))
    found += [Unmatched(person_id, Why.NO_PLACE, {}) for person_id in wanting]
    return sorted(found, key=lambda one: one.mentee_id)


def _forbidden(unmatched: Sequence[Unmatched]) -> dict[str, int]:
    count: Counter[str] = Counter()
    for one in unmatched:
        if one.why is Why.RULES:
            count.update({rule.name.lower().replace("_", "-"): n for rule, n in one.forbidden.items()})
    return dict(sorted(count.items()))


def _proof(certificate: Certificate) -> Proof:
    return Proof(
        value=certificate.value,
        bound=certificate.bound,
        gap=certificate.gap,
        tolerance=certificate.tolerance,
        within_tolerance=certificate.within_tolerance,
        matched=certificate.matched,
        matched_at_most=certificate.matched_at_most,
        rounds=certificate.rounds,
        covers=certificate.covers,
    )


def _choice(encoded: Encoded) -> Choice:
    sample = np.arange(min(_SAMPLE, len(encoded.mentees)), dtype=np.int32)
    return choice_of(count_rules(encoded.people, sample)[:, Rule.NONE].tolist())


def _by_group(encoded: Encoded, scores: Mapping[str, Sequence[int]]) -> list[GroupScore]:
    if not any(person.group for person in encoded.mentees):
        return []
    means = {
        number: sum(found) // len(found)
        for number, person in enumerate(encoded.mentees)
        if (found := scores.get(person.person_id))
    }
    return list(by_group([person.group for person in encoded.mentees], means))


def _digest(pairs: Sequence[Pair], prices: Mapping[str, int]) -> str:
    content = sha256()
    for pair in pairs:
        content.update(f"{pair.mentee_id}\x1f{pair.mentor_id}\x1f{pair.score}\n".encode())
    for mentor_id in sorted(prices):
        content.update(f"{mentor_id}\x1f{prices[mentor_id]}\n".encode())
    return content.hexdigest()
