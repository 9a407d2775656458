"""People acting over public HTTP routes, each with a token of their own.

Every command is repeatable (ids are chosen by the caller or are natural keys), so an answer that never
came is asked for again: a service that is being restarted costs time and nothing else.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import httpx

from deploy.local.requests import Effect, Outcome, RequestLog

T = TypeVar("T")

_AT_ONCE: Final = 24
PATIENCE_SECONDS: Final = 120.0
_TOKEN_SECONDS: Final = 6 * 3600

TokenMaker = Callable[..., str]


class Refused(Exception):
    """A service answered with a refusal that waiting will not change."""

    def __init__(self, method: str, path: str, status: int, code: str, detail: str) -> None:
        super().__init__(f"{method} {path}: {status} {code}: {detail}")
        self.status, self.code = status, code


class People:
    """HTTP on behalf of people and of the operator. What changes something is noted in *ledger*."""

    def __init__(
        self,
        urls: Mapping[str, str],
        tenant: str,
        make_token: TokenMaker,
        ledger: RequestLog | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """*urls* by service are asked for every request; *patience_seconds* is for one command and its retries."""
        self._urls, self._tenant, self._make_token = urls, tenant, make_token
        self._ledger = ledger or RequestLog(None, tenant)
        self._patience_seconds = patience_seconds
        self._tokens: dict[tuple[str, tuple[str, ...]], str] = {}
        limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
        self._http = httpx.AsyncClient(timeout=30, limits=limits, trust_env=False)
        self.seconds: list[float] = []
        """How long each successful request took, without retries."""
        self.retries = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def call(
        self,
        subject: str,
        method: str,
        service: str,
        path: str,
        body: Any = None,
        *,
        roles: tuple[str, ...] = (),
        effect: Effect | None = None,
    ) -> Any:
        """One request as *subject*; retried while the service is away or has not heard yet.

        *effect* is the event that it shall lead to, for the ledger. Raises :class:`Refused`, and
        ``TimeoutError`` when the patience is used up.
        """
        outcome: Outcome = "unknown"
        lost: list[str] = []
        try:
            answer = await self._ask(subject, method, service, path, body, roles, lost)
            outcome = "ok"
            return answer
        except Refused:
            # An earlier attempt may have been heard though its answer never came.
            outcome = "unknown" if lost else "fail"
            raise
        finally:
            if method != "GET":
                self._ledger.note(f"{method} {service}", outcome, effect)

    async def _ask(
        self,
        subject: str,
        method: str,
        service: str,
        path: str,
        body: Any,
        roles: tuple[str, ...],
        lost: list[str],
    ) -> Any:
        """The attempts of one request; *lost* takes those of which nobody knows what came."""
        deadline = time.monotonic() + self._patience_seconds
        headers = {"Authorization": f"Bearer {self._token(subject, roles)}"}
        attempt = 0
        while True:
            attempt += 1
            wait = min(2.0, 0.05 * 1.6**attempt) * random.uniform(0.7, 1.3)
            try:
                started = time.perf_counter()
                answer = await self._http.request(
                    method, self._urls[service] + path, json=body, headers=headers
                )
            except httpx.TransportError:
                problem = "no answer"
                lost.append(problem)
            else:
                if answer.is_success:
                    self.seconds.append(time.perf_counter() - started)
                    return answer.json() if answer.content else None
                told = _problem(answer)
                problem = f"{answer.status_code} {told['code']}"
                if not (answer.status_code >= 500 or told["code"] == "not_yet_known"):
                    raise Refused(method, path, answer.status_code, told["code"], told["detail"])
                if answer.status_code >= 500:
                    lost.append(problem)
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{method} {path} of {service}: {problem} for {self._patience_seconds:.0f} s"
                )
            self.retries += 1
            await asyncio.sleep(wait)

    async def operator(self, service: str, path: str) -> Any:
        """A management route, as the operator."""
        return await self.call("demo-operator", "GET", service, path, roles=("operator",))

    def _token(self, subject: str, roles: tuple[str, ...]) -> str:
        key = (subject, roles)
        if key not in self._tokens:
            self._tokens[key] = self._make_token(subject, self._tenant, roles, _TOKEN_SECONDS)
        return self._tokens[key]


def _problem(answer: httpx.Response) -> dict[str, str]:
    try:
        told = answer.json()
        return {"code": str(told["code"]), "detail": str(told["detail"])}
    except (ValueError, KeyError, TypeError):
        return {"code": "no_problem_document", "detail": answer.text[:200]}


async def all_at_once(
    work: Iterable[T], act: Callable[[T], Awaitable[None]], *, done: Callable[[int], None] = lambda _: None
) -> int:
    """Do *act* for each, a bounded number at a time; returns how many. The first failure ends it."""
    queue = iter(list(work))
    count = 0

    async def worker() -> None:
        nonlocal count
        for item in queue:
            await act(item)
            count += 1
            done(count)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(worker())
    return count
