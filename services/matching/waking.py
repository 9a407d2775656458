"""When the next round of a programme runs: some time after the first change of its pool.

``wake`` sets the timer ``round`` unless it is set already, so that whoever comes meanwhile joins the same
round. The timer's handler is short and only hands over to the timer ``matching``, whose key nobody else
uses: a round that computes for long therefore never holds up those who wake the next one.

Where the programme matches newcomers at once, ``arrival`` is set besides and hands over to ``newcomers`` in the
same way.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from services.matching.domain.people import Programme
from services.matching.store import PROGRAMME
from shared.persistence.uow import Uow

ROUND: Final = "round"
MATCHING: Final = "matching"
ARRIVAL: Final = "arrival"
NEWCOMERS: Final = "newcomers"


async def wake(uow: Uow, programme_ids: Iterable[str], *, mentor_id: str = "") -> None:
    """Let each programme have a round: its pool has changed. *mentor_id* is the mentor who came, changed or has a
    place free by now.

    A programme that is not known or not active has none yet, and a supervised one has none at all. The row of an
    unknown one, made here if need be, stays locked, so that the event that makes it known takes effect after this
    transaction: it wakes the programme itself.
    """
    for programme_id in sorted(set(programme_ids)):
        programme = await uow.get(PROGRAMME, programme_id)
        if programme is None:
            uow.put(Programme(programme_id))
        elif programme.has_rounds:
            due = uow.now + timedelta(minutes=programme.matching_delay_minutes)
            uow.set_timer(ROUND, programme_id, due, keep=True)
            if programme.at_once:
                uow.set_timer(ARRIVAL, f"{programme_id}|{mentor_id}", uow.now, keep=True)


def let_sleep(uow: Uow, programme_id: str) -> None:
    """No round any more: the programme is supervised now. One that computes already finds out by itself."""
    uow.cancel_timer(ROUND, programme_id)


def run_round_now(uow: Uow, programme_id: str) -> None:
    """Let the next round run at once."""
    uow.set_timer(ROUND, programme_id, uow.now)


def hand_over(uow: Uow, kind: str, key: str, occasion: str) -> None:
    """From the timer that others may set to the one that computes, of that *kind*."""
    uow.set_timer(kind, f"{key}|{occasion}", uow.now)


def programme_of(matching_key: str) -> str:
    """The programme of a timer whose key has an occasion behind it."""
    return matching_key.partition("|")[0]


def mentor_of(newcomers_key: str) -> str | None:
    """Of the timer ``newcomers``: the mentor who changed, if it was one."""
    return newcomers_key.split("|")[1] or None
