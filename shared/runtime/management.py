"""Routes that every service has: health and metrics for everyone, status and dead letters for operators."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import APIRouter, FastAPI, Query, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.http.api import Api, CurrentCall, CurrentCaller
from shared.http.rules import OPERATOR
from shared.messaging.consumer import TopicConsumer
from shared.messaging.metrics import Metrics
from shared.messaging.redrive import Redrive
from shared.messaging.relay import Relay
from shared.messaging.timer_worker import TimerWorker
from shared.persistence.database import Database
from shared.runtime.health import Health
from shared.runtime.service import Backlog, Service

_COUNTS = sa.text(
    "SELECT (SELECT count(*) FROM outbox) AS outbox_pending,"
    " (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0) FROM outbox)"
    "   AS outbox_oldest_seconds,"
    " (SELECT count(*) FROM timer WHERE due_at <= app_now()) AS timers_due,"
    " (SELECT coalesce(extract(epoch FROM app_now() - min(due_at)), 0) FROM timer WHERE due_at <= app_now())"
    "   AS timers_oldest_seconds,"
    " (SELECT count(*) FROM timer) AS timers_pending,"
    " (SELECT count(*) FROM dead_letter WHERE state = 'open') AS dead_letters_open,"
    " app_now() AS business_time"
)


async def counts(database: Database, more: Sequence[Backlog] = ()) -> dict[str, Any]:
    """Backlog across all tenants, as the plumbing role sees it, with the service's own numbers."""
    async with database.plumbing_transaction() as connection:
        row = (await connection.execute(_COUNTS)).one()
        own = {each.name: await connection.scalar(sa.text(each.sql)) for each in more}
    return {
        **own,
        "outbox_pending": row.outbox_pending,
        "outbox_oldest_seconds": round(float(row.outbox_oldest_seconds), 3),
        "timers_due": row.timers_due,
        "timers_oldest_seconds": round(float(row.timers_oldest_seconds), 3),
        "timers_pending": row.timers_pending,
        "dead_letters_open": row.dead_letters_open,
        "business_time": row.business_time.isoformat(),
    }


def open_routes(
    health: Health, metrics: Metrics, database: Database, backlog: Sequence[Backlog] = ()
) -> APIRouter:
    """Health and metrics: no token, no content."""
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> Response:
        alive, details = health.live()
        return JSONResponse({"live": alive, "tasks": details}, 200 if alive else 503)

    @router.get("/health/ready")
    async def ready() -> Response:
        is_ready, why = await health.ready()
        return JSONResponse({"ready": is_ready, "why": why}, 200 if is_ready else 503)

    @router.get("/health/startup")
    async def startup() -> Response:
        return JSONResponse({"started": health.started}, 200 if health.started else 503)

    @router.get("/metrics")
    async def scrape() -> Response:
        now = await counts(database, backlog)
        for name, gauge in metrics.gauges.items():
            gauge.labels(metrics.service).set(now[name])
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def management_api(
    service: Service,
    database: Database,
    consumers: list[TopicConsumer],
    relay: Relay,
    timers: TimerWorker,
    redrive: Redrive,
) -> Api:
    """What an operator may see and do; no route shows content."""
    api = Api()

    @api.get("/management/status", allow=[OPERATOR], detached=True)
    async def status(caller: CurrentCaller) -> dict[str, Any]:
        """Backlog, consumers, relay and timers of this process. Counts are over all tenants, without content."""
        return {
            "service": service.name,
            **await counts(database, service.backlog),
            "consumers": [await consumer.state() for consumer in consumers],
            "relay_waiting_for": relay.waiting_for,
            "timers_waiting_for": timers.waiting_for,
        }

    @api.get("/management/summary", allow=[OPERATOR])
    async def summary(call: CurrentCall) -> dict[str, int]:
        """Counts of this service's rows in the caller's tenant, for balancing one service against another."""
        return await service.summary(call.uow)

    @api.get("/management/dead-letters", allow=[OPERATOR], detached=True)
    async def dead_letters(
        caller: CurrentCaller,
        state: Literal["open", "redriven", "discarded"] = "open",
        unattributed: bool = False,
        after: Annotated[str | None, Query(max_length=140)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, Any]:
        """One page of dead letters, oldest first: ids and reasons, never content.

        ``unattributed``: those that name no tenant. ``after``: the ``next`` of the page before.
        """
        return await redrive.listing(caller.tenant, state, after, limit, unattributed=unattributed)

    @api.post("/management/dead-letters/{dead_letter_id}/redrive", allow=[OPERATOR], detached=True)
    async def redrive_one(
        caller: CurrentCaller, dead_letter_id: str, dry_run: bool = False
    ) -> dict[str, Any]:
        """Handle the original record once more, here; it is never published again."""
        return await redrive.redrive(caller, dead_letter_id, dry_run=dry_run)

    @api.post("/management/dead-letters/{dead_letter_id}/discard", allow=[OPERATOR], detached=True)
    async def discard_one(caller: CurrentCaller, dead_letter_id: str) -> dict[str, Any]:
        """Settle a dead letter without handling it."""
        return await redrive.discard(caller, dead_letter_id)

    return api


def install_state(app: FastAPI, database: Database, authenticator: Any) -> None:
    app.state.database = database
    app.state.authenticator = authenticator
