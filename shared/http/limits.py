"""The outermost layer of HTTP: bodies of bounded size, and one measurement per request."""

import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Measure = Callable[[str, str, int, float], None]


class _TooLarge(Exception):
    pass


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
            await _refuse(send)
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


async def _refuse(send: Send) -> None:
    body = b'{"type":"urn:mentoring:problem:too_large","code":"too_large","status":413,"detail":"The body is too large."}'
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
