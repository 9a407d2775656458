"""What a service is made of, declared once in its ``main`` module."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.http.api import Api
from shared.messaging.handlers import Handlers
from shared.persistence.database import Database
from shared.persistence.kinds import Kind
from shared.persistence.uow import Uow
from shared.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Worker:
    """A background task of a service besides consuming, relaying and timers.

    ``run(context)`` runs until cancelled or ``context.stopping`` is set; the runtime restarts it with
    backoff when it raises.
    """

    name: str
    run: Callable[["WorkerContext"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What a worker may use."""

    settings: Settings
    database: Database
    stopping: asyncio.Event
    consuming: Callable[[], bool] = lambda: False
    """Whether events are being handled; work that can wait gives way to them."""


Summary = Callable[[Uow], Awaitable[dict[str, int]]]
"""Counts without content, for ``GET /management/summary``."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """A number that an operator has to see at 0, over all tenants: in metrics, status and the health page."""

    name: str
    about: str
    sql: str
    """A ``SELECT`` of one number, on what the plumbing role may see."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its name, rows, handlers, routes and workers.

    Of the ``unhurried`` topics nobody waits for the effect of an event: while many come, they are left to gather.
    Likewise ``gather_seconds`` is how long the relay lets gather what the service says, but for the first of it.
    """

    name: str
    kinds: Sequence[Kind[Any]]
    handlers: Handlers
    api: Api
    summary: Summary
    workers: Sequence[Worker] = field(default=())
    backlog: Sequence[Backlog] = field(default=())
    unhurried: Collection[str] = field(default=())
    gather_seconds: float = 0.01
