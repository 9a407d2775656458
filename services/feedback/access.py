"""Who may call the routes of *feedback*, decided by this service's own rows."""

import re
from collections.abc import Mapping
from typing import Final

from services.feedback.store import FEEDBACK_REQUEST, PROGRAMME, RELATIONSHIP
from shared.errors import Invalid, NotYetKnown
from shared.http.auth import Caller
from shared.http.rules import Rule
from shared.persistence.uow import Uow

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}", re.ASCII)


def _key(params: Mapping[str, str], name: str) -> str:
    """A path's id, fit to be asked for. Rules run before the form is checked, so they check it themselves."""
    value = params[name]
    if not _KEY.fullmatch(value):
        raise Invalid("invalid", f"{name} is not an id.")
    return value


async def _participates(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
    relationship = await uow.get(RELATIONSHIP, _key(params, "relationship_id"))
    if relationship is None:
        raise NotYetKnown("relationship")
    return relationship.has(caller.subject)


async def _is_asked(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
    request = await uow.get(FEEDBACK_REQUEST, _key(params, "feedback_request_id"))
    if request is None:
        raise NotYetKnown("feedback request")
    return request.author_id == caller.subject


async def _coordinates(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
    programme = await uow.get(PROGRAMME, _key(params, "programme_id"))
    if programme is None:
        raise NotYetKnown("programme")
    return caller.subject in programme.coordinator_ids


PARTICIPANT: Final = Rule("participant of this relationship", _participates)
AUTHOR: Final = Rule("the person who is asked", _is_asked)
COORDINATOR: Final = Rule("coordinator of this programme", _coordinates)
