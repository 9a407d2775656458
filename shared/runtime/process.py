"""One running service process: its parts, how they start and how they stop.

Start: HTTP first (so that health answers), then the schema, then relay and timers, then consumers; each
waits with backoff for what is not there yet. Stop (SIGTERM): unready, finish batches in flight, commit
their offsets, send what the outbox holds, close; all within ``MENTORING_SHUTDOWN_SECONDS``.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Iterator

import structlog
import uvicorn
from fastapi import FastAPI

from shared.http.api import install_error_answers
from shared.http.auth import Authenticator
from shared.http.limits import Limits
from shared.messaging.consumer import TopicConsumer
from shared.messaging.kafka import group_name, make_broker
from shared.messaging.metrics import Metrics
from shared.messaging.processor import BatchProcessor
from shared.messaging.redrive import Redrive
from shared.messaging.refusal import refusal
from shared.messaging.relay import Relay
from shared.messaging.timer_worker import TimerWorker
from shared.messaging.tracing import Tracing
from shared.persistence.database import Database
from shared.runtime.backoff import backoff
from shared.runtime.collector import run_collector
from shared.runtime.failpoints import failpoint
from shared.runtime.health import Health
from shared.runtime.janitor import run_janitor
from shared.runtime.management import install_state, management_api, open_routes
from shared.runtime.service import Service, Worker, WorkerContext
from shared.runtime.settings import Settings

log = structlog.get_logger()


class _Server(uvicorn.Server):
    """Signals are the process's business, not the HTTP server's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Process:
    """One running service process and its background tasks."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self.service, self.settings = service, settings
        self.database = Database(service.name, settings, service.kinds)
        self.metrics = Metrics(service.name, {each.name: each.about for each in service.backlog})
        self.tracing = Tracing(service.name, settings.traces)
        self.broker = make_broker(settings, f"{service.name}-{settings.replica}")
        self.consumers = [self._consumer(topic) for topic in service.handlers.topics]
        self.relay = Relay(settings, self.database, self.metrics, gather_seconds=service.gather_seconds)
        self.timers = TimerWorker(
            self.database, service.handlers, self.metrics, self.tracing, lanes=settings.database_pool // 2
        )
        self.health = Health(self.database)
        self.stopping = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, str | None] = {}
        self.app = self._http()

    def _consumer(self, topic: str) -> TopicConsumer:
        processor = BatchProcessor(
            service=self.service.name,
            topic=topic,
            group=group_name(self.settings, self.service.name, topic),
            handlers=self.service.handlers,
            database=self.database,
            metrics=self.metrics,
            tracing=self.tracing,
            most=self.settings.batch_max_records,
        )
        return TopicConsumer(
            self.settings, self.broker, processor, self.metrics, unhurried=topic in self.service.unhurried
        )

    def _consuming(self) -> bool:
        return any(consumer.busy for consumer in self.consumers)

    def _http(self) -> FastAPI:
        settings = self.settings
        app = FastAPI(
            title=f"Mentoring Platform: {self.service.name}",
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
            telemetry={
                "tracing": False,
                "metrics": False,
                "logs": False,
            },  # ours are :mod:`shared.messaging`'s
        )
        install_error_answers(app)
        authenticator = Authenticator(
            issuer=settings.auth_issuer,
            audience=settings.auth_audience,
            jwks_file=settings.auth_jwks_file,
            jwks_url=settings.auth_jwks_url,
        )
        install_state(app, self.database, authenticator)
        app.state.tracing = self.tracing
        redrive = Redrive(settings, self.service.name, self.service.handlers, self.database)
        management = management_api(
            self.service, self.database, self.consumers, self.relay, self.timers, redrive
        )
        for router in (
            open_routes(self.health, self.metrics, self.database, self.service.backlog),
            management.router,
            self.service.api.router,
        ):
            # As the app's own: an included router is searched twice for each request (FastAPI 0.165).
            app.router.routes.extend(router.routes)
        app.add_middleware(Limits, max_body_bytes=settings.http_max_body_bytes, measure=self.metrics.request)
        return app

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then stop gracefully."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        server = _Server(
            uvicorn.Config(
                self.app,
                host=self.settings.http_host,
                port=self.settings.http_port,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=5,
            )
        )
        http = asyncio.create_task(server.serve(), name="http")
        starting = asyncio.create_task(self._start(), name="start")
        stopped = asyncio.create_task(self.stopping.wait(), name="stopped")
        await asyncio.wait({http, stopped}, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        try:
            async with asyncio.timeout(self.settings.shutdown_seconds):
                await self._stop()
        except TimeoutError:
            log.warning("stopping took too long; what is left will be done again after the next start")
        server.should_exit = True
        stopped.cancel()
        await http
        await self.database.close()
        self.tracing.close()
        log.info("stopped")

    async def _start(self) -> None:
        await self._wait_until("schema", self._schema_ready)
        self._spawn("relay", self.relay.run, lambda: self.relay.waiting_for)
        self._spawn("timers", self.timers.run, lambda: self.timers.waiting_for)
        context = WorkerContext(self.settings, self.database, self.stopping, self._consuming)
        own = Worker("janitor", run_janitor), Worker("collector", run_collector)
        for worker in (*self.service.workers, *own):
            self._spawn(worker.name, lambda worker=worker: self._supervise(worker, context), lambda: None)  # type: ignore[misc]
        await self._wait_until("kafka", self._broker_started)
        for consumer in self.consumers:
            self.health.tasks[f"consumer {consumer.topic}"] = lambda consumer=consumer: (  # type: ignore[misc]
                consumer.alive,
                consumer.waiting_for,
            )
        self.health.started = True
        log.info("started", topics=[consumer.topic for consumer in self.consumers])

    def _spawn(
        self, name: str, run: Callable[[], Awaitable[None]], waiting_for: Callable[[], str | None]
    ) -> None:
        async def body() -> None:
            await run()

        task = asyncio.create_task(body(), name=name)
        self._tasks[name] = task
        self.health.tasks[name] = lambda: (not task.done(), waiting_for())

    async def _supervise(self, worker: Worker, context: WorkerContext) -> None:
        failures = 0
        while not self.stopping.is_set():
            try:
                await worker.run(context)
                return
            except Exception as error:  # noqa: BLE001 - a worker is started again after every failure
                failures += 1
                log.warning(
                    "worker failed", worker=worker.name, error=type(error).__name__, failures=failures
                )
                await self._sleep(backoff(failures, first=0.1, longest=5))

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def _wait_until(self, name: str, attempt: Callable[[], Awaitable[str | None]]) -> None:
        """Try until it succeeds, with backoff; say once that and why it waits."""
        said: str | None = None
        delay = 0.1
        self.health.tasks[name] = lambda: (True, self._waiting.get(name))
        while (problem := await attempt()) is not None:
            self._waiting[name] = problem
            if problem != said:
                log.warning("waiting", waiting_for=name, why=problem)
                said = problem
            await asyncio.sleep(delay)
            delay = min(2.0, delay * 1.5)
        del self.health.tasks[name]

    async def _schema_ready(self) -> str | None:
        ready, why = await self.health.ready()
        return None if ready else why

    async def _broker_started(self) -> str | None:
        # Asked first, because a broker that fails to start leaves an open producer behind (FastStream 0.7.8).
        if why := await refusal(self.settings):
            return why
        try:
            await self.broker.start()
        except Exception as error:  # noqa: BLE001 - a broker that is down at start is waited for
            with contextlib.suppress(Exception):
                await self.broker.stop()
            return str(error) or type(error).__name__
        return None

    async def _stop(self) -> None:
        log.info("stopping")
        self.health.stopping = True
        await asyncio.gather(*(consumer.drain() for consumer in self.consumers))
        failpoint("in_graceful_stop")
        await self.broker.stop()
        self.timers.stop()
        await self._join(*(name for name in self._tasks if name != "relay"))
        await self._send_rest()
        self.relay.stop()
        await self._join("relay")

    async def _send_rest(self) -> None:
        """Give the relay a moment to send what the last transactions said."""
        deadline = time.monotonic() + self.settings.shutdown_seconds / 2
        while "relay" in self._tasks and self.relay.waiting_for is None and time.monotonic() < deadline:
            if self.relay.idle:
                return
            self.database.outbox_written.set()
            await asyncio.sleep(0.02)

    async def _join(self, *names: str) -> None:
        tasks = [self._tasks[name] for name in names if name in self._tasks]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=self.settings.shutdown_seconds / 4)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def serve(service: Service, settings: Settings) -> None:
    """Run *service* in this event loop until it is told to stop."""
    await Process(service, settings).run()
