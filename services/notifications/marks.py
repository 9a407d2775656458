"""Marking mails that the server has taken: those that are accepted at about the same time share a transaction."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final

from services.notifications.letters import Letter

_TOGETHER_SECONDS: Final = 0.05
"""So long an accepted mail may wait for those that other connections are sending, to be marked with them."""


class Marks:
    """The accepted mails of one sender, on their way to being marked by *commit*."""

    def __init__(self, commit: Callable[[Sequence[Letter]], Awaitable[None]]) -> None:
        self._commit = commit
        self._accepted: list[tuple[Letter, asyncio.Future[None]]] = []
        self._marking: asyncio.Task[None] | None = None
        self._sending = 0
        self._none_sending = asyncio.Event()

    @contextlib.contextmanager
    def on_its_way(self) -> Iterator[None]:
        """While a connection sends a mail that others may be marked with."""
        self._sending += 1
        self._none_sending.clear()
        try:
            yield
        finally:
            self._sending -= 1
            if self._sending == 0:
                self._none_sending.set()

    async def sent(self, letter: Letter) -> None:
        """Returns when it is committed that the server has taken *letter*."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._accepted.append((letter, done))
        if self._marking is None or self._marking.done():
            self._marking = asyncio.create_task(self._mark_accepted())
        await done

    async def _mark_accepted(self) -> None:
        while self._accepted:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._none_sending.wait(), _TOGETHER_SECONDS)
            batch, self._accepted = self._accepted, []
            problem = None
            try:
                await self._commit([letter for letter, _ in batch])
            except Exception as error:  # noqa: BLE001 - it goes to those who wait for it
                problem = error
            for _, done in batch:
                if done.done():  # nobody waits any more: cancelled while stopping
                    continue
                if problem is None:
                    done.set_result(None)
                else:
                    done.set_exception(problem)
