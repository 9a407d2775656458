"""Tables of *matching*. The order of kinds is the order of locks: see the README, "Locks"."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from services.matching.domain.mentees import Mentee
from services.matching.domain.pairs import Gate, HeardSession, MentorLoad, Proposal, Relationship
from services.matching.domain.people import Departure, Enrolment, Person, Programme
from services.matching.domain.runs import Run
from shared.persistence.kinds import Kind
from shared.persistence.receipts import RECEIPT

METADATA = sa.MetaData()

_MOMENT = sa.DateTime(timezone=True)


def _table(name: str, keys: tuple[str, ...], **columns: sa.types.TypeEngine[Any]) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        *(sa.Column(key, sa.Text, primary_key=True) for key in ("tenant", *keys)),
        *(sa.Column(column, kind) for column, kind in columns.items()),
    )


_text, _int, _bigint, _bool, _json = sa.Text(), sa.Integer(), sa.BigInteger(), sa.Boolean(), pg.JSONB()

gate = _table("gate", ("name",))
person = _table(
    "person", ("person_id",), version=_bigint, status=_text, spell=_int, manager_id=_text, department=_text,
    team=_text, office=_text, time_zone=_text, languages=_json, job_level=_int, skills_offered=_json,
    skills_wanted=_json, interests=_json, goals=_text, working_style=_text, mentor_capacity=_int,
    matching_consent=_bool,
)  # fmt: skip
enrolment = _table(
    "enrolment", ("enrolment_id",), version=_bigint, programme_id=_text, person_id=_text, role=_text,
    status=_text, choices=_json, avoid=_json, preferences=_json, paused=_bool,
)  # fmt: skip
programme = _table(
    "programme", ("programme_id",), version=_bigint, active=_bool, coordinator_ids=_json,
    matching_delay_minutes=_int, proposal_days=_int, minimum_level_gap=_int, same_department_allowed=_bool,
    rounds=_text, matching=_json, configuration_version=_bigint,
)  # fmt: skip
departure = _table("departure", ("person_id",), spell=_int, erased_version=_bigint)
proposal = _table(
    "proposal", ("proposal_id",), version=_bigint, programme_id=_text, mentor_id=_text, mentee_id=_text,
    attempt=_int, status=_text, mentor_accepted=_bool, mentee_accepted=_bool, score=_bigint, reasons=_json,
    proposed_at=_MOMENT, expires_at=_MOMENT, closed_at=_MOMENT, peers=_bool,
)  # fmt: skip
relationship = _table(
    "relationship", ("relationship_id",), version=_bigint, programme_id=_text, proposal_id=_text,
    mentor_id=_text, mentee_id=_text, status=_text, started_at=_MOMENT, ended_at=_MOMENT, reason=_text,
    requeue=_text, leaver_ids=_json, sessions_completed=_int, last_session_at=_MOMENT, peers=_bool, peer_requeue=_text,
)  # fmt: skip
mentor_load = _table("mentor_load", ("person_id",), active=_int, reserved=_int)
mentee = _table(
    "mentee", ("programme_id", "person_id"), enrolment_id=_text, standing=_text, place=_text,
    since=sa.Date(), found=_text, priority=_int,
)  # fmt: skip
heard_session = _table("heard_session", ("session_id",), relationship_id=_text)
matching_run = _table(
    "matching_run", ("run_id",), version=_bigint, programme_id=_text, form=_text, state=_text,
    requested_by=_text, requested_at=_MOMENT, configuration=_json, fingerprint=_text, changed_at=_MOMENT,
    stage=_text, round=_int, fraction=sa.Float(), progress_at=_MOMENT, reason=_text, problem=_text,
    attempts=_int, leases=_bigint, leased_until=_MOMENT, edition=_int, removed=_int, kept=_bool,
    people_parts=_int, as_of=sa.Date(), input_hash=_text, mentees=_int, mentors=_int, found=_json,
    figures=_json, publication=_json,
)  # fmt: skip

GATE: Final = Kind(gate, Gate, order=0)
RUN: Final = Kind(matching_run, Run, order=5)
PERSON: Final = Kind(person, Person, order=10)
ENROLMENT: Final = Kind(enrolment, Enrolment, order=20)
PROGRAMME: Final = Kind(programme, Programme, order=30, read_mostly=True)
DEPARTURE: Final = Kind(departure, Departure, order=40)
PROPOSAL: Final = Kind(proposal, Proposal, order=50)
RELATIONSHIP: Final = Kind(relationship, Relationship, order=60)
MENTOR_LOAD: Final = Kind(mentor_load, MentorLoad, order=70)
MENTEE: Final = Kind(mentee, Mentee, order=80)
HEARD_SESSION: Final = Kind(heard_session, HeardSession, order=90)

KINDS: Final = (
    GATE, RUN, PERSON, ENROLMENT, PROGRAMME, DEPARTURE, PROPOSAL, RELATIONSHIP, MENTOR_LOAD, MENTEE,
    HEARD_SESSION, RECEIPT,
)  # fmt: skip
