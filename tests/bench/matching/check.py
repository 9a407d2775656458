"""Whether pairs keep rules and capacities, told from the people themselves and not from the engine's arrays."""

from collections import Counter
from collections.abc import Iterable

from services.matching.engine import Configuration, Participant, Pool


def violations(pool: Pool, configuration: Configuration, pairs: Iterable[tuple[str, str]]) -> int:
    """How many pairs break a rule, and how many people have more partners than places."""
    mentees = {person.person_id: person for person in pool.mentees}
    mentors = {person.person_id: person for person in pool.mentors}
    pairs = list(pairs)
    wrong = sum(_broken(pool, configuration, mentees[mentee], mentors[mentor]) for mentee, mentor in pairs)
    wrong += sum(
        max(0, number - mentors[one].free) for one, number in Counter(mentor for _, mentor in pairs).items()
    )
    return wrong + sum(number - 1 for number in Counter(mentee for mentee, _ in pairs).values())


def _broken(pool: Pool, configuration: Configuration, mentee: Participant, mentor: Participant) -> bool:
    rules = configuration.rules
    if mentee.person_id in mentor.avoid or mentor.person_id in mentee.avoid:
        return True
    if mentee.person_id == mentor.person_id or (mentee.person_id, mentor.person_id) in pool.failed:
        return True
    if mentee.level is not None and mentor.level is not None:
        gap = mentor.level - mentee.level
        if rules.minimum_level_gap is not None and gap < rules.minimum_level_gap:
            return True
        if rules.maximum_level_gap is not None and gap > rules.maximum_level_gap:
            return True
    if rules.common_language and not {*mentee.languages} & {*mentor.languages}:
        return True
    if not rules.same_department_allowed and mentee.department == mentor.department:
        return True
    return rules.reporting_line and (_above(pool, mentee, mentor) or _above(pool, mentor, mentee))


def _above(pool: Pool, one: Participant, other: Participant) -> bool:
    """Whether *one* manages *other*, directly or through others; the bench's organisation has no circles."""
    person: str | None = other.person_id
    while person is not None:
        person = pool.managers.get(person)
        if person == one.person_id:
            return True
    return False
