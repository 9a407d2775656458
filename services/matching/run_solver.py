"""What runs in the process of a run, and what the solver's process answers about one. Everything slow is here: reading
the snapshot, the engine, and making rows of what it found.

A run's process is told its :class:`Job` through a pipe and answers with messages: ``("progress", what, share)``,
``(table, columns)`` for some rows of the result, and at last ``("done", Done)``, ``("refused", sentence)`` or
``("failed", what)``.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any, Final

import msgspec

from services.matching import remembered, snapshot
from services.matching.engine import Configuration, Form, InvalidConfiguration, InvalidPool, Pool
from services.matching.solver_process import MOST_THREADS, Result, begin, compute

if TYPE_CHECKING:
    from services.matching.engine.explain import Explanation

_ROWS_AT_A_TIME: Final = 500
_TELL_SECONDS: Final = 0.2
_IN_CONFIDENCE: Final = ("avoid", "failed-before")
_KEPT_APART: Final = "kept-apart"
_NOT_TOGETHER: Final = "group"
_FEW: Final = 5
"""Fewer pairs than so many that are kept apart are not told of: one could guess whose they are."""
_KEPT_APART_WORDS: Final = (
    "They are kept apart: proposed or paired before without success, or"
    " one of the two has told matching so in confidence."
)


@dataclass(frozen=True, slots=True)
class Job:
    """Everything that a run depends on."""

    parts: snapshot.Parts
    as_of: date
    configuration: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """What a run found, beside its rows."""

    input_hash: str
    """Of the people that it really had."""
    found: dict[str, Any]
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """Why two people are, or are not, a pair of a run."""

    job: Job
    """People: the mentee's part of the mentees is enough."""
    mentee_id: str
    mentor_id: str
    own_mentor_id: str | None
    prices: Mapping[str, int]
    """Of these two mentors."""
    coherence: int = 0
    """What the mentee's group gives them."""


class NotInRun(Exception):
    """The run did not see this person; the message says on which side."""


def solve(pipe: "Connection[Any, Any]") -> None:
    """Compute one run and end."""
    begin()
    job: Job = pipe.recv()
    try:
        _solve(job, pipe.send)
    except (InvalidPool, InvalidConfiguration) as error:
        pipe.send(("refused", str(error)))
    except MemoryError:
        pipe.send(("failed", "MemoryError"))
    except Exception as error:  # noqa: BLE001 - whatever it is, the service has to be told
        last = extract_tb(error.__traceback__)[-1]  # no message: it may speak of people
        pipe.send(("failed", f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}"))
    pipe.close()


def _solve(job: Job, send: Callable[[tuple[Any, ...]], None]) -> None:
    from services.matching.engine.match import match

    tell = _Teller(send)
    tell("reading", 0.0)
    pool = snapshot.read(job.parts, job.as_of)
    input_hash = snapshot.hash_of(pool)
    configuration = Configuration.read(job.configuration)
    threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
    result = match(pool, configuration, threads=threads, progress=tell)
    tell("storing", 0.0)
    for some in _stretches(result.pairs):
        send(
            (
                "pairs",
                {
                    "mentee": [pair.mentee_id for pair in some],
                    "mentor": [pair.mentor_id for pair in some],
                    "score": [pair.score for pair in some],
                    "factors": [_json(_named(pair.factors)) for pair in some],
                    "reasons": [_json(pair.reasons) for pair in some],
                },
            )
        )
    for left in _stretches(result.unmatched):
        send(
            (
                "unmatched",
                {
                    "mentee": [one.mentee_id for one in left],
                    "why": [one.why.value for one in left],
                    "forbidden": [_json(_forbidden_openly(one.forbidden)) for one in left],
                },
            )
        )
    for prices in _stretches(sorted(result.prices.items())):
        send(("prices", {"mentor": [name for name, _ in prices], "price": [price for _, price in prices]}))
    certificate = result.certificate
    found = {
        **asdict(certificate),
        "gap": certificate.gap,
        "within_tolerance": certificate.within_tolerance,
        "unmatched": len(result.unmatched),
        "digest": result.digest,
    }
    send(("done", Done(input_hash, found, _openly(result.figures.plain()))))


class _Teller:
    """Passes progress on, not more often than anybody can look."""

    def __init__(self, send: Callable[[tuple[Any, ...]], None]) -> None:
        self._send = send
        self._last, self._what = 0.0, ""

    def __call__(self, what: str, share: float) -> None:
        now = time.monotonic()
        if what != self._what or now - self._last >= _TELL_SECONDS:
            self._last, self._what = now, what
            self._send(("progress", what, share))


def explain(question: Question) -> dict[str, Any]:
    """The pair's score, and the rule or the price that decides. Raises :class:`NotInRun`."""
    from services.matching.engine.encode import Encoder
    from services.matching.engine.explain import NotPaired, why_not
    from services.matching.engine.explain import explain as explain_pair

    pool = snapshot.read(question.job.parts, question.job.as_of)
    mentee = next((person for person in pool.mentees if person.person_id == question.mentee_id), None)
    if mentee is None:
        raise NotInRun("mentee")
    # One mentee is enough: what mentors are worth to them depends on the mentors only.
    alone = Pool(pool.as_of, (mentee,), pool.mentors, pool.managers, pool.failed)
    configuration = Configuration.read(question.job.configuration)
    encoded = Encoder(alone, configuration).encode((mentee,))
    number = next((n for n, one in enumerate(encoded.mentors) if one.person_id == question.mentor_id), None)
    if number is None:
        raise NotInRun("mentor")
    coherence = question.coherence if question.mentor_id == question.own_mentor_id else 0
    pair = explain_pair(encoded, 0, number, coherence)
    known = {one.person_id for one in encoded.mentors}
    own = question.own_mentor_id if question.own_mentor_id in known else None
    chosen = {} if own is None else {question.mentee_id: own}
    reason = why_not(encoded, configuration, question.prices, chosen, 0, number, question.coherence)
    return {
        "verdict": reason.verdict.value,
        "sentence": rule_sentence(pair.rules[0]) if reason.verdict is NotPaired.RULE else reason.sentence,
        **openly(pair),
        "scarcity": reason.scarcity,
        "price": reason.price,
        "gain": reason.gain,
        "own_mentor_id": own,
        "own_gain": reason.own_gain,
    }


def rule_sentence(rule: Any) -> str:
    """A rule as a sentence, for coordinators."""
    from services.matching.engine import explain

    return _KEPT_APART_WORDS if rule_name(rule) == _KEPT_APART else explain.rule_sentence(rule)


def openly(pair: "Explanation", sentence: Callable[[Any], str] = rule_sentence) -> dict[str, Any]:
    """What coordinators read of a pair, whether it was made or not."""
    from services.matching.engine.factors import Factor

    return {
        "score": pair.score,
        "shares": [
            {
                "factor": _name(share.factor),
                "points": share.points,
                "share": share.share,
                "words": [] if share.factor is Factor.PREFERENCES else list(share.words),
            }
            for share in pair.shares
        ],
        "reasons": list(pair.reasons),
        "rules": [{"rule": rule_name(rule), "sentence": sentence(rule)} for rule in pair.rules],
    }


def compute_job(job: Job, key: remembered.Key | None = None) -> Result:
    """What a round needs. With a *key* its mentors are remembered for those who come after it."""
    pool, configuration = snapshot.read(job.parts, job.as_of), Configuration.read(job.configuration)
    result = compute(pool, configuration)
    if key is not None:
        remembered.remember(key, pool, configuration, result)
    return result


def decide_job(job: Job, key: remembered.Key) -> Result | None:
    """The best pairs of the few people of the job; None when the programme is not remembered."""
    pool, configuration = snapshot.read(job.parts, job.as_of), Configuration.read(job.configuration)
    return remembered.decide(key, pool, configuration)


def broken(job: Job, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Of these pairs of people of the job, those that a rule forbids, and which does. Groups are looked at with their
    members in this order."""
    from services.matching.engine.encode import encode
    from services.matching.engine.factors import Rule
    from services.matching.engine.pairwise import broken_rule
    from services.matching.engine.seating import apart

    configuration = Configuration.read(job.configuration)
    encoded = encode(snapshot.read(job.parts, job.as_of), configuration)
    mentees = {person.person_id: number for number, person in enumerate(encoded.mentees)}
    mentors = {person.person_id: number for number, person in enumerate(encoded.mentors)}
    found = {}
    for mentee_id, mentor_id in pairs:
        rule = Rule(int(broken_rule(encoded.people, mentees[mentee_id], mentors[mentor_id])))
        if rule is not Rule.NONE:
            found[mentee_id, mentor_id] = rule_name(rule)
    if configuration.form is Form.GROUP:
        numbers = {
            (mentees[mentee_id], mentors[mentor_id]): (mentee_id, mentor_id)
            for mentee_id, mentor_id in pairs
            if (mentee_id, mentor_id) not in found
        }
        found |= {numbers[pair]: _NOT_TOGETHER for pair in apart(encoded, configuration, list(numbers))}
    return found


def _name(member: Any) -> str:
    """A factor or rule as it is spelt outside the engine."""
    return str(member.name).lower().replace("_", "-")


def rule_name(rule: Any) -> str:
    """A rule as coordinators read it. An avoid list is told in confidence, so it has no word of its own."""
    name = _name(rule)
    return _KEPT_APART if name in _IN_CONFIDENCE else name


def _openly(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures for coordinators: pairs that are kept apart are a number, unless they are few."""
    forbidden: dict[str, int] = {}
    for name, count in figures["forbidden"].items():
        shown = _KEPT_APART if name in _IN_CONFIDENCE else name
        forbidden[shown] = forbidden.get(shown, 0) + count
    if forbidden.get(_KEPT_APART, 0) < _FEW:
        forbidden.pop(_KEPT_APART, None)
    return {**figures, "forbidden": forbidden}


def _forbidden_openly(counts: Mapping[Any, int]) -> dict[str, int]:
    """How many mentors each rule takes away from one mentee, without those who are kept apart: that number would tell
    that somebody avoids somebody."""
    return {name: count for name, count in _named(counts).items() if name not in _IN_CONFIDENCE}


def _named(counts: Mapping[Any, int]) -> dict[str, int]:
    return {_name(member): int(count) for member, count in counts.items()}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _stretches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(rows), _ROWS_AT_A_TIME):
        yield rows[first : first + _ROWS_AT_A_TIME]
