"""``mentoring status``: how every service does, for a person on call or for a script."""

import asyncio
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shared.cli.options import DataDir, TenantOption
from shared.cli.output import AsJson, duration, fail, make_table, out, print_json, print_line, show_table
from shared.cli.target import Target, find_target
from shared.contracts import TOPICS

if TYPE_CHECKING:
    from shared.cli.health import Health, Report


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again; Ctrl-C ends it.")] = False,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks of --watch.")] = 2.0,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """How every service does: readiness, backlog, lag, dead letters. Exit code 1 when something is not healthy.

    The columns: records behind on all topics, events not sent yet and the age of the oldest, timers that are
    due and how late the oldest is, open dead letters.

    Not healthy: no answer, not ready, a task that waits or has ended, Kafka unreachable, an event unsent for
    30 seconds, a timer 15 minutes late, 10,000 records behind on a topic, an open dead letter.
    """
    from shared.cli.health import examine

    if watch and as_json:
        fail("--watch is for people; call it again for the next document.", 2)
    target = find_target(tenant, data_dir)
    if watch:
        report = _watch(target, every)
    else:
        report = asyncio.run(examine(target))
        if as_json:
            print_json({"target": target.where, **report.document()})
        else:
            for table in _tables(report):
                show_table(table)
                print_line("")
            for sentence in report.problems or ["All services are healthy."]:
                print_line(sentence)
    raise typer.Exit(0 if report.healthy else 1)


def _watch(target: Target, every: float) -> "Report":
    from shared.cli.health import examine

    report = asyncio.run(examine(target))
    try:
        with Live(_page(report), console=out, auto_refresh=False, screen=out.is_terminal) as live:
            while True:
                time.sleep(every)
                report = asyncio.run(examine(target))
                live.update(_page(report), refresh=True)
    except KeyboardInterrupt:
        return report


def _page(report: "Report") -> RenderableType:
    lines = [Text(sentence) for sentence in report.problems or ["All services are healthy."]]
    tables: list[RenderableType] = []
    for table in _tables(report):
        tables += [table, Text("")]
    return Group(
        *tables, *lines, Text(""), Text(time.strftime("%H:%M:%S") + "   Ctrl-C ends it", style="dim")
    )


def _tables(report: "Report") -> list[Table]:
    columns = ("service", "ready", "live", "schema", "lag", "outbox", "oldest", "timers", "late", "dead")
    tables = [make_table([_row(health) for health in report.services], columns)]
    if lag := _lag_rows(report):
        tables.append(make_table(lag, list(lag[0]), title="Records behind"))
    return tables


def _row(health: "Health") -> dict[str, object]:
    backlog = health.backlog
    schemas = {replica.schema for replica in health.replicas}
    oldest, late = backlog.get("outbox_oldest_seconds"), backlog.get("timers_oldest_seconds")
    return {
        "service": Text(health.service, style="" if health.healthy else "red"),
        "ready": _of(health, [replica.ready for replica in health.replicas]),
        "live": _of(health, [replica.live for replica in health.replicas]),
        "schema": ", ".join(schema or "?" for schema in sorted(schemas, key=str)),
        "lag": "?" if health.lag is None else sum(health.lag.values()),
        "outbox": backlog.get("outbox_pending", "?"),
        "oldest": "?" if oldest is None else duration(oldest),
        "timers": backlog.get("timers_due", "?"),
        "late": "?" if late is None else duration(late),
        "dead": backlog.get("dead_letters_open", "?"),
    }


def _of(health: "Health", answers: list[bool | None]) -> Text:
    """``yes`` or ``no``; how many of how many when there are several replicas; ``?`` without an answer."""
    if len(answers) > 1:
        good = sum(answer is True for answer in answers)
        return Text(f"{good} of {len(answers)}", style="" if good == len(answers) else "red")
    words = {True: Text("yes"), False: Text("no", style="red"), None: Text("?", style="red")}
    return words[answers[0]]


def _lag_rows(report: "Report") -> list[dict[str, object]]:
    """One row a topic that somebody reads, one column a service; ``-`` where it does not."""
    behind = {health.service: health.lag or {} for health in report.services}
    return [
        {"topic": topic.name} | {service: behind[service].get(topic.name, "-") for service in behind}
        for topic in TOPICS
        if any(topic.name in lag for lag in behind.values())
    ]
