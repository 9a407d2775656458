"""The routes of *feedback*: parse, call a command or a query, show a view."""

from typing import Annotated, Any

from fastapi import Query

from services.feedback import commands, store
from services.feedback.access import AUTHOR, COORDINATOR, PARTICIPANT
from services.feedback.domain.feedback import RequestStatus
from services.feedback.domain.sessions import SessionStatus
from services.feedback.export import export
from services.feedback.forms import AnswerForm, SessionForm
from services.feedback.store import FEEDBACK_ANSWER, FEEDBACK_REQUEST
from services.feedback.views import (
    AnalyticsView,
    AnswerList,
    AnswerView,
    OwnRequestView,
    RequestList,
    RequestView,
    SessionList,
    SessionView,
)
from shared.contracts.base import Key
from shared.errors import NotYetKnown
from shared.http.api import Api, CurrentCall
from shared.http.rules import PRIVACY, any_person, self_is

api = Api()

Limit = Annotated[int, Query(ge=1, le=500)]

_SESSIONS = "/relationships/{relationship_id}/sessions"
_SESSION = _SESSIONS + "/{session_id}"
_REQUEST = "/feedback-requests/{feedback_request_id}"


@api.get("/people/{person_id}/export", allow=[self_is("person_id"), PRIVACY])
async def person_export(person_id: Key, call: CurrentCall) -> dict[str, Any]:
    """Everything that this service holds about a person, by table. Words are shown to the person only."""
    return await export(call.uow, person_id, own=call.caller.subject == person_id)


@api.put(_SESSION, allow=[PARTICIPANT])
async def book_session(
    relationship_id: Key, session_id: Key, form: SessionForm, call: CurrentCall
) -> SessionView:
    """Book a session under an id of the caller's choice, or move it to other times."""
    session = await commands.book_session(
        call.uow, relationship_id, session_id, starts_at=form.starts_at, minutes=form.minutes
    )
    return SessionView.model_validate(session)


@api.delete(_SESSION, allow=[PARTICIPANT])
async def cancel_session(relationship_id: Key, session_id: Key, call: CurrentCall) -> SessionView:
    """Cancel a session."""
    return SessionView.model_validate(await commands.cancel_session(call.uow, relationship_id, session_id))


@api.post(_SESSION + "/complete", allow=[PARTICIPANT])
async def complete_session(relationship_id: Key, session_id: Key, call: CurrentCall) -> SessionView:
    """Note that a session took place; both will be asked for feedback."""
    return SessionView.model_validate(await commands.complete_session(call.uow, relationship_id, session_id))


@api.get(_SESSIONS, allow=[PARTICIPANT])
async def sessions(
    relationship_id: Key,
    call: CurrentCall,
    status: SessionStatus | None = None,
    after: Key | None = None,
    limit: Limit = 100,
) -> SessionList:
    """The sessions of a pair, the latest start first."""
    found = await store.sessions_of(call.uow, relationship_id, status, after=after, limit=limit)
    return SessionList(sessions=[SessionView.model_validate(session) for session in found])


@api.get("/relationships/{relationship_id}/feedback", allow=[PARTICIPANT])
async def partner_feedback(
    relationship_id: Key, call: CurrentCall, after: Key | None = None, limit: Limit = 100
) -> AnswerList:
    """What the partner wrote for the caller to read."""
    found = await store.answers_for_partner(
        call.uow, relationship_id, call.caller.subject, after=after, limit=limit
    )
    return AnswerList(answers=[AnswerView.of(answer) for answer in found])


@api.get("/me/feedback-requests", allow=[any_person()])
async def my_requests(
    call: CurrentCall,
    status: RequestStatus | None = None,
    after: Key | None = None,
    limit: Limit = 100,
) -> RequestList:
    """What the caller is asked about, the latest first."""
    found = await store.requests_to(call.uow, call.caller.subject, status, after=after, limit=limit)
    return RequestList(feedback_requests=[RequestView.model_validate(request) for request in found])


@api.get(_REQUEST, allow=[AUTHOR])
async def feedback_request(feedback_request_id: Key, call: CurrentCall) -> OwnRequestView:
    """One request, with the caller's own answer to it."""
    request = await call.uow.get(FEEDBACK_REQUEST, feedback_request_id)
    if request is None:
        raise NotYetKnown("feedback request")
    answer = await call.uow.get(FEEDBACK_ANSWER, feedback_request_id)
    return OwnRequestView.of(request, answer)


@api.put(_REQUEST + "/answer", allow=[AUTHOR])
async def submit_answer(feedback_request_id: Key, form: AnswerForm, call: CurrentCall) -> OwnRequestView:
    """Answer a request, or change the answer while it can be changed."""
    submitted = await commands.submit_answer(
        call.uow, feedback_request_id, call.caller.subject, form.content()
    )
    return OwnRequestView.of(submitted.request, submitted.answer)


@api.delete(_REQUEST + "/answer", allow=[AUTHOR])
async def retract_answer(feedback_request_id: Key, call: CurrentCall) -> OwnRequestView:
    """Delete the answer while it can be changed; the request is closed."""
    request = await commands.retract_answer(call.uow, feedback_request_id, call.caller.subject)
    return OwnRequestView.of(request, None)


@api.get("/programmes/{programme_id}/feedback", allow=[COORDINATOR])
async def coordinator_feedback(
    programme_id: Key, call: CurrentCall, after: Key | None = None, limit: Limit = 100
) -> AnswerList:
    """What people wrote for the coordinators of their programme to read."""
    found = await store.answers_for_coordinator(call.uow, programme_id, after=after, limit=limit)
    return AnswerList(answers=[AnswerView.of(answer) for answer in found])


@api.get("/programmes/{programme_id}/analytics", allow=[COORDINATOR])
async def analytics(programme_id: Key, call: CurrentCall) -> AnalyticsView:
    """How the programme does, in numbers that identify nobody."""
    return AnalyticsView.of(programme_id, await store.programme_numbers(call.uow, programme_id))
