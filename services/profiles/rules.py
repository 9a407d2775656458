"""Rules of access that need this service's rows."""

from collections.abc import Mapping

from services.profiles.store import PROGRAMME
from shared.http.auth import Caller
from shared.http.rules import Rule, role
from shared.persistence.uow import Uow

HR = role("hr")


def coordinator_of(parameter: str) -> Rule:
    """A coordinator of the programme that the path names, once it exists."""

    async def check(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
        programme = await uow.get(PROGRAMME, params[parameter])
        return programme is not None and caller.subject in programme.coordinator_ids

    return Rule(f"coordinator of ({parameter})", check)
