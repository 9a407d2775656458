"""The worker that sends mail: takes what is due, hands it to the mail server, and marks each mail at once.

Between the server's yes and our commit lies the one gap that SMTP leaves open: a mail whose sender is killed
there is sent again, with the same Message-ID. Each connection has at most one mail in that gap, so a crash
repeats at most :data:`CONNECTIONS` mails, each once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, Protocol

import structlog

from services.notifications.deliveries import DatabaseDeliveries, Deliveries
from services.notifications.letters import Letter
from services.notifications.marks import Marks
from services.notifications.mime import BadAddress
from services.notifications.rendering import Renderer
from services.notifications.smtp import Line, Mail, Refused, ServerDown
from shared.persistence.database import is_transient
from shared.runtime.backoff import backoff
from shared.runtime.failpoints import failpoint
from shared.runtime.service import WorkerContext

log = structlog.get_logger()

CONNECTIONS: Final = 8
BATCH: Final = 100
LEASE: Final = timedelta(seconds=30)
"""After so long without a sign of life others take over what a sender holds."""
_EXTEND_SECONDS: Final = 10.0
_HELD_SECONDS: Final = LEASE.total_seconds() - 1  # clocks differ in speed, a little
_POLL_SECONDS: Final = (0.05, 1.0)
_GATHER_SECONDS: Final = 0.05
"""What comes together is sent together: a round costs five transactions, however few mails it finds."""
_YIELD_SECONDS: Final = 2.0
"""So long a round gives way to events that come one after the other: for them somebody waits, and mail can."""
_DOWN_SECONDS: Final = (0.5, 30.0)
_QUIET_SECONDS: Final = 2.0
"""Connections without work are closed after so long."""


class Sends(Protocol):
    """A connection to a mail server."""

    async def send(self, mail: Mail) -> None: ...

    async def close(self) -> None: ...


async def run(context: WorkerContext) -> None:
    """Send until told to stop. Without a mail server everything stays in the queue."""
    stopping, settings = context.stopping, context.settings
    if settings.smtp_host is None:
        log.warning("no mail is sent: MENTORING_SMTP_HOST is not set, so all mail stays in the queue")
        await stopping.wait()
        return
    sender = Sender(
        DatabaseDeliveries(context.database),
        Renderer(settings.mail_from),
        lambda: Line(settings),
        stopping=stopping,
        wake=context.database.outbox_written,
        consuming=context.consuming,
    )
    await sender.run()


class Sender:
    """The sender of one process; several share the work by leases."""

    def __init__(
        self,
        deliveries: Deliveries,
        renderer: Renderer,
        open_line: Callable[[], Sends],
        *,
        stopping: asyncio.Event,
        wake: asyncio.Event,
        consuming: Callable[[], bool] = lambda: False,
        connections: int = CONNECTIONS,
    ) -> None:
        self._deliveries, self._renderer = deliveries, renderer
        self._lines = [open_line() for _ in range(connections)]
        self._stopping, self._wake, self._consuming = stopping, wake, consuming
        self._down: ServerDown | None = None
        self._marks = Marks(self._commit_sent)
        self._down_rounds = 0
        self._database_tries = 0
        self._quiet = 0.0
        self._held_until = 0.0

    async def run(self) -> None:
        """Send until told to stop; then finish the mails in hand and give the others back."""
        pause = _POLL_SECONDS[0]
        try:
            while not self._stopping.is_set():
                try:
                    await self._give_way()
                    taken = await self.round()
                except Exception as error:
                    if not is_transient(error):
                        raise
                    await self._wait_for_database(error)
                    continue
                self._database_tries = 0
                if self._server_is_down():
                    self._down_rounds += 1
                    await self._sleep(
                        backoff(self._down_rounds, first=_DOWN_SECONDS[0], longest=_DOWN_SECONDS[1])
                    )
                elif taken:
                    pause, self._quiet = _POLL_SECONDS[0], 0.0
                    if taken < BATCH:
                        await self._sleep(_GATHER_SECONDS)
                else:
                    await self._rest(pause)
                    pause = min(_POLL_SECONDS[1], pause * 2)
        finally:
            await self._hang_up()

    async def round(self) -> int:
        """One batch of every tenant that has something due; returns how many mails were taken."""
        self._down, taken = None, 0
        for tenant in await self._deliveries.tenants():
            if self._stopping.is_set() or self._server_is_down():
                break
            asked = time.monotonic()
            letters = await self._deliveries.lease(tenant, BATCH, LEASE)
            self._held_until = asked + _HELD_SECONDS
            taken += len(letters)
            await self._send_all(letters)
        return taken

    def _server_is_down(self) -> bool:
        return self._down is not None

    async def _send_all(self, letters: Sequence[Letter]) -> None:
        """Send over all connections at once; what is left when one finds the server down goes back."""
        if not letters:
            return
        queue, in_hand = deque(letters), {letter.notification.id: letter for letter in letters}
        renewal = asyncio.create_task(self._keep_lease(in_hand))
        work = [self._work(line, queue, in_hand) for line in self._lines[: len(letters)]]
        try:
            results = await asyncio.gather(*work, return_exceptions=True)
        finally:
            renewal.cancel()
        await self._until_committed(lambda: self._deliveries.release(list(in_hand.values())))
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _work(self, line: Sends, queue: deque[Letter], in_hand: dict[str, Letter]) -> None:
        while queue and not self._stopping.is_set() and self._down is None and self._holds():
            letter = queue.popleft()
            try:
                await self._send(line, letter)
            except ServerDown as down:
                self._note_down(down)
                return  # the letter is still in hand, and goes back untried
            except BaseException:
                # It may have been sent: only the end of the lease gives it back, so that it is not sent
                # again and again while something is wrong with marking it.
                del in_hand[letter.notification.id]
                raise
            del in_hand[letter.notification.id]

    async def _send(self, line: Sends, letter: Letter) -> None:
        notification = letter.notification
        reason = letter.refusal
        if reason is not None:
            await self._until_committed(lambda: self._deliveries.suppressed(letter, reason))
            return
        try:
            mail = self._renderer.mail(letter)
            with self._marks.on_its_way():
                await line.send(mail)
        except Refused as refused:
            self._note_up()
            await self._failed(letter, refused.code, permanent=refused.permanent)
        except BadAddress:
            await self._failed(letter, "address-invalid", permanent=True)
        except ServerDown:
            raise
        except Exception as defect:  # noqa: BLE001 - one mail that cannot be written must not stop the others
            await self._failed(letter, f"defect-{type(defect).__name__}", permanent=False)
        else:
            failpoint("side_effect_before_mark")
            self._note_up()
            await self._marks.sent(letter)
            log.info(
                "mail sent",
                notification_id=notification.id,
                template=str(notification.template),
                correlation_id=notification.correlation_id,
            )

    async def _failed(self, letter: Letter, code: str, *, permanent: bool) -> None:
        notification = letter.notification
        log.warning(
            "mail refused",
            notification_id=notification.id,
            template=str(notification.template),
            code=code,
            permanent=permanent,
            attempts=notification.attempts + 1,
        )
        await self._until_committed(lambda: self._deliveries.refused(letter, code, permanent=permanent))

    async def _commit_sent(self, letters: Sequence[Letter]) -> None:
        await self._until_committed(partial(self._deliveries.sent, letters))

    async def _until_committed(self, mark: Callable[[], Awaitable[None]]) -> None:
        """Mark, however long the database is away: a mail that is sent and not marked is sent again."""
        while True:
            try:
                await mark()
                return
            except Exception as error:
                if not is_transient(error):
                    raise
                await self._wait_for_database(error)

    async def _wait_for_database(self, error: Exception) -> None:
        if self._database_tries == 0:
            log.warning("the sender is waiting for its database", error=type(error).__name__)
        self._database_tries += 1
        await asyncio.sleep(backoff(self._database_tries, first=0.05, longest=5))

    async def _keep_lease(self, in_hand: dict[str, Letter]) -> None:
        while True:
            await asyncio.sleep(_EXTEND_SECONDS)
            asked = time.monotonic()
            try:
                await self._deliveries.extend(list(in_hand.values()), LEASE)
            except Exception as error:
                if not is_transient(error):
                    raise
            else:
                self._held_until = asked + _HELD_SECONDS

    def _holds(self) -> bool:
        """Whether nobody else can have the mails in hand: not so after a freeze, when others may have sent them."""
        return time.monotonic() < self._held_until

    def _note_down(self, down: ServerDown) -> None:
        if self._down is None and self._down_rounds == 0:
            log.warning("the mail server cannot be used; mail waits in the queue", code=down.code)
        self._down = down

    def _note_up(self) -> None:
        if self._down_rounds:
            log.info("the mail server can be used again")
        self._down_rounds = 0

    async def _give_way(self) -> None:
        until = time.monotonic() + _YIELD_SECONDS
        while self._consuming() and time.monotonic() < until and not self._stopping.is_set():
            await self._sleep(_GATHER_SECONDS)

    async def _rest(self, seconds: float) -> None:
        """Until something may have been queued: this process's own commits are a hint, the rest is polled."""
        self._quiet += seconds
        if self._quiet >= _QUIET_SECONDS:
            await self._hang_up()
        # A hint that is still there has been followed already; it stays while nothing can be relayed.
        await self._sleep(seconds, *(() if self._wake.is_set() else (self._wake,)))
        await self._sleep(_GATHER_SECONDS)

    async def _sleep(self, seconds: float, *wakers: asyncio.Event) -> None:
        """Until the time is over, an event comes, or it is time to stop."""
        waits = [asyncio.create_task(event.wait()) for event in (self._stopping, *wakers)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _hang_up(self) -> None:
        await asyncio.gather(*(line.close() for line in self._lines), return_exceptions=True)
