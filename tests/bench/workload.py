"""The people whom the figures are about. The same seed gives the same people, words and ids."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime

from shared.contracts.base import person_id
from shared.contracts.people import PersonChanged, PersonStatus
from shared.persistence.outbox import OutboxRecord, Said, encode_said
from shared.persistence.uow import Cause

TENANT = "bench"
_DEPARTMENTS = ("Sales", "Research", "Production", "Logistics", "Finance", "People", "Legal", "Service")
_SKILLS = ("Python", "Rhetoric", "Finance", "Leadership", "Statistics", "Negotiation", "Design", "Law")
_ZONES = ("Europe/Berlin", "Europe/Lisbon", "America/New_York", "Asia/Tokyo", "UTC")
_WORDS = ("learn", "to", "lead", "teams", "and", "speak", "in", "public", "with", "more", "ease")
_STARTED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def changed_person(number: int, version: int, seed: int) -> PersonChanged:
    """The person *number* as version *version* shows them."""
    choice = random.Random(f"{seed}/{number}/{version}")
    return PersonChanged(
        person_id=person_id(TENANT, str(number)),
        status=PersonStatus.ACTIVE,
        given_name=f"Given{number}",
        family_name=f"Family{number}",
        email=f"p{number}@example.org",
        manager_id=person_id(TENANT, str(number // 10)) if number else None,
        department=choice.choice(_DEPARTMENTS),
        team=f"Team {choice.randrange(40)}",
        office="Main",
        time_zone=choice.choice(_ZONES),
        languages=["en", "de"],
        job_title="Engineer",
        job_level=choice.randint(1, 12),
        skills_offered={skill: choice.randint(1, 5) for skill in choice.sample(_SKILLS, 2)},
        skills_wanted={skill: choice.randint(1, 5) for skill in choice.sample(_SKILLS, 2)},
        interests=choice.sample(_WORDS, 2),
        goals=" ".join(choice.choice(_WORDS) for _ in range(12)),
        matching_consent=choice.random() < 0.3,
    )


def person_records(events: int, seed: int) -> Iterator[OutboxRecord]:
    """So many ``person.changed`` records as *profiles* would send them: everybody once, then everybody again."""
    people = events // 2
    choice = random.Random(seed)
    for version in (1, 2):
        for number in range(people):
            trace = f"00-{choice.getrandbits(128) | 1:032x}-{choice.getrandbits(64) | 1:016x}-01"
            cause = Cause(f"c-{number}-{version}", f"hr-{number}-{version}", trace)
            data = changed_person(number, version, seed)
            yield encode_said("profiles", TENANT, Said(data, version, cause, _STARTED))
