"""Tables and queries of *matching*; the only place here that knows SQL."""

from services.matching.store.pool import SeenPool, configuration_of, read_pool
from services.matching.store.reads import (
    keep_alive,
    look_at_mentors,
    peek,
    programmes_of_mentor,
    proposals_of,
    relationships_of,
    summary,
    waiting,
)
from services.matching.store.tables import (
    DEPARTURE,
    ENROLMENT,
    GATE,
    HEARD_SESSION,
    KINDS,
    MENTEE,
    MENTOR_LOAD,
    METADATA,
    PERSON,
    PROGRAMME,
    PROPOSAL,
    RELATIONSHIP,
)

__all__ = [
    "DEPARTURE",
    "ENROLMENT",
    "GATE",
    "HEARD_SESSION",
    "KINDS",
    "MENTEE",
    "MENTOR_LOAD",
    "METADATA",
    "PERSON",
    "PROGRAMME",
    "PROPOSAL",
    "RELATIONSHIP",
    "SeenPool",
    "configuration_of",
    "keep_alive",
    "look_at_mentors",
    "peek",
    "programmes_of_mentor",
    "proposals_of",
    "read_pool",
    "relationships_of",
    "summary",
    "waiting",
]
