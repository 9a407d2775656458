"""What *feedback* says: its rows in the words of the contracts. Ids, states and times; never an answer."""

from services.feedback.domain.feedback import FeedbackRequest
from services.feedback.domain.sessions import Session
from shared.contracts.sessions import FeedbackRequestChanged, FeedbackStatus, SessionChanged, SessionStatus
from shared.persistence.uow import Uow


def say_session(uow: Uow, session: Session) -> None:
    """Publish where the session stands now."""
    uow.say(
        SessionChanged(
            session_id=session.session_id,
            relationship_id=session.relationship_id,
            programme_id=session.programme_id,
            mentor_id=session.mentor_id,
            mentee_id=session.mentee_id,
            status=SessionStatus(session.status),
            starts_at=session.starts_at,
            minutes=session.minutes,
            completed_at=session.completed_at,
        ),
        version=session.version,
    )


def say_request(uow: Uow, request: FeedbackRequest) -> None:
    """Publish where the request stands now, and nothing of what was answered."""
    uow.say(
        FeedbackRequestChanged(
            feedback_request_id=request.feedback_request_id,
            session_id=request.session_id,
            relationship_id=request.relationship_id,
            programme_id=request.programme_id,
            author_id=request.author_id,
            status=FeedbackStatus(request.status),
            requested_at=request.requested_at,
        ),
        version=request.version,
    )
