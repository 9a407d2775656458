"""When the next round of a programme runs: some time after the first change of its pool.

``wake`` sets the timer ``round`` unless it is set already, so that whoever comes meanwhile joins the same
round. The timer's handler is short and only hands over to the timer ``matching``, whose key nobody else
uses: a round that computes for long therefore never holds up those who wake the next one.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from services.matching.domain.people import Programme
from services.matching.store import PROGRAMME
from shared.persistence.uow import Uow

ROUND: Final = "round"
MATCHING: Final = "matching"


async def wake(uow: Uow, programme_ids: Iterable[str]) -> None:
    """Let each programme have a round: its pool has changed.

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


def let_sleep(uow: Uow, programme_id: str) -> None:
    """No round any more: the programme is supervised now. One that computes already finds out by itself."""
    uow.cancel_timer(ROUND, programme_id)


def run_round_now(uow: Uow, programme_id: str) -> None:
    """Let the next round run at once."""
    uow.set_timer(ROUND, programme_id, uow.now)


def hand_over(uow: Uow, programme_id: str, occasion: str) -> None:
    """From the timer that others may set to the one that computes."""
    uow.set_timer(MATCHING, f"{programme_id}|{occasion}", uow.now)


def programme_of(matching_key: str) -> str:
    return matching_key.partition("|")[0]
