"""What a service is made of, declared once in its ``main`` module."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
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
    """One service: its name, rows, handlers, routes and workers."""

    name: str
    kinds: Sequence[Kind[Any]]
    handlers: Handlers
    api: Api
    summary: Summary
    workers: Sequence[Worker] = field(default=())
    backlog: Sequence[Backlog] = field(default=())
