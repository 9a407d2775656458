"""What the services stand on: Kafka, PostgreSQL and the mail sink, started together and stopped together."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from deploy.local.errors import LocalStackError, PortInUse, StartFailed
from deploy.local.kafka import Kafka
from deploy.local.mail import Mailbox
from deploy.local.paths import CHECKOUT
from deploy.local.ports import LOOPBACK, accepts_connections, free_port, is_free
from deploy.local.postgres import Postgres
from deploy.local.process import Process
from deploy.local.tasks import all_of

_MAIL_SECONDS = 30.0
_MAIL_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the servers shall be; `kafka_users` (passwords by user) asks for logins by password."""

    brokers: int = 1
    kafka_users: Mapping[str, str] | None = None
    kafka_tls: bool = False
    kafka_settings: Mapping[str, str] = field(default_factory=dict)
    postgres_settings: Mapping[str, str] = field(default_factory=dict)
    mail_port: int | None = None
    detached: bool = False


class MailServer:
    """The mail sink as a process of its own, so that it can be killed like any other part."""

    def __init__(self, directory: Path, log_path: Path, port: int, detached: bool) -> None:
        self.mailbox = Mailbox(directory)
        self.port = port
        self._log_path = log_path
        self._detached = detached
        self._process: Process | None = None
        self._process_file = log_path.with_name("mail-process.json")

    @classmethod
    def attach(cls, directory: Path, log_path: Path, port: int) -> Self:
        """The sink that another program started."""
        server = cls(directory, log_path, port, detached=True)
        server._process = Process.recall("mail", server._process_file, log_path)
        return server

    @property
    def process(self) -> Process:
        if self._process is None:
            raise LocalStackError("the mail sink has not been started")
        return self._process

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    async def start(self) -> None:
        """Start it on its port, which those who send know. Raises PortInUse."""
        if not is_free(self.port):
            raise PortInUse(f"the mail sink cannot listen on port {self.port}: another program does")
        self._process = Process.spawn(
            "mail",
            [sys.executable, "-m", "deploy.local.mail", str(self.mailbox.directory), str(self.port)],
            log_path=self._log_path,
            cwd=CHECKOUT,
            detached=self._detached,
        )
        self._process.remember(self._process_file)

        async def listens() -> bool:
            return accepts_connections(self.port)

        await self._process.until(listens, what="listening", seconds=_MAIL_SECONDS)

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.terminate(_MAIL_SECONDS)

    async def kill(self) -> None:
        await self.process.kill()

    async def restart(self) -> None:
        """Start again on the same port; messages and behaviour stay."""
        await self.stop()
        await self.start()


class Servers:
    """The three of them; `kafka` and `postgres` exist once `start` has returned."""

    kafka: Kafka
    postgres: Postgres
    mail: MailServer

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    @classmethod
    async def attach(cls, data_dir: Path, found: Mapping[str, Any]) -> Self:
        """The servers of a stack.json (see `record`)."""
        servers = cls(data_dir)
        servers.kafka = await Kafka.attach(data_dir / "kafka")
        servers.postgres = await Postgres.attach(data_dir / "postgres")
        mail = found["mail"]
        servers.mail = MailServer.attach(Path(mail["directory"]), servers._mail_log, mail["port"])
        return servers

    async def start(self, options: ServerOptions, progress: Callable[[str], None]) -> None:
        """Start all at the same time. If one fails, those that have started are left for `stop`."""
        await all_of(
            self._start_kafka(options, progress),
            self._start_postgres(options, progress),
            self._start_mail(options),
        )

    async def _start_kafka(self, options: ServerOptions, progress: Callable[[str], None]) -> None:
        self.kafka = await Kafka.start(
            self._data_dir / "kafka",
            brokers=options.brokers,
            sasl=options.kafka_users is not None,
            users=options.kafka_users,
            tls=options.kafka_tls,
            settings=options.kafka_settings,
            detached=options.detached,
            progress=progress,
        )

    async def _start_postgres(self, options: ServerOptions, progress: Callable[[str], None]) -> None:
        self.postgres = await Postgres.start(
            self._data_dir / "postgres",
            settings=options.postgres_settings,
            detached=options.detached,
            progress=progress,
        )

    async def _start_mail(self, options: ServerOptions) -> None:
        port = options.mail_port
        for attempt in range(1, _MAIL_ATTEMPTS + 1):
            if port is None or attempt > 1:
                port = free_port()
            self.mail = MailServer(self._data_dir / "mail", self._mail_log, port, options.detached)
            try:
                await self.mail.start()
            except StartFailed:  # another program may have taken the port since it was found free
                if attempt == _MAIL_ATTEMPTS:
                    raise
            else:
                return

    @property
    def _mail_log(self) -> Path:
        return self._data_dir / "logs" / "mail.log"

    def alive(self) -> list[str]:
        """The names of those that run."""
        parts = {"kafka": self.kafka.running, "mail": self.mail.running}
        parts["postgres"] = self.postgres.ours and self.postgres.running
        return [name for name, running in parts.items() if running]

    async def stop(self) -> None:
        """Stop those that were started."""
        parts = [getattr(self, name, None) for name in ("mail", "postgres", "kafka")]
        await asyncio.gather(*(part.stop() for part in parts if part is not None))

    def record(self) -> dict[str, Any]:
        """What stack.json says of them."""
        return {
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap_servers,
                "version": self.kafka.version,
                "cluster_id": self.kafka.cluster_id,
                "brokers": self.kafka.brokers,
            },
            "postgres": {
                "host": self.postgres.host,
                "port": self.postgres.port,
                "version": self.postgres.version,
            },
            "mail": {
                "host": LOOPBACK,
                "port": self.mail.port,
                "directory": str(self.mail.mailbox.directory),
            },
        }
