"""A real SMTP server that keeps every message as a file, for people to look at and tests to count.

`MailSink` runs in this process (a thread of its own); `python -m deploy.local.mail <directory> <port>` is
the same as a process. Either way `Mailbox` reads the directory, and has the server misbehave by a file in it.
"""

import asyncio
import email
import email.policy
import json
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.errors import PortInUse
from deploy.local.ports import LOOPBACK, free_port, is_free

Mode = Literal["accept", "refuse", "reject", "slow", "drop", "drop_after"]
"""How the server answers a message: `refuse` 451 (try later), `reject` 550 (never), `slow` accepts after a
while, `drop` hangs up without keeping it, `drop_after` keeps it and hangs up before saying so: the case in
which no sender can know, hence the one duplicate that mail allows."""

_BEHAVIOUR = "behaviour.json"
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Mail:
    """One message that the server kept, in the order of arrival."""

    path: Path
    message: EmailMessage

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"] or "")

    @property
    def recipients(self) -> list[str]:
        """Whom the envelope (not the header) named."""
        return str(self.message["X-Envelope-To"] or "").split(", ")

    def header(self, name: str) -> str | None:
        value = self.message[name]
        return None if value is None else str(value)


class Mailbox:
    """What the server at this directory has received, and how it shall behave."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._read: dict[str, Mail] = {}  # a file never changes once it has its name

    def count(self) -> int:
        """How many messages have arrived, duplicates included."""
        return sum(1 for _ in self.directory.glob("*.eml"))

    def distinct(self) -> int:
        """How many different messages have arrived: copies share their Message-ID, which is in the file's name."""
        return len({path.name.partition("-")[2] for path in self.directory.glob("*.eml")})

    def messages(self) -> list[Mail]:
        """All messages in the order of arrival."""
        for path in sorted(self.directory.glob("*.eml")):
            if path.name not in self._read:
                message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                assert isinstance(message, EmailMessage)
                self._read[path.name] = Mail(path, message)
        return [self._read[name] for name in sorted(self._read)]

    def by_message_id(self, message_id: str) -> list[Mail]:
        """The messages with this Message-ID; more than one are duplicates."""
        return [mail for mail in self.messages() if mail.message_id == message_id]

    def by_header(self, name: str, value: str) -> list[Mail]:
        """The messages in which a header, such as X-Mentoring-Occasion, has this value."""
        return [mail for mail in self.messages() if mail.header(name) == value]

    def duplicates(self) -> dict[str, int]:
        """How often each Message-ID that came more than once has come."""
        times = Counter(mail.message_id for mail in self.messages())
        return {message_id: count for message_id, count in times.items() if count > 1}

    def behave(self, mode: Mode, *, seconds: float = 0, times: int | None = None) -> None:
        """From the next message on answer like this: for so many messages, or until told otherwise.

        `seconds` is how long `slow` waits.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        scratch = self.directory / f".{_BEHAVIOUR}"
        scratch.write_text(json.dumps({"mode": mode, "seconds": seconds, "times": times}))
        scratch.replace(self.directory / _BEHAVIOUR)


class MailSink(Mailbox):
    """The server itself, in a thread of this process."""

    def __init__(self, directory: Path, controller: "Controller") -> None:
        super().__init__(directory)
        self._controller = controller
        self._listens = True
        self.host = LOOPBACK
        self.port = int(controller.port)

    @classmethod
    def start(cls, directory: Path, port: int | None = None) -> Self:
        """Listen on this port, or on a free one. Raises PortInUse if it is taken."""
        directory.mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _ATTEMPTS + 1):
            chosen = port or free_port()
            if not is_free(chosen):
                raise PortInUse(f"the mail sink cannot listen on port {chosen}: another program does")
            controller = Controller(
                _Keeper(directory),
                hostname=LOOPBACK,
                port=chosen,
                server_hostname="localhost",  # else a DNS query looks for this machine's name
                ident="mail sink",
            )
            try:
                controller.start()
            except OSError:
                controller.loop.close()
                if port is not None or attempt == _ATTEMPTS:
                    raise
            else:
                return cls(directory, controller)
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """Stop listening; the messages stay. Stopping twice does nothing."""
        if self._listens:
            self._listens = False
            self._controller.stop()


class _Keeper:
    """Keeps each message under a number, whole before it has its name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._next = 1 + max((int(p.name.split("-")[0]) for p in directory.glob("*.eml")), default=0)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        mode, seconds = self._behaviour()
        if mode == "refuse":
            return "451 4.3.0 Try again later"
        if mode == "reject":
            return "550 5.7.1 Not accepted here"
        if mode == "slow":
            await asyncio.sleep(seconds)
        if mode != "drop":
            self._keep(envelope)
        if mode in ("drop", "drop_after"):
            transport: Any = server.transport
            transport.abort()
        return "250 2.0.0 Kept"

    def _behaviour(self) -> tuple[Mode, float]:
        file = self._directory / _BEHAVIOUR
        try:
            wanted = json.loads(file.read_text())
        except FileNotFoundError:
            return "accept", 0
        if wanted["times"] is not None:
            if wanted["times"] <= 0:
                return "accept", 0
            file.write_text(json.dumps({**wanted, "times": wanted["times"] - 1}))
        return wanted["mode"], float(wanted["seconds"])

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.content
        assert isinstance(content, bytes)
        found = re.search(rb"^message-id:\s*<?([^>\r\n]*)", content, re.IGNORECASE | re.MULTILINE)
        name = (
            re.sub(r"[^A-Za-z0-9.@_-]", "_", found.group(1).decode(errors="replace"))[:80]
            if found
            else "no-id"
        )
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        path = self._directory / f"{self._next:08d}-{name}.eml"
        self._next += 1
        scratch = path.with_suffix(".part")
        scratch.write_bytes(head.encode() + content)
        scratch.rename(path)


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM or SIGINT."""
    directory, port = Path(arguments[0]), int(arguments[1])
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    sink = MailSink.start(directory, port)
    print(f"the mail sink listens on {sink.host}:{sink.port} and keeps messages in {directory}", flush=True)
    done.wait()
    sink.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
