"""A mail server that does as it is told, and a queue of deliveries on dictionaries."""

import asyncio
import email
import email.policy
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from services.notifications.deliveries import held_by, mark_refused, mark_sent
from services.notifications.domain.messages import Notification, Reason, State
from services.notifications.letters import Letter, collect
from services.notifications.post import record
from services.notifications.store import NOTIFICATION
from shared.runtime.settings import Settings
from tests.support.memory import NOW, MemoryStore


@dataclass
class MailServer:
    """Answers by recipient: an SMTP line to refuse with, ``drop`` or ``drop-after``."""

    answers: dict[str, str] = field(default_factory=dict)
    kept: list[EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    sessions: int = 0
    port: int = 0
    sender_answer: str | None = None
    hang_ups: int = 0
    """So many times it hangs up when the next mail is begun, as servers do on connections that were idle."""
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.hang_ups:
            self.hang_ups -= 1
            _abort(server)
        if self.sender_answer:
            return self.sender_answer
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(address, "")
        if answer == "hang-up":
            _abort(server)
        if answer[:1] in ("4", "5"):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.answers.get(envelope.rcpt_tos[0], "")
        if answer != "drop":
            content = envelope.content
            assert isinstance(content, bytes)
            message = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.kept.append(message)
            self._came.set()
            self.recipients += envelope.rcpt_tos
        if answer in ("drop", "drop-after"):
            _abort(server)
        return "250 OK"

    async def has(self, count: int) -> None:
        """Wait until so many mails have come."""
        while len(self.kept) < count:
            self._came.clear()
            await self._came.wait()

    def arrived(self) -> Counter[str]:
        """How often each Message-ID came."""
        return Counter(str(message["Message-ID"]) for message in self.kept)

    def settings(self, **more: Any) -> Settings:
        values: dict[str, Any] = {
            "kafka_bootstrap_servers": "unused",
            "database_host": "unused",
            "smtp_host": "127.0.0.1",
            "smtp_port": self.port,
            "smtp_tls": "none",
            "mail_from": "mentoring@mail.example.org",
        }
        return Settings(**values | more)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["MailServer"]:
        def connection() -> SMTP:
            self.sessions += 1
            return SMTP(self, hostname="localhost", loop=asyncio.get_running_loop(), enable_SMTPUTF8=True)

        server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()


def _abort(server: SMTP) -> None:
    transport: Any = server.transport
    transport.abort()


class MemoryDeliveries:
    """The queue of one tenant in a MemoryStore. ``elapsed`` is the machine's clock; tests move it."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.elapsed = timedelta()

    def _due(self) -> list[Notification]:
        rows: list[Notification] = self.store.all(NOTIFICATION)
        due = [
            n
            for n in rows
            if n.state in (State.QUEUED, State.SENDING)
            and (n.hold_until is None or n.hold_until <= NOW + self.elapsed)
        ]
        return sorted(due, key=lambda n: (n.hold_until is not None, n.hold_until, n.queued_at))

    def _put(self, row: Notification) -> None:
        self.store.add(row)

    def row(self, notification_id: str) -> Notification:
        found: Notification = self.store.rows["notification"][(notification_id,)]
        return found

    async def tenants(self) -> list[str]:
        return ["acme"] if self._due() else []

    async def lease(self, tenant: str, limit: int, lease: timedelta) -> list[Letter]:
        taken = self._due()[:limit]
        for n in taken:
            self._put(
                replace(n, state=State.SENDING, leases=n.leases + 1, hold_until=NOW + self.elapsed + lease)
            )
        async with self.store.uow() as uow:
            return await collect(uow, [n.id for n in taken])

    async def extend(self, letters: Sequence[Letter], lease: timedelta) -> None:
        return

    async def sent(self, letters: Sequence[Letter]) -> None:
        async with self.store.uow() as uow:
            await mark_sent(uow, [letter.notification.id for letter in letters])

    async def refused(self, letter: Letter, code: str, *, permanent: bool) -> None:
        async with self.store.uow() as uow:
            pause = await mark_refused(uow, letter.notification, code, permanent=permanent)
        if pause is not None:
            n = self.row(letter.notification.id)
            self._put(
                replace(n, state=State.QUEUED, attempts=n.attempts + 1, hold_until=NOW + self.elapsed + pause)
            )

    async def suppressed(self, letter: Letter, reason: Reason) -> None:
        async with self.store.uow() as uow:
            held = await held_by(uow, letter.notification)
            if held is not None:
                record(uow, held, held.suppressed(reason, uow.now))

    async def release(self, letters: Sequence[Letter]) -> None:
        for letter in letters:
            self._put(replace(self.row(letter.notification.id), state=State.QUEUED, hold_until=None))
