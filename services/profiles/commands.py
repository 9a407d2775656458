"""What people and administrators can ask of *profiles*.

Each command can be repeated: once it has had its effect, it returns the same state and says nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from services.profiles import store
from services.profiles.changes import save_enrolment, save_person, save_programme
from services.profiles.domain.consent import Consent, Purpose, is_granted, only_person_can_grant
from services.profiles.domain.intake import Organisation
from services.profiles.domain.people import Person, PersonStatus, Profile, write_profile
from services.profiles.domain.programmes import (
    Enrolment,
    EnrolmentStatus,
    Obstacle,
    Programme,
    Role,
    Rounds,
    Wishes,
    excludes_itself,
    obstacle,
    reconfigured,
    with_status,
    with_wishes,
)
from services.profiles.store import CONSENT, ENROLMENT, ERASURE, ORGANISATION, PERSON, PROGRAMME
from shared.contracts import derived_id
from shared.contracts.matching import OFFERED_FORMS, contradictions, is_offered
from shared.errors import Conflict, Invalid, NotFound, NotYetKnown
from shared.persistence.uow import Uow, want

_SENTENCES: Final = {
    Obstacle.PROGRAMME_CLOSED: "The programme takes no enrolments now.",
    Obstacle.PERSON_LEFT: "The person has left the organisation.",
    Obstacle.NO_MENTOR_CAPACITY: "The person's profile says that they take no mentees.",
    Obstacle.NO_MENTORS_AMONG_PEERS: "Among peers nobody is a mentor: everybody enrols as a mentee.",
}


async def put_organisation(uow: Uow, name: str, time_zone: str) -> Organisation:
    """Set up the tenant, or change its name or zone."""
    await uow.get(ORGANISATION, uow.tenant)
    organisation = Organisation(uow.tenant, name, time_zone)
    uow.put(organisation)
    return organisation


async def put_programme(uow: Uow, wanted: Programme) -> Programme:
    """Make the programme, or give it this configuration. Its matching stays: :func:`put_matching` is for that.

    *wanted*'s version does not matter.
    """
    known = await uow.get(PROGRAMME, wanted.programme_id)
    if known is None:
        return save_programme(uow, replace(wanted, version=0))
    kept = replace(wanted, version=known.version, rounds=known.rounds, matching=known.matching)
    return _configure(uow, known, kept)


async def put_matching(uow: Uow, programme_id: str, rounds: Rounds, decided: Mapping[str, Any]) -> Programme:
    """Replace what the programme decides about its matching; what is not in *decided* is left to the engine."""
    known = await uow.get(PROGRAMME, programme_id)
    if known is None:
        raise NotFound("programme_unknown", "There is no such programme.")
    wanted = replace(known, rounds=rounds, matching=dict(decided))
    if known.of_peers != wanted.of_peers and await store.anybody_enrolled(uow, programme_id):
        raise Conflict("form_fixed", "Whether people are peers is decided before the first of them enrols.")
    return _configure(uow, known, wanted)


def _configure(uow: Uow, known: Programme, wanted: Programme) -> Programme:
    if not is_offered(wanted.matching):
        raise Invalid("form_not_offered", f"Programmes have the forms {', '.join(OFFERED_FORMS)}.")
    if problems := contradictions(wanted.minimum_level_gap, wanted.matching):
        raise Invalid("matching_contradictory", " ".join(problems))
    wanted = reconfigured(known, wanted)
    return known if known == wanted else save_programme(uow, wanted)


async def put_profile(uow: Uow, person_id: str, profile: Profile) -> Person:
    """The person's own words replace all the former ones."""
    person = await _person(uow, person_id)
    after = write_profile(person, profile)
    if after == person:
        return person
    _must_be_here(person)
    return await save_person(uow, person, after)


async def decide_consent(
    uow: Uow, person_id: str, purpose: Purpose, *, granted: bool, decided_by: str
) -> Consent:
    """Record what the person agrees to. It can be withdrawn at any time, also after leaving."""
    person = await _person(uow, person_id)
    known = await uow.get(CONSENT, person_id, purpose)
    if known is not None and known.granted == granted:
        return known
    if granted:
        _must_be_here(person)
    decided = Consent(person_id, purpose, granted, uow.now, decided_by)
    uow.put(decided)
    if is_granted(known) != granted:
        await save_person(uow, person, person, consent_changed=True)
    return decided


async def enrol(
    uow: Uow, programme_id: str, role: Role, person_id: str, *, consents: bool, by: str
) -> Enrolment:
    """Let the person take part, with their consent to be matched.

    An enrolment that is active already is returned as it is, whatever has changed since: a request that
    is repeated late must not renew a consent that was withdrawn meanwhile.
    """
    if not consents:
        raise Invalid("consent_needed", "Taking part needs the consent to be matched.")
    identity = enrolment_id(programme_id, person_id, role)
    await uow.prefetch(
        [want(PROGRAMME, programme_id), want(PERSON, person_id), want(CONSENT, person_id, Purpose.MATCHING),
         want(ENROLMENT, identity)]
    )  # fmt: skip
    programme = await uow.get(PROGRAMME, programme_id)
    if programme is None:
        raise NotFound("programme_unknown", "There is no such programme.")
    person = await _person(uow, person_id)
    known = await uow.get(ENROLMENT, identity)
    if known is not None and known.active:
        return known
    if (why := obstacle(programme, person, role)) is not None:
        raise Conflict(why, _SENTENCES[why])
    consent = await uow.get(CONSENT, person_id, Purpose.MATCHING)
    if only_person_can_grant(consent, person_id=person_id, decided_by=by):
        raise Conflict("consent_withdrawn", "The person has refused to be matched; only they can change it.")
    await decide_consent(uow, person_id, Purpose.MATCHING, granted=True, decided_by=by)
    enrolment = known or Enrolment(identity, programme_id, person_id, role, EnrolmentStatus.ACTIVE)
    return save_enrolment(uow, replace(with_status(enrolment, EnrolmentStatus.ACTIVE), paused=False))


async def withdraw(uow: Uow, programme_id: str, role: Role, person_id: str) -> Enrolment:
    """End the person's part in the programme in this role."""
    enrolment = await uow.get(ENROLMENT, enrolment_id(programme_id, person_id, role))
    if enrolment is None:
        raise NotFound("enrolment_unknown", "There is no such enrolment.")
    if not enrolment.active:
        return enrolment
    return save_enrolment(uow, with_status(enrolment, EnrolmentStatus.WITHDRAWN))


async def get_wishes(uow: Uow, programme_id: str, role: Role, person_id: str) -> Enrolment:
    """The enrolment, for the person themself."""
    enrolment = await uow.get(ENROLMENT, enrolment_id(programme_id, person_id, role))
    if enrolment is None:
        raise NotFound("enrolment_unknown", "There is no such enrolment.")
    return enrolment


async def put_wishes(uow: Uow, programme_id: str, role: Role, person_id: str, wishes: Wishes) -> Enrolment:
    """The person's wishes replace all the former ones.

    Whoever is named is locked, and must be known: so an erasure either finds the name or comes first.
    """
    if (problem := excludes_itself(wishes, person_id, role)) is not None:
        raise Invalid("wishes_contradictory", problem)
    identity = enrolment_id(programme_id, person_id, role)
    await uow.prefetch([*(want(PERSON, name) for name in wishes.names), want(ENROLMENT, identity)])
    enrolment = await get_wishes(uow, programme_id, role, person_id)
    if not enrolment.active:
        raise Conflict("not_enrolled", "The person no longer takes part; they can enrol again.")
    for name in wishes.names:
        person = await uow.get(PERSON, name)
        if person is None or not person.recorded:
            raise Invalid("person_unknown", "Somebody who is named is not known here.")
    after = with_wishes(enrolment, wishes)
    return enrolment if after == enrolment else save_enrolment(uow, after)


def enrolment_id(programme_id: str, person_id: str, role: Role) -> str:
    """The one id of this person's enrolment in this role."""
    return derived_id("enrolment", programme_id, person_id, role)


async def _person(uow: Uow, person_id: str) -> Person:
    person = await uow.get(PERSON, person_id)
    if person is None or not person.recorded:
        erasure = await uow.get(ERASURE, person_id)
        if erasure is not None and erasure.holds:
            raise Conflict("person_erased", "The person was erased.")
        raise NotYetKnown("person")
    return person


def _must_be_here(person: Person) -> None:
    if person.status is PersonStatus.LEFT:
        raise Conflict(Obstacle.PERSON_LEFT, _SENTENCES[Obstacle.PERSON_LEFT])
