"""Why a decision says no. The value is the stable code that callers see."""

from enum import StrEnum


class Refusal(StrEnum):
    STARTS_IN_THE_PAST = "starts_in_the_past"
    STARTS_TOO_FAR_AHEAD = "starts_too_far_ahead"
    RELATIONSHIP_ENDED = "relationship_ended"
    TOO_MANY_SESSIONS = "too_many_sessions"
    OTHER_RELATIONSHIP = "session_of_another_relationship"
    SESSION_UNKNOWN = "session_not_found"
    SESSION_CANCELLED = "session_cancelled"
    SESSION_COMPLETED = "session_completed"
    NOT_YET_STARTED = "not_yet_started"
    FEEDBACK_CLOSED = "feedback_closed"
    EMPTY_ANSWER = "empty_answer"
    ANSWER_UNKNOWN = "answer_not_found"
    ANSWER_FINAL = "answer_final"
