"""Who may call a route. Every route declares its rules; a route without one cannot be registered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from shared.http.auth import Caller
from shared.persistence.uow import Uow

Check = Callable[[Caller, Mapping[str, str], Uow], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to be allowed: a name for people and a check on caller, path parameters and rows."""

    name: str
    check: Check


def role(name: str) -> Rule:
    """Callers whose token carries the role *name* (``admin``, ``operator``, ``hr``)."""

    async def check(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
        return name in caller.roles

    return Rule(f"role {name}", check)


def self_is(parameter: str) -> Rule:
    """The person whom the path speaks of."""

    async def check(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
        return params[parameter] == caller.subject

    return Rule(f"self ({parameter})", check)


def any_person() -> Rule:
    """Any authenticated caller of the tenant; for routes that answer only about the caller."""

    async def check(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
        return True

    return Rule("any person, about themselves", check)


def any_member() -> Rule:
    """Any authenticated caller of the tenant; for what everybody in it may know (programmes)."""

    async def check(caller: Caller, params: Mapping[str, str], uow: Uow) -> bool:
        return True

    return Rule("any member of the tenant", check)


ADMIN = role("admin")
PRIVACY = role("privacy")
"""Answers for personal data: may have a person erased, and see what is held of one."""
OPERATOR = role("operator")
"""May see how the machinery does and settle dead letters; sees no content."""
