"""What *feedback* does when it hears something, and when a request for feedback has waited long enough.

Two of the topics are its own: a completed session becomes requests for feedback, and requests become
numbers, because this service hears itself say so. Nothing calls anything, hence nothing is lost between.
"""

from collections.abc import Iterator

from services.feedback import accounting, speech
from services.feedback.domain import analytics, feedback, sessions
from services.feedback.domain.analytics import Contribution, Subject
from services.feedback.domain.feedback import CLOSING_TIMER, FeedbackRequest, RequestStatus
from services.feedback.domain.pairs import EndReason, Programme, Relationship, RelationshipStatus
from services.feedback.domain.sessions import SessionStatus
from services.feedback.store import (
    FEEDBACK_ANSWER,
    FEEDBACK_REQUEST,
    PROGRAMME,
    RELATIONSHIP,
    SESSION,
    forgotten,
)
from shared.contracts import derived_id
from shared.contracts.pairs import ProposalChanged, RelationshipEnded, RelationshipStarted
from shared.contracts.people import PersonErased, ProgrammeChanged
from shared.contracts.sessions import FeedbackRequestChanged, FeedbackStatus, SessionChanged
from shared.contracts.sessions import SessionStatus as SaidStatus
from shared.messaging.event import Event
from shared.messaging.handlers import Handlers, Outcome
from shared.persistence.receipts import RECEIPT, answered, confirm
from shared.persistence.timers import Timer
from shared.persistence.uow import Uow, Want, want, want_all

handlers = Handlers()


@handlers.on(ProgrammeChanged, needs=lambda event: [want(PROGRAMME, event.data.programme_id)])
async def programme_changed(event: Event[ProgrammeChanged], uow: Uow) -> Outcome | None:
    """Keep who coordinates the programme."""
    known = await uow.get(PROGRAMME, event.data.programme_id)
    if known is not None and known.version >= event.sequence:
        return Outcome.STALE
    uow.put(Programme(event.data.programme_id, event.data.coordinator_ids, event.sequence))
    return None


# pairs


def _started_counts(event: Event[RelationshipStarted]) -> Contribution:
    data = event.data
    counts = analytics.of_started(data.started_at)
    return Contribution(Subject.RELATIONSHIP, data.relationship_id, data.programme_id, event.sequence, counts)


def _started_needs(event: Event[RelationshipStarted]) -> Iterator[Want]:
    yield want(RELATIONSHIP, event.data.relationship_id)
    yield from accounting.wants(_started_counts(event))


@handlers.on(RelationshipStarted, needs=_started_needs)
async def relationship_started(event: Event[RelationshipStarted], uow: Uow) -> Outcome | None:
    """A pair that may book sessions from now on, unless we have heard already that it has ended."""
    data = event.data
    known = await uow.get(RELATIONSHIP, data.relationship_id)
    if known is not None and known.version >= event.sequence:
        return Outcome.STALE
    uow.put(
        Relationship(
            data.relationship_id, data.programme_id, data.mentor_id, data.mentee_id,
            RelationshipStatus.ACTIVE, data.started_at, None, None, event.sequence, data.peers,
        )
    )  # fmt: skip
    return await accounting.count(uow, _started_counts(event))


def _ended_counts(event: Event[RelationshipEnded]) -> Contribution:
    data = event.data
    counts = analytics.of_ended(data.started_at, data.ended_at, data.reason)
    return Contribution(Subject.RELATIONSHIP, data.relationship_id, data.programme_id, event.sequence, counts)


def _ended_needs(event: Event[RelationshipEnded]) -> Iterator[Want]:
    relationship_id = event.data.relationship_id
    yield want(RELATIONSHIP, relationship_id)
    yield want_all(SESSION, relationship_id=relationship_id, status=SessionStatus.BOOKED)
    yield from accounting.wants(_ended_counts(event))


@handlers.on(RelationshipEnded, needs=_ended_needs)
async def relationship_ended(event: Event[RelationshipEnded], uow: Uow) -> Outcome | None:
    """The pair is over: what it had booked for later is cancelled.

    The relationship's row is locked first, here and by every booking: so a booking is either committed
    before this and cancelled by it, or made after it and refused.
    """
    data = event.data
    known = await uow.get(RELATIONSHIP, data.relationship_id)
    for session in await uow.find(SESSION, relationship_id=data.relationship_id, status=SessionStatus.BOOKED):
        decided = sessions.after_the_end(session, ended_at=data.ended_at)
        if decided is not session:
            uow.put(decided)
            speech.say_session(uow, decided)
    if known is not None and known.version >= event.sequence:
        return Outcome.STALE
    uow.put(
        Relationship(
            data.relationship_id, data.programme_id, data.mentor_id, data.mentee_id,
            RelationshipStatus.ENDED, data.started_at, data.ended_at, EndReason(data.reason), event.sequence,
            data.peers,
        )
    )  # fmt: skip
    return await accounting.count(uow, _ended_counts(event))


# sessions


def request_id(session_id: str, author_id: str) -> str:
    """The id of the one request that *author_id* gets about *session_id*."""
    return derived_id("feedback-request", session_id, author_id)


def _session_counts(event: Event[SessionChanged]) -> Contribution:
    data = event.data
    counts = analytics.of_completed(data.completed_at or event.time, data.minutes)
    return Contribution(Subject.SESSION, data.session_id, data.programme_id, event.sequence, counts)


def _session_needs(event: Event[SessionChanged]) -> Iterator[Want]:
    data = event.data
    if data.status is SaidStatus.COMPLETED:
        yield want(RELATIONSHIP, data.relationship_id)
        yield want(SESSION, data.session_id)
        yield want(FEEDBACK_REQUEST, request_id(data.session_id, data.mentor_id))
        yield want(FEEDBACK_REQUEST, request_id(data.session_id, data.mentee_id))
        yield want(RECEIPT, data.mentor_id)
        yield want(RECEIPT, data.mentee_id)
        yield from accounting.wants(_session_counts(event))


@handlers.on(SessionChanged, needs=_session_needs)
async def session_changed(event: Event[SessionChanged], uow: Uow) -> Outcome | None:
    """A completed session: both are asked for feedback, and the session counts.

    The session's row in this service is older news of the same fact; it is locked so that two consumers
    of one event (a zombie and its successor) go one after the other. Each request is guarded by its own
    natural key, whatever the version of the event, so that a redriven one still asks, and once. Where one of
    the two was erased, the requests are closed from the first.
    """
    data = event.data
    if data.status is not SaidStatus.COMPLETED:
        return None
    await uow.get(SESSION, data.session_id)
    shut = await forgotten(uow, data.relationship_id, data.mentor_id, data.mentee_id)
    status = RequestStatus.CLOSED if shut else RequestStatus.REQUESTED
    for author_id, partner_id in ((data.mentor_id, data.mentee_id), (data.mentee_id, data.mentor_id)):
        identity = request_id(data.session_id, author_id)
        if await uow.get(FEEDBACK_REQUEST, identity) is not None:
            continue
        request = FeedbackRequest(
            identity, data.session_id, data.relationship_id, data.programme_id, author_id, partner_id,
            status, uow.now, None, 1,
        )  # fmt: skip
        uow.put(request)
        if not shut:
            uow.set_timer(CLOSING_TIMER, identity, request.closes_at)
        speech.say_request(uow, request)
    return await accounting.count(uow, _session_counts(event))


# feedback requests


def _request_counts(event: Event[FeedbackRequestChanged]) -> Contribution:
    data = event.data
    submitted_at = event.time if data.status is FeedbackStatus.SUBMITTED else None
    counts = analytics.of_request(data.requested_at, submitted_at=submitted_at)
    return Contribution(
        Subject.FEEDBACK_REQUEST, data.feedback_request_id, data.programme_id, event.sequence, counts
    )


@handlers.on(FeedbackRequestChanged, needs=lambda event: accounting.wants(_request_counts(event)))
async def feedback_request_changed(event: Event[FeedbackRequestChanged], uow: Uow) -> Outcome | None:
    """Count the request, and its answer for as long as it stands."""
    return await accounting.count(uow, _request_counts(event))


@handlers.timer(CLOSING_TIMER)
async def feedback_close(timer: Timer, uow: Uow) -> None:
    """Nobody is asked for ever. An answer that came in the meantime leaves nothing to close."""
    request = await uow.get(FEEDBACK_REQUEST, timer.key)
    if request is None:
        return
    closed = feedback.close(request, now=uow.now)
    if closed is not request:
        uow.put(closed)
        speech.say_request(uow, closed)


# proposals


def _proposal_counts(event: Event[ProposalChanged], before: Contribution | None) -> Contribution:
    data = event.data
    counts = analytics.of_proposal(before.counts if before else {}, data.status, event.time)
    return Contribution(Subject.PROPOSAL, data.proposal_id, data.programme_id, event.sequence, counts)


@handlers.on(ProposalChanged, needs=lambda event: accounting.wants(_proposal_counts(event, None)))
async def proposal_changed(event: Event[ProposalChanged], uow: Uow) -> Outcome | None:
    """Count the proposal by where it stands."""
    before = await accounting.known(uow, _proposal_counts(event, None))
    return await accounting.count(uow, _proposal_counts(event, before))


# people


def _erased_needs(event: Event[PersonErased]) -> Iterator[Want]:
    person_id = event.data.person_id
    for kind in (FEEDBACK_REQUEST, FEEDBACK_ANSWER):
        yield want_all(kind, author_id=person_id)
        yield want_all(kind, partner_id=person_id)
    yield want(RECEIPT, person_id)


@handlers.on(PersonErased, needs=_erased_needs)
async def person_erased(event: Event[PersonErased], uow: Uow) -> Outcome | None:
    """Delete every word written by or about the person, and ask for none any more.

    Ratings and ids stay: they name nobody, and averages stay as they are. The requests are locked before
    the answers are looked for, so that an answer being written is either found here or refused.
    """
    person_id = event.data.person_id
    if await answered(uow, person_id, event.sequence):
        return Outcome.STALE
    closed = emptied = 0
    for side in ("author_id", "partner_id"):
        for request in await uow.find(FEEDBACK_REQUEST, **{side: person_id}):
            shut = feedback.shut(request)
            if shut is not request:
                uow.put(shut)
                uow.cancel_timer(CLOSING_TIMER, request.feedback_request_id)
                speech.say_request(uow, shut)
                closed += 1
        for answer in await uow.find(FEEDBACK_ANSWER, **{side: person_id}):
            if feedback.has_words(answer):
                uow.put(feedback.without_words(answer))
                emptied += 1
    await confirm(uow, person_id, event.sequence, {"requests-closed": closed, "answers-emptied": emptied})
    return None
