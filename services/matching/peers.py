"""What is different where there is one pool of peers: both wait, and both must still stand when they are proposed.

Everybody is enrolled as a mentee and has the row of one, which says whether they wait, are proposed or paired. So a
person has one peer at a time in a programme, whichever of the two they stand as, and no place as a mentor is used.
"""

from services.matching.domain.mentees import Standing
from services.matching.domain.people import avoids
from services.matching.domain.runs import Dropped, RunReason
from services.matching.engine import Configuration, Form
from services.matching.run_process import NoResult
from services.matching.solver_process import Pair
from services.matching.store import ENROLMENT, MENTEE, PERSON, SeenPool
from shared.persistence.uow import Uow


async def why_not_now(uow: Uow, seen: SeenPool, pair: Pair) -> Dropped | None:
    """Why the two do not stand any more; None when they do. Whether they were proposed before is not looked at."""
    for person_id, gone, not_waiting in (
        (pair.mentee_id, Dropped.MENTEE_GONE, Dropped.MENTEE_NOT_WAITING),
        (pair.mentor_id, Dropped.PEER_GONE, Dropped.PEER_NOT_WAITING),
    ):
        queued = await uow.get(MENTEE, seen.programme.programme_id, person_id)
        if queued is None or queued.standing is not Standing.ELIGIBLE:
            return gone
        if not queued.waits:
            return not_waiting
    for person_id, other_id in ((pair.mentee_id, pair.mentor_id), (pair.mentor_id, pair.mentee_id)):
        if person_id not in seen.versions:
            return Dropped.CHANGED_MEANWHILE
        person = await uow.get(PERSON, person_id)
        if person is None or person.version != seen.versions[person_id]:
            return Dropped.CHANGED_MEANWHILE
        if avoids(await uow.find(ENROLMENT, person_id=person_id), other_id):
            return Dropped.CHANGED_MEANWHILE  # told in confidence: no word of its own
    return None


def must_fit(seen: SeenPool, configuration: Configuration) -> None:
    """Raise ``NoResult`` when a run is of peers and its programme is not, or the other way round: its form was decided
    anew after the run was asked for, which it can be only as long as nobody has enrolled."""
    if (configuration.form is Form.PEER) != seen.programme.of_peers:
        raise NoResult(RunReason.INVALID_INPUT, "The programme has another form by now.")
