"""Reading a few people of a programme as a round would see them: a look, not a lock, by keys alone."""

from collections.abc import Collection

from services.matching.store.pool import SeenPool, assembled
from services.matching.store.reads import peek
from services.matching.store.tables import PROGRAMME
from shared.persistence.driver import Statement
from shared.persistence.uow import Uow

_MENTEES = Statement("""
    SELECT person_id, enrolment_id, priority FROM mentee
    WHERE tenant = :tenant AND programme_id = :programme AND person_id = ANY(CAST(:people AS text[]))
        AND standing = 'eligible' AND place = 'free'""")

_MENTORS = Statement("""
    SELECT DISTINCT ON (person_id) person_id, enrolment_id, paused FROM enrolment
    WHERE tenant = :tenant AND programme_id = :programme AND person_id = ANY(CAST(:people AS text[]))
        AND role = 'mentor' AND status = 'active'
    ORDER BY person_id, enrolment_id""")

_AVOIDED = Statement("""
    SELECT person_id, avoid FROM enrolment
    WHERE tenant = :tenant AND person_id = ANY(CAST(:people AS text[])) AND status = 'active' AND avoid <> '[]'""")


async def read_few(
    uow: Uow, programme_id: str, mentee_ids: Collection[str], mentor_ids: Collection[str]
) -> SeenPool | None:
    """Of these mentees who still waits, and of these mentors who takes part; None when the programme is not active."""
    programme = await peek(uow, PROGRAMME, programme_id)
    if programme is None or not programme.active:
        return None
    mentees = await uow.rows(_MENTEES, programme=programme_id, people=sorted(mentee_ids))
    mentors = await uow.rows(_MENTORS, programme=programme_id, people=sorted(mentor_ids))
    avoided = await uow.rows(_AVOIDED, people=sorted({*mentee_ids, *mentor_ids}))
    return await assembled(uow, programme, mentees, mentors, avoided)
