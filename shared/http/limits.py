"""The outermost layer of HTTP: bodies of bounded size, and one measurement per request."""

import time
from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TEXT = "The body is too large."

Measure = Callable[[str, str, int, float], None]


class _TooLarge(HTTPException):
    """An HTTP exception, so that the framework's body parser lets it through."""

    def __init__(self) -> None:
        super().__init__(413, _TEXT)


class Limits:
    """ASGI middleware. A body over the limit is answered with 413 and not read further."""

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, measure: Measure) -> None:
        self._app, self._max, self._measure = app, max_body_bytes, measure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > self._max:
                    raise _TooLarge
            return message

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if _declared_length(scope) > self._max:
                raise _TooLarge
            await self._app(scope, limited, watched)
        except _TooLarge:
            status = 413
            answer = {
                "type": "urn:mentoring:problem:too_large",
                "code": "too_large",
                "status": 413,
                "detail": _TEXT,
            }
            headers = {"connection": "close"}
            response = JSONResponse(answer, 413, headers, media_type="application/problem+json")
            await response(scope, receive, send)
        finally:
            route: Any = scope.get("route")
            self._measure(
                scope["method"], getattr(route, "path", "unknown"), status, time.perf_counter() - started
            )


def _declared_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0
