"""People who are mentee and mentor and have one total: a limit over both sides, which no price speaks of.

First everybody is matched as if the sides knew nothing of each other; that gives the bound. When somebody then has more
relationships than they take, their place as a mentee is kept free among their places as a mentor, and the run
is made again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from services.matching.engine.configuration import Configuration, Form
from services.matching.engine.encode import Encoded
from services.matching.engine.outcome import Outcome

_TRIES: Final = 4
"""In the last one everybody who could have too many keeps a place free."""
_COVERS: Final = " The bound leaves out that some are on both sides with one total."


@dataclass(frozen=True, slots=True)
class _Both:
    mentee: int
    mentor: int
    total: int
    as_mentee: int
    """How many relationships they may have as a mentee."""


def within_totals(
    encoded: Encoded, configuration: Configuration, solve: Callable[[Encoded], Outcome]
) -> Outcome:
    """What *solve* gives, without anybody over their total."""
    tied = _tied(encoded, configuration)
    first = solve(encoded)
    if not (over := _over(tied, first)):
        return first
    reserved: set[_Both] = set()
    rounds, outcome = first.rounds, first
    for number in range(1, _TRIES + 1):
        reserved |= over if number < _TRIES else tied
        capacity = encoded.people.capacity.copy()
        for person in reserved:
            capacity[person.mentor] = person.total - person.as_mentee
        outcome = solve(replace(encoded, people=encoded.people._replace(capacity=capacity)))
        rounds += outcome.rounds
        if not (over := _over(tied, outcome)):
            break
    return replace(
        outcome,
        dual=first.dual,
        ceiling=first.ceiling,
        matched_at_most=first.matched_at_most,
        rounds=rounds,
        covers=outcome.covers + _COVERS,
    )


def _tied(encoded: Encoded, configuration: Configuration) -> set[_Both]:
    """Those on both sides who could get more than they take."""
    if configuration.form is Form.PEER:
        return set()  # one place each, whoever asked whom
    meetings = configuration.meetings if configuration.form is Form.FLASH else 1
    number = {person.person_id: i for i, person in enumerate(encoded.mentees)}
    tied = set()
    for j, person in enumerate(encoded.mentors):
        if person.total is None or person.person_id not in number:
            continue
        as_mentee = min(meetings, person.total)
        if person.room + as_mentee > person.total:
            tied.add(_Both(number[person.person_id], j, person.total, as_mentee))
    return tied


def _over(tied: set[_Both], outcome: Outcome) -> set[_Both]:
    if not tied:
        return set()
    as_mentee = np.bincount(outcome.mentee, minlength=1 + max(one.mentee for one in tied))
    as_mentor = np.bincount(outcome.mentor, minlength=1 + max(one.mentor for one in tied))
    return {one for one in tied if as_mentee[one.mentee] + as_mentor[one.mentor] > one.total}
