"""The whole platform on one machine: Kafka, PostgreSQL, a mail sink, every service, each a real process."""

import asyncio
import fcntl
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.local import record
from deploy.local.access import service_rules
from deploy.local.clock import LocalClock
from deploy.local.environment import Environment, Passwords
from deploy.local.errors import LocalStackError
from deploy.local.issuer import Issuer
from deploy.local.kafka import Kafka
from deploy.local.mail import Mailbox
from deploy.local.paths import CHECKOUT, absolute, default_data_dir
from deploy.local.ports import free_port
from deploy.local.postgres import Postgres
from deploy.local.postgres.files import Files
from deploy.local.process import Process, run_once
from deploy.local.servers import MailServer, ServerOptions, Servers
from deploy.local.service import READY_SECONDS, ServiceProcess
from deploy.local.tasks import all_of
from shared.contracts.topics import SERVICES
from shared.persistence.bootstrap import CLOCK_ROLE, bootstrap

_COMMAND_SECONDS = 120.0
_UNUSED_PORT = 1  # a migration is told an HTTP port like every process, and listens nowhere


class LocalStack:
    """Starts and stops the platform; `async with LocalStack(folder) as stack:` does both.

    The folder keeps everything (data, logs, passwords, mails), so that the next start goes on from there. An
    attached stack dies with this program, whatever ends it; a detached one outlives it, and
    `LocalStack.load(folder)` finds it again.
    """

    issuer: Issuer
    clock: LocalClock
    environment: Environment

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        services: Sequence[str] = SERVICES,
        replicas: Mapping[str, int] | None = None,
        brokers: int = 1,
        sasl: bool = False,
        tls: bool = False,
        topic_prefix: str = "mentoring.",
        group_prefix: str = "mentoring.",
        log_level: str = "INFO",
        extra_environment: Mapping[str, str] | None = None,
        kafka_settings: Mapping[str, str] | None = None,
        postgres_settings: Mapping[str, str] | None = None,
        with_clock: bool = True,
        detached: bool = False,
        ready_seconds: float = READY_SECONDS,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`services` are those that run; `replicas` is how many of each (default 1). `extra_environment` goes
        to every process of the platform. Without `with_clock` nobody can move business time."""
        self.data_dir = absolute(data_dir or default_data_dir())
        self.services: dict[str, list[ServiceProcess]] = {name: [] for name in services}
        self._settings = record.Settings(
            services=tuple(services),
            sasl=sasl,
            tls=tls,
            topic_prefix=topic_prefix,
            group_prefix=group_prefix,
            log_level=log_level,
            with_clock=with_clock,
            detached=detached,
        )
        self._extra = dict(extra_environment or {})
        self._replicas = {name: (replicas or {}).get(name, 1) for name in services}
        self._passwords = Passwords({})
        self._servers = Servers(self.data_dir)
        self._server_options = ServerOptions(
            brokers=brokers,
            kafka_settings=dict(kafka_settings or {}),
            postgres_settings=dict(postgres_settings or {}),
            kafka_tls=tls,
            detached=detached,
        )
        self._ready_seconds = ready_seconds
        self._progress = progress

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything, in the order in which it needs each other, and wait until it is ready.

        Raises LocalStackError (of which MissingProgram, PortInUse and StartFailed are kinds); what had been
        started by then is stopped again.
        """
        with self._lock():
            await self._refuse_if_running()
            try:
                await self._start_servers()
                await self._prepare()
                await self._start_services()
            except BaseException:
                await self._stop_everything()
                raise

    async def stop(self) -> None:
        """Stop the services, then what they need. Data stay; stopping a stopped stack does nothing."""
        with self._lock():
            self._progress("stopping")
            await self._stop_everything()

    async def destroy(self) -> None:
        """Stop, also what another program started in this folder, and delete everything that is in it."""
        await self.stop()
        if record.exists(self.data_dir):
            await (await LocalStack.load(self.data_dir)).stop()
        Files(self.data_dir / "postgres").delete()
        shutil.rmtree(self.data_dir, ignore_errors=True)

    @classmethod
    async def load(
        cls, data_dir: Path | None = None, *, progress: Callable[[str], None] = lambda _: None
    ) -> Self:
        """The stack that another program started in this folder. Raises LocalStackError if there is none."""
        data_dir = absolute(data_dir or default_data_dir())
        settings, found = record.read(data_dir)
        stack = cls(data_dir, services=settings.services, progress=progress)
        stack._settings = settings
        stack._extra = record.read_extra(data_dir)
        stack._servers = await Servers.attach(data_dir, found)
        stack._connect()
        for service, replicas in found["services"].items():
            for entry in replicas:
                name = f"{service}-{entry['replica']}"
                process = Process.attach(name, entry["pid"], entry["started"], Path(entry["log"]))
                port = int(entry["url"].rpartition(":")[2])
                stack.services[service].append(stack._service(service, entry["replica"], port, process))
        return stack

    @property
    def kafka(self) -> Kafka:
        return self._servers.kafka

    @property
    def postgres(self) -> Postgres:
        return self._servers.postgres

    @property
    def mail(self) -> Mailbox:
        """The mails that were sent, and how the sink shall behave."""
        return self._servers.mail.mailbox

    @property
    def mail_server(self) -> MailServer:
        """The sink's process, to kill and restart."""
        return self._servers.mail

    def url(self, service: str, replica: str = "0") -> str:
        """Where a replica listens, for instance http://127.0.0.1:8080."""
        return self.replica(service, replica).url

    def replica(self, service: str, replica: str = "0") -> ServiceProcess:
        """One replica of a service."""
        for process in self.services[service]:
            if process.replica == replica:
                return process
        raise LocalStackError(f"there is no replica {replica} of {service}")

    def token(self, subject: str, tenant: str, roles: Sequence[str] = (), ttl_seconds: int = 3600) -> str:
        """A bearer token of this stack's issuer."""
        return self.issuer.token(subject, tenant, roles, ttl_seconds)

    def env_for(self, service: str, replica: str = "0") -> dict[str, str]:
        """The environment of a replica, with its secrets."""
        known = [process for process in self.services.get(service, []) if process.replica == replica]
        port = known[0].port if known else free_port()
        return self.environment.service(service, replica, port)

    def env_for_cli(self) -> dict[str, str]:
        """The environment of `python -m shared.cli.main`."""
        return self.environment.command_line()

    def dsn(self, service: str, role: str) -> str:
        """A connection string to a service's database, such as role "check" to look at it; a secret."""
        return self.environment.dsn(service, role)

    async def add_replica(self, service: str, replica: str) -> ServiceProcess:
        """Start one more replica and wait until it is ready."""
        if any(process.replica == replica for process in self.services[service]):
            raise LocalStackError(f"there is a replica {replica} of {service} already")
        process = self._service(service, replica)
        self.services[service].append(process)
        await process.start(ready_seconds=self._ready_seconds)
        return process

    async def migrate(self, service: str) -> None:
        """Bring a service's database to its newest schema."""
        await run_once(
            f"the migration of {service}",
            [sys.executable, "-m", f"services.{service}", "migrate"],
            log_path=self._log(f"{service}-migrate.jsonl"),
            env=self.environment.migration(service, _UNUSED_PORT),
            cwd=CHECKOUT,
            seconds=_COMMAND_SECONDS,
        )

    async def create_topics(self) -> None:
        """Create the platform's topics where they are missing."""
        await run_once(
            "`topics create`",
            [sys.executable, "-m", "shared.cli.main", "topics", "create"],
            log_path=self._log("topics.log"),
            env=self.env_for_cli(),
            cwd=CHECKOUT,
            seconds=_COMMAND_SECONDS,
        )

    # -- the steps of a start and of a stop --------------------------------------------------------------

    async def _start_servers(self) -> None:
        self._passwords = Passwords.open(self.data_dir)
        users = {name: self._passwords.of(name, "kafka") for name in SERVICES}
        options = replace(
            self._server_options,
            kafka_users=users if self._settings.sasl else None,
            mail_port=record.last_port(self.data_dir, "mail"),
        )
        await self._servers.start(options, self._progress)
        record.write_extra(self.data_dir, self._extra)
        self._connect()
        self._write_record()

    def _connect(self) -> None:
        """Everything that follows from the servers' addresses."""
        self._passwords = Passwords.open(self.data_dir)
        self.issuer = Issuer.open(self.data_dir)
        self.environment = Environment(
            data_dir=self.data_dir,
            kafka=self.kafka,
            postgres=self.postgres,
            issuer=self.issuer,
            passwords=self._passwords,
            smtp_port=self._servers.mail.port,
            topic_prefix=self._settings.topic_prefix,
            group_prefix=self._settings.group_prefix,
            log_level=self._settings.log_level,
            extra=self._extra,
        )
        self.clock = LocalClock({name: self.dsn(name, CLOCK_ROLE) for name in self.services})

    async def _prepare(self) -> None:
        """Topics, and databases with their schemas."""
        (self.data_dir / "traces").mkdir(exist_ok=True)
        self._progress("creating topics and databases")
        await all_of(self._prepare_topics(), self._prepare_databases())

    async def _prepare_topics(self) -> None:
        await self.create_topics()
        if self._settings.sasl or self._settings.tls:
            prefixes = self._settings.topic_prefix, self._settings.group_prefix
            await self.kafka.allow(*service_rules(*prefixes))

    async def _prepare_databases(self) -> None:
        await bootstrap(
            self.postgres.admin_dsn,
            services=list(self.services),
            passwords=self._passwords.values,
            with_clock=self._settings.with_clock,
        )
        await all_of(*(self.migrate(service) for service in self.services))

    async def _start_services(self) -> None:
        for name, count in self._replicas.items():
            self.services[name] = [self._service(name, str(number)) for number in range(count)]
        everything = [process for replicas in self.services.values() for process in replicas]
        if everything:
            self._progress(f"starting {', '.join(process.name for process in everything)}")
        await all_of(*(process.start(ready_seconds=self._ready_seconds) for process in everything))

    def _service(
        self, service: str, replica: str, port: int | None = None, process: Process | None = None
    ) -> ServiceProcess:
        name = f"{service}-{replica}"
        return ServiceProcess(
            service,
            replica,
            log_path=self._log(f"{name}.jsonl"),
            environment=lambda chosen: self.environment.service(service, replica, chosen),
            port=port or record.last_port(self.data_dir, name),
            detached=self._settings.detached,
            process=process,
            changed=self._write_record,
        )

    async def _stop_everything(self) -> None:
        """Services first, so that they can finish what they have in hand; what was never started, or has
        ended since, is passed over."""
        started = [p for replicas in self.services.values() for p in replicas if p.running]
        await asyncio.gather(*(process.terminate() for process in started))
        await self._servers.stop()
        record.remove(self.data_dir)

    # -- the data folder -----------------------------------------------------------------------------------

    def _log(self, name: str) -> Path:
        return self.data_dir / "logs" / name

    def _write_record(self) -> None:
        started = {n: [p for p in replicas if p.started] for n, replicas in self.services.items()}
        content: dict[str, Any] = {
            "data_dir": str(self.data_dir),
            **self._servers.record(),
            "issuer": {
                "issuer": self.issuer.issuer,
                "audience": self.issuer.audience,
                "jwks_file": str(self.issuer.jwks_file),
            },
            "services": {name: [p.record() for p in replicas] for name, replicas in started.items()},
        }
        record.write(self.data_dir, self._settings, content)
        ports = {p.name: p.port for replicas in started.values() for p in replicas}
        record.keep_ports(self.data_dir, ports | {"mail": self._servers.mail.port})

    async def _refuse_if_running(self) -> None:
        if not record.exists(self.data_dir):
            return
        earlier = await LocalStack.load(self.data_dir)
        alive = [p.name for replicas in earlier.services.values() for p in replicas if p.running]
        alive += earlier._servers.alive()
        if alive:
            raise LocalStackError(
                f"a stack runs in {self.data_dir} ({', '.join(alive)}): stop it first with `mentoring down`"
            )

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Nobody else starts or stops this folder's stack meanwhile."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        with (self.data_dir / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                problem = f"another program is starting or stopping the stack in {self.data_dir}"
                raise LocalStackError(problem) from None
            yield
