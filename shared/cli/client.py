"""HTTP to the services, with answers that are documents or sentences."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

from shared.cli.target import SUBJECT, Target

_TIMEOUT = httpx.Timeout(30.0, connect=3.0)
"""A redrive reads the original record back first, for at most 20 seconds."""

transport: Callable[[], httpx.AsyncBaseTransport | None] = lambda: None  # noqa: E731 - replaced in tests
"""Makes what carries the requests; None is the network."""


class ServiceProblem(Exception):
    """A service that could not be asked, or said no. The message is a sentence."""

    def __init__(self, service: str, sentence: str, *, status: int = 0, code: str = "") -> None:
        super().__init__(sentence)
        self.service, self.status, self.code = service, status, code

    @property
    def unreachable(self) -> bool:
        return self.status == 0


class Services:
    """The services of a target: ``async with Services(target, "operator") as services``."""

    def __init__(self, target: Target, *roles: str, subject: str = SUBJECT) -> None:
        self._target, self._roles = target, roles
        self.subject = subject
        """Who asks, on a local stack; elsewhere the token says it."""
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, transport=transport(), trust_env=not target.local)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all connections."""
        await self._http.aclose()

    async def ask(self, service: str, method: str, path: str, **options: Any) -> Any:
        """The JSON answer of some replica of *service*. Raises :class:`ServiceProblem`."""
        url, response = await self._answered(service, method, path, options)
        return _document(service, url, response)

    async def fetch(self, service: str, path: str, **options: Any) -> bytes:
        """The bytes that some replica of *service* has there. Raises :class:`ServiceProblem`."""
        return (await self._answered(service, "GET", path, options))[1].content

    async def _answered(
        self, service: str, method: str, path: str, options: dict[str, Any]
    ) -> tuple[str, httpx.Response]:
        options = {**options, "headers": {"authorization": f"Bearer {self.token()}"}}
        problem: ServiceProblem | None = None
        for url in self._target.urls_of(service):
            try:
                return url, await self._answer_at(service, url, method, path, (), options)
            except ServiceProblem as error:
                problem = error
                if not error.unreachable:
                    raise
        assert problem is not None
        raise problem

    async def ask_at(
        self, service: str, url: str, method: str, path: str, *, also: tuple[int, ...] = (), **options: Any
    ) -> Any:
        """The JSON answer of the replica at *url*; statuses in *also* count as an answer."""
        return _document(service, url, await self._answer_at(service, url, method, path, also, options))

    async def _answer_at(
        self, service: str, url: str, method: str, path: str, also: tuple[int, ...], options: dict[str, Any]
    ) -> httpx.Response:
        try:
            response = await self._http.request(method, url + path, **options)
        except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            why = "in time" if isinstance(error, httpx.TimeoutException) else f"({type(error).__name__})"
            raise ServiceProblem(service, f"{service} does not answer at {url} {why}.") from error
        if response.is_success or response.status_code in also:
            return response
        raise _refusal(service, response)

    def token(self) -> str:
        """The token that requests carry."""
        return self._target.token(*self._roles, subject=self.subject)


def _document(service: str, url: str, response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise ServiceProblem(
            service,
            f"{url} does not answer as {service} would: no JSON (HTTP {response.status_code}).",
            status=response.status_code,
        ) from None


def _refusal(service: str, response: httpx.Response) -> ServiceProblem:
    try:
        problem = response.json()
        detail, code = str(problem["detail"]), str(problem["code"])
    except (ValueError, KeyError, TypeError):
        detail, code = f"HTTP {response.status_code}", ""
    if response.status_code == httpx.codes.UNAUTHORIZED:
        detail = f"it does not accept this token ({detail})"
    elif response.status_code == httpx.codes.FORBIDDEN:
        detail = "this token's roles do not allow it"
    detail = detail if detail.endswith(".") else detail + "."
    return ServiceProblem(service, f"{service}: {detail}", status=response.status_code, code=code)
