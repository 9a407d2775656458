"""People ask again when nobody answers, and only then: every command of theirs may be repeated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from deploy.local.demo.people import People, Refused

OK = (200, "{}")
AWAY = (503, '{"code": "unavailable", "detail": "The service cannot reach its database."}')
NOT_YET = (409, '{"code": "not_yet_known", "detail": "Not heard of yet."}')
REFUSED = (409, '{"code": "no_place", "detail": "The mentor has no place."}')
NOTHING = (0, "")
"""The connection ends before the answer: the command may have been done or not."""


@asynccontextmanager
async def service(*answers: tuple[int, str]) -> AsyncIterator[tuple[str, list[str]]]:
    """A service that gives these answers, one after the other; its address, and what it was asked."""
    left, asked = list(answers), list[str]()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.split(" HTTP")[0])
        status, body = left.pop(0)
        if status:
            writer.write(
                f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n{body}".encode()
            )
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


def people(url: str, patience: float = 20) -> People:
    return People({"matching": url}, "acme", _token, patience_seconds=patience)


def _token(*_: object) -> str:
    return "a-token"


async def test_a_command_is_repeated_until_somebody_has_answered_it() -> None:
    async with service(NOTHING, AWAY, NOT_YET, NOTHING, OK) as (url, asked), people(url) as asking:
        assert await asking.call("p", "POST", "matching", "/proposals/1/accept") == {}
        assert asked == ["POST /proposals/1/accept"] * 5
        assert asking.retries == 4


async def test_a_refusal_is_an_answer() -> None:
    async with service(REFUSED) as (url, asked), people(url) as asking:
        with pytest.raises(Refused) as refusal:
            await asking.call("p", "POST", "matching", "/proposals/1/accept")
        assert refusal.value.code == "no_place"
        assert len(asked) == 1


async def test_patience_ends() -> None:
    async with service(*[NOTHING] * 50) as (url, _), people(url, patience=0.2) as asking:
        with pytest.raises(TimeoutError, match="no answer for 0 s"):
            await asking.call("p", "POST", "matching", "/proposals/1/accept")
