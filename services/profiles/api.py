"""HTTP of *profiles*: parse, call a command, show the result."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query

from services.profiles import commands, erasures, store
from services.profiles.changes import person_changed
from services.profiles.domain.consent import Purpose
from services.profiles.domain.erasure import Erasure
from services.profiles.domain.intake import Organisation
from services.profiles.domain.people import Person
from services.profiles.domain.programmes import Enrolment, Programme, Role, Rounds
from services.profiles.export import export
from services.profiles.forms import (
    PAGE_LIMIT,
    ConsentForm,
    ConsentView,
    DroppedFieldView,
    EnrolmentForm,
    EnrolmentPage,
    EnrolmentView,
    ErasurePage,
    ErasureView,
    MatchingForm,
    MatchingView,
    PersonView,
    ProfileForm,
    ProgrammeForm,
    ProgrammePage,
    ProgrammeView,
    ReceiptView,
    TenantForm,
    TenantView,
    WishesForm,
    WishesView,
)
from services.profiles.rules import HR, coordinator_of
from shared.contracts import SERVICES
from shared.contracts.base import Key
from shared.errors import NotFound
from shared.http.api import Api, CurrentCall
from shared.http.rules import ADMIN, OPERATOR, PRIVACY, any_member, any_person, self_is
from shared.persistence.uow import Uow

api = Api()

After = Annotated[
    str,
    Query(max_length=128, pattern=r"^[A-Za-z0-9._:\-]*$", description="the id after which to go on"),
]
Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT)]


@api.put("/tenant", allow=[ADMIN])
async def put_tenant(form: TenantForm, call: CurrentCall) -> TenantView:
    """Set up the tenant of the caller's token. Until then HR's events of it become dead letters."""
    return _tenant_view(await commands.put_organisation(call.uow, form.name, form.time_zone))


@api.get("/people/{person_id}", allow=[self_is("person_id"), HR])
async def get_person(person_id: Key, call: CurrentCall) -> PersonView:
    """What the platform says of a person. A termination that has not taken effect is not in it."""
    person = await call.uow.get(store.PERSON, person_id)
    if person is None or not person.recorded:
        raise NotFound("person_unknown", "There is no such person.")
    return await _person_view(call.uow, person)


@api.get("/people/{person_id}/export", allow=[self_is("person_id"), PRIVACY])
async def get_export(person_id: Key, call: CurrentCall) -> dict[str, Any]:
    """Everything that this service holds about a person, by table. An avoid list is shown to its person only."""
    return await export(call.uow, person_id, own=call.caller.subject == person_id)


@api.post("/people/{person_id}/erasure", allow=[PRIVACY], status_code=202)
async def post_erasure(person_id: Key, call: CurrentCall) -> ErasureView:
    """Forget a person in all services. It cannot be undone; asking again changes nothing."""
    return _erasure_view(await erasures.erase(call.uow, person_id, call.caller.subject))


@api.get("/people/{person_id}/erasure", allow=[self_is("person_id"), PRIVACY, OPERATOR])
async def get_erasure(person_id: Key, call: CurrentCall) -> ErasureView:
    """Where a person's last erasure stands, and which services have confirmed it."""
    erasure = await call.uow.get(store.ERASURE, person_id)
    if erasure is None:
        raise NotFound("erasure_unknown", "No erasure of this person was asked for.")
    return _erasure_view(erasure)


@api.get("/erasures", allow=[PRIVACY, OPERATOR])
async def get_erasures(
    call: CurrentCall, overdue: bool = False, after: After = "", limit: Limit = 100
) -> ErasurePage:
    """Everybody's last erasure, by person id; only those that are overdue if asked."""
    rows = await store.erasures_after(call.uow, after, limit, overdue=overdue)
    return ErasurePage(
        items=[_erasure_view(row) for row in rows],
        next=rows[-1].person_id if len(rows) == limit else None,
    )


@api.put("/people/{person_id}/profile", allow=[self_is("person_id")])
async def put_profile(person_id: Key, form: ProfileForm, call: CurrentCall) -> PersonView:
    """Replace what the person says of themselves."""
    return await _person_view(call.uow, await commands.put_profile(call.uow, person_id, form.profile()))


@api.put("/people/{person_id}/consents/{purpose}", allow=[self_is("person_id")])
async def put_consent(person_id: Key, purpose: Purpose, form: ConsentForm, call: CurrentCall) -> ConsentView:
    """Give or withdraw the consent to one purpose. Only the person can."""
    consent = await commands.decide_consent(
        call.uow, person_id, purpose, granted=form.granted, decided_by=call.caller.subject
    )
    return ConsentView(
        person_id=person_id, purpose=purpose, granted=consent.granted, decided_at=consent.decided_at
    )


@api.put("/programmes/{programme_id}", allow=[ADMIN, coordinator_of("programme_id")])
async def put_programme(programme_id: Key, form: ProgrammeForm, call: CurrentCall) -> ProgrammeView:
    """Make or configure a programme; what is left out gets its default, but its matching stays as it is."""
    return _programme_view(await commands.put_programme(call.uow, form.programme(programme_id)))


@api.put("/programmes/{programme_id}/matching", allow=[ADMIN, coordinator_of("programme_id")])
async def put_matching(programme_id: Key, form: MatchingForm, call: CurrentCall) -> MatchingView:
    """Replace the programme's rules, weights and aims; what is left out follows the engine's default."""
    decided = form.settings().decided()
    return _matching_view(await commands.put_matching(call.uow, programme_id, Rounds(form.rounds), decided))


@api.get("/programmes/{programme_id}/matching", allow=[any_member()])
async def get_matching(programme_id: Key, call: CurrentCall) -> MatchingView:
    """The rules, weights and aims of a programme's matching."""
    return _matching_view(await _programme(call.uow, programme_id))


@api.get("/programmes", allow=[any_member()])
async def get_programmes(call: CurrentCall, after: After = "", limit: Limit = 100) -> ProgrammePage:
    """All programmes of the tenant, by id."""
    rows = await store.programmes_after(call.uow, after, limit)
    return ProgrammePage(
        items=[_programme_view(row) for row in rows],
        next=rows[-1].programme_id if len(rows) == limit else None,
    )


@api.get("/programmes/{programme_id}", allow=[any_member()])
async def get_programme(programme_id: Key, call: CurrentCall) -> ProgrammeView:
    """One programme."""
    return _programme_view(await _programme(call.uow, programme_id))


@api.get("/programmes/{programme_id}/enrolments", allow=[coordinator_of("programme_id")])
async def get_enrolments(
    programme_id: Key, call: CurrentCall, after: After = "", limit: Limit = 100
) -> EnrolmentPage:
    """Who takes part or took part: ids only, by enrolment id."""
    return _page(await store.enrolments_of_programme(call.uow, programme_id, after, limit), limit)


@api.put(
    "/programmes/{programme_id}/enrolments/{role}/{person_id}",
    allow=[self_is("person_id"), coordinator_of("programme_id")],
)
async def put_enrolment(
    programme_id: Key, role: Role, person_id: Key, form: EnrolmentForm, call: CurrentCall
) -> EnrolmentView:
    """Enrol a person, with the consent to be matched."""
    enrolment = await commands.enrol(
        call.uow, programme_id, role, person_id, consents=form.consent_to_matching, by=call.caller.subject
    )
    return _enrolment_view(enrolment)


@api.delete(
    "/programmes/{programme_id}/enrolments/{role}/{person_id}",
    allow=[self_is("person_id"), coordinator_of("programme_id")],
)
async def delete_enrolment(programme_id: Key, role: Role, person_id: Key, call: CurrentCall) -> EnrolmentView:
    """Withdraw a person from a programme in one role."""
    return _enrolment_view(await commands.withdraw(call.uow, programme_id, role, person_id))


@api.get("/programmes/{programme_id}/enrolments/{role}/{person_id}/wishes", allow=[self_is("person_id")])
async def get_wishes(programme_id: Key, role: Role, person_id: Key, call: CurrentCall) -> WishesView:
    """What the person has told matching in confidence. Nobody else can read it."""
    return _wishes_view(await commands.get_wishes(call.uow, programme_id, role, person_id))


@api.put("/programmes/{programme_id}/enrolments/{role}/{person_id}/wishes", allow=[self_is("person_id")])
async def put_wishes(
    programme_id: Key, role: Role, person_id: Key, form: WishesForm, call: CurrentCall
) -> WishesView:
    """Replace the person's ranked choices, avoid list, preferences and pause. Only the person can."""
    enrolment = await commands.put_wishes(call.uow, programme_id, role, person_id, form.wishes())
    return _wishes_view(enrolment)


@api.get("/me/enrolments", allow=[any_person()])
async def get_my_enrolments(call: CurrentCall, after: After = "", limit: Limit = 100) -> EnrolmentPage:
    """In what the caller takes part or took part."""
    return _page(await store.enrolments_of_person(call.uow, call.caller.subject, after, limit), limit)


@api.get("/hr/dropped-fields", allow=[HR, OPERATOR])
async def get_dropped_fields(call: CurrentCall) -> list[DroppedFieldView]:
    """Which fields HR sends that nobody needs, and how often. Their values were never kept."""
    return [
        DroppedFieldView(source=row.source, name=row.name, count=row.count)
        for row in await store.dropped_fields(call.uow)
    ]


def _erasure_view(erasure: Erasure) -> ErasureView:
    return ErasureView(
        person_id=erasure.person_id,
        status=erasure.status,
        requested_at=erasure.requested_at,
        requested_by=erasure.requested_by,
        confirm_by=erasure.confirm_by,
        gone_by=erasure.gone_by,
        receipts=[
            ReceiptView(service=service, **receipt) for service, receipt in sorted(erasure.receipts.items())
        ],
        missing=erasure.missing(SERVICES),
        lifted_at=erasure.lifted_at,
    )


def _tenant_view(organisation: Organisation) -> TenantView:
    return TenantView(tenant=organisation.tenant_id, name=organisation.name, time_zone=organisation.time_zone)


async def _person_view(uow: Uow, person: Person) -> PersonView:
    return PersonView(
        **(await person_changed(uow, person)).model_dump(),
        version=person.version,
        own_languages=person.own_languages,
        hr_languages=person.hr_languages,
    )


async def _programme(uow: Uow, programme_id: str) -> Programme:
    programme = await uow.get(store.PROGRAMME, programme_id)
    if programme is None:
        raise NotFound("programme_unknown", "There is no such programme.")
    return programme


def _programme_view(programme: Programme) -> ProgrammeView:
    return ProgrammeView.model_validate(programme, from_attributes=True)


def _matching_view(programme: Programme) -> MatchingView:
    return MatchingView(
        **programme.matching,
        rounds=programme.rounds,
        configuration_version=programme.configuration_version,
    )


def _enrolment_view(enrolment: Enrolment) -> EnrolmentView:
    return EnrolmentView.model_validate(enrolment, from_attributes=True)


def _wishes_view(enrolment: Enrolment) -> WishesView:
    return WishesView.model_validate(enrolment, from_attributes=True)


def _page(rows: Sequence[Enrolment], limit: int) -> EnrolmentPage:
    return EnrolmentPage(
        items=[_enrolment_view(row) for row in rows],
        next=rows[-1].enrolment_id if len(rows) == limit else None,
    )
