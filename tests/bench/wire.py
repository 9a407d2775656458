"""A small HTTP/1.1 client: the usual ones take longer for a request than the service that answers it."""

import asyncio
import json
from types import TracebackType
from typing import Any, Self


class Client:
    """One kept connection; one request at a time."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def __aenter__(self) -> Self:
        self._streams = await asyncio.open_connection(self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._streams is not None
        self._streams[1].close()
        await self._streams[1].wait_closed()

    async def call(
        self, method: str, path: str, token: str, body: Any = None, *, correlation: str = ""
    ) -> tuple[int, bytes]:
        """Status and body of the answer."""
        assert self._streams is not None
        reader, writer = self._streams
        content = json.dumps(body).encode() if body is not None else b""
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {self._host}\r\nauthorization: Bearer {token}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(content)}\r\n"
            + (f"x-correlation-id: {correlation}\r\n" if correlation else "")
            + "\r\n"
        )
        writer.write(head.encode() + content)
        answer = await reader.readuntil(b"\r\n\r\n")
        status = int(answer.split(b" ", 2)[1])
        length = 0
        for line in answer.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return status, await reader.readexactly(length)

    async def ask(
        self, method: str, path: str, token: str, body: Any = None, *, correlation: str = ""
    ) -> Any:
        """The answer's JSON. Raises ``AssertionError`` unless it succeeded."""
        status, content = await self.call(method, path, token, body, correlation=correlation)
        if not 200 <= status < 300:
            raise AssertionError(f"{method} {path}: {status} {content[:200]!r}")
        return json.loads(content)
