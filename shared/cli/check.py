"""``mentoring check``: the proof that nothing was lost and nothing doubled, from all databases and topics."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from shared.cli import local
from shared.cli.options import DataDir
from shared.cli.output import AsJson, err, fail, print_json, print_line
from shared.cli.target import Target, find_target
from shared.contracts import SERVICES

if TYPE_CHECKING:
    from shared.check import Report

_EXIT: Final = {"ok": 0, "violated": 1, "not at rest": 3}


def check(
    wait: Annotated[float, typer.Option(min=0.0, help="Seconds to wait until nothing is under way.")] = 0.0,
    ledger: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="A driver's requests and their outcomes.", show_default=False
        ),
    ] = None,
    mails: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="What a mail server kept; a local stack's own.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Prove from all databases and topics that nothing was lost, doubled, early, stuck or mixed up.

    It reads and changes nothing. The services may run or be stopped; Kafka and PostgreSQL must run. Exit code 0:
    everything holds; 1: something does not; 3: something is under way, so nothing was judged (see --wait).

    Elsewhere than on a local stack, MENTORING_CHECK_PROFILES_DSN and so on (or the same with _FILE) say for each
    service how to log in to its database as the role that may only read.
    """  # fmt: skip
    from shared.check import CheckError

    target = find_target(None, data_dir)
    try:
        with err.status("checking"):
            report = asyncio.run(_check(target, wait, ledger, mails))
    except CheckError as error:
        if target.local:
            fail(f"{error} `mentoring up` starts what is stopped.", 2)
        fail(str(error), 2)
    if as_json:
        print_json({"target": target.where, **report.document()})
    else:
        print_line(report.render())
    raise typer.Exit(_EXIT[report.verdict])


async def _check(target: Target, wait: float, ledger: Path | None, mails: Path | None) -> "Report":
    from shared.check import Sources, check
    from shared.messaging.kafka import connection

    settings = target.kafka()
    if target.data_dir is not None:
        databases, kept = await local.databases(target.data_dir)
        mails = mails or (kept if kept.is_dir() else None)
    else:
        databases = _databases_of_environment()
    sources: Sources = Sources(
        databases=databases,
        kafka=connection(settings),
        topic_prefix=settings.kafka_topic_prefix,
        group_prefix=settings.kafka_group_prefix,
        ledger=ledger,
        mails=mails,
        wait=wait,
        retention=timedelta(days=int(os.environ.get("MENTORING_RETENTION_DAYS", "45"))),
    )
    return await check(sources)


def _databases_of_environment() -> dict[str, str]:
    found = {service: dsn for service in SERVICES if (dsn := _dsn(f"MENTORING_CHECK_{service.upper()}_DSN"))}
    missing = [service for service in SERVICES if service not in found]
    if missing:
        names = ", ".join(f"MENTORING_CHECK_{service.upper()}_DSN" for service in missing)
        fail(f"Where are the databases? Set {names} (or the same with _FILE).", 2)
    return found


def _dsn(variable: str) -> str:
    if dsn := os.environ.get(variable, "").strip():
        return dsn
    if not (path := os.environ.get(f"{variable}_FILE")):
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        fail(f"The file {path} ({variable}_FILE) cannot be read: {type(error).__name__}.", 2)
