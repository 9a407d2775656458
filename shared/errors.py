"""The errors that services raise on purpose, each with a stable code and one plain sentence.

At the HTTP edge they become problem answers; in an event handler they send the event to the dead
letters. Their text never holds personal data: it names fields, states and ids.
"""

from typing import ClassVar


class ServiceError(Exception):
    """A refusal with a reason. ``code`` is stable and machine-readable; the message is for people."""

    status: ClassVar[int] = 400

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Invalid(ServiceError):
    """The request or event contradicts itself or a rule that never changes."""

    status = 422


class Forbidden(ServiceError):
    """The caller is known but may not do this."""

    status = 403


class NotFound(ServiceError):
    status = 404


class Conflict(ServiceError):
    """The present state does not allow it: full, already answered, already over."""

    status = 409


class NotYetKnown(Conflict):
    """It speaks of something this service has not heard of yet: ask again in a moment."""

    retry_after_seconds: ClassVar[int] = 1

    def __init__(self, what: str) -> None:
        super().__init__("not_yet_known", f"This service has not heard of the {what} yet; try again shortly.")
