"""Routes of a service: authenticated, with a declared rule, one transaction each.

The order is always the same: token (401), rule (403), body (422), handler, commit, answer. The rule is
checked in the handler's own transaction, so what it has seen cannot change before the commit.
"""

import asyncio
import random
import re
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from shared.errors import Forbidden, Invalid, NotYetKnown, ServiceError
from shared.http.auth import Authenticator, Caller, Unauthenticated
from shared.http.rules import Rule
from shared.messaging.tracing import TRACEPARENT, Tracing
from shared.persistence.database import Database, is_transient, is_unavailable
from shared.persistence.uow import Cause, Uow
from shared.runtime.failpoints import failpoint

F = TypeVar("F", bound=Callable[..., Awaitable[Any]])

_TRIES = 5
_UNTRACED = Tracing("untraced")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call: who, and the open transaction."""

    caller: Caller
    uow: Uow


# Dependencies are coroutines: FastAPI sends plain functions to another thread, which costs a request more
# than its handler.


async def _current(request: Request) -> Call:
    call: Call = request.state.call
    return call


CurrentCall = Annotated[Call, Depends(_current)]
"""Parameter type of every handler: ``call: CurrentCall``."""


async def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CurrentCaller = Annotated[Caller, Depends(_caller)]
"""Parameter type of *detached* handlers, which have no transaction open."""


class Api:
    """Collects the routes of a service. Every route names who may call it (``allow``, any one suffices)."""

    def __init__(self) -> None:
        self.router = APIRouter()

    def get(
        self, path: str, *, allow: Sequence[Rule], detached: bool = False, **options: Any
    ) -> Callable[[F], F]:
        """*detached*: the rule is checked in a transaction of its own, and the handler has none. For
        handlers that wait for something else, or open transactions themselves: a request must never hold
        one connection of the pool while it waits for a second."""
        return self._route("GET", path, allow, options, detached=detached)

    def put(self, path: str, *, allow: Sequence[Rule], **options: Any) -> Callable[[F], F]:
        return self._route("PUT", path, allow, options)

    def post(
        self, path: str, *, allow: Sequence[Rule], detached: bool = False, **options: Any
    ) -> Callable[[F], F]:
        """See :meth:`get` for *detached*."""
        return self._route("POST", path, allow, options, detached=detached)

    def delete(self, path: str, *, allow: Sequence[Rule], **options: Any) -> Callable[[F], F]:
        return self._route("DELETE", path, allow, options)

    def _route(
        self,
        method: str,
        path: str,
        allow: Sequence[Rule],
        options: dict[str, Any],
        *,
        detached: bool = False,
    ) -> Callable[[F], F]:
        if not allow:
            raise ValueError(f"{method} {path} does not say who may call it")

        def register(endpoint: F) -> F:
            self.router.add_api_route(
                path,
                endpoint,
                methods=[method],
                route_class_override=_route_class(method, tuple(allow), detached=detached),
                description=f"{(endpoint.__doc__ or '').strip()}\n\nAllowed: {', '.join(r.name for r in allow)}.",
                **options,
            )
            return endpoint

        return register


def _route_class(method: str, rules: tuple[Rule, ...], *, detached: bool) -> type[APIRoute]:
    class GuardedRoute(APIRoute):
        allow = rules

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                authenticator: Authenticator = request.app.state.authenticator
                caller = await authenticator.caller(request.headers.get("authorization"))
                if not all(_KEY.fullmatch(value) for value in request.path_params.values()):
                    raise Invalid("invalid", "The path names something that is not an identifier.")
                request.state.caller = caller
                tracing: Tracing = getattr(request.app.state, "tracing", _UNTRACED)
                cause = Cause(_correlation(request), traceparent=_traceparent(request))
                with tracing.working(f"{method} {self.path}", cause) as here:
                    if detached:
                        await _in_transaction(request, caller, here, rules, _nothing, read_only=True)
                        return await handle(request)
                    if method == "GET":
                        return await _in_transaction(request, caller, here, rules, handle, read_only=True)
                    failpoint("command_before_transaction")
                    answer = await _in_transaction(request, caller, here, rules, handle, read_only=False)
                    failpoint("command_committed_before_reply")
                    return answer

            return guarded

    return GuardedRoute


async def _in_transaction(
    request: Request,
    caller: Caller,
    cause: Cause,
    rules: tuple[Rule, ...],
    handle: Callable[[Request], Awaitable[Response]],
    *,
    read_only: bool,
) -> Response:
    database: Database = request.app.state.database
    for attempt in range(1, _TRIES + 1):
        try:
            async with database.transaction(caller.tenant, read_only=read_only) as uow:
                uow.cause = cause
                for rule in rules:
                    if await rule.check(caller, request.path_params, uow):
                        break
                else:
                    raise Forbidden("forbidden", "This caller may not do this.")
                request.state.call = Call(caller, uow)
                answer = await handle(request)
                if not read_only:
                    await uow.flush()
                    failpoint("command_written_before_commit")
                return answer
        except Exception as error:
            if attempt == _TRIES or not is_transient(error):
                raise
        await asyncio.sleep(random.uniform(0.01, 0.05) * 2**attempt)
    raise AssertionError("unreachable")


async def _nothing(request: Request) -> Response:
    return Response()


def _correlation(request: Request) -> str:
    """The caller's correlation id if it is an identifier (it will be in events and logs), else a new one."""
    given = request.headers.get("x-correlation-id", "")
    return given if _KEY.fullmatch(given) else str(uuid.uuid4())


def _traceparent(request: Request) -> str | None:
    given = request.headers.get("traceparent", "")
    return given if TRACEPARENT.fullmatch(given) else None


def _problem(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> JSONResponse:
    body = {"type": f"urn:mentoring:problem:{code}", "code": code, "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers=headers, media_type="application/problem+json")


def install_error_answers(app: FastAPI) -> None:
    """Every error is a problem document (RFC 9457) with a stable code; none repeats what was sent."""

    @app.exception_handler(Unauthenticated)
    async def unauthenticated(request: Request, error: Unauthenticated) -> Response:
        return _problem(401, "unauthenticated", str(error), {"WWW-Authenticate": "Bearer"})

    @app.exception_handler(ServiceError)
    async def refused(request: Request, error: ServiceError) -> Response:
        wait = {"Retry-After": str(error.retry_after_seconds)} if isinstance(error, NotYetKnown) else None
        return _problem(error.status, error.code, error.message, wait)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        fields = [
            {"field": ".".join(str(p) for p in e["loc"][:2]), "problem": e["type"]} for e in error.errors()
        ]
        return _problem(
            422, "invalid", "The request does not have the form that this route takes.", fields=fields
        )

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        code = {404: "no_such_route", 405: "method_not_allowed", 413: "too_large"}.get(
            error.status_code, "bad_request"
        )
        return _problem(error.status_code, code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        if is_unavailable(error):
            return _problem(
                503, "unavailable", "The service cannot reach its database.", {"Retry-After": "1"}
            )
        return _problem(500, "internal", "The service made a mistake; it has been logged.")
