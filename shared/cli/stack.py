"""``mentoring up``, ``down`` and ``token``: the embedded stack on this machine."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shared.cli import local
from shared.cli.options import DataDir, TenantOption
from shared.cli.output import AsJson, err, fail, print_json, print_line, print_table, say
from shared.cli.target import SUBJECT, local_target
from shared.contracts import SERVICES

if TYPE_CHECKING:
    from shared.cli.local import LocalStack


def up(
    data_dir: DataDir = None,
    replicas: Annotated[int, typer.Option(min=1, max=8, help="Processes of each service.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Start Kafka, PostgreSQL, a mail sink and all services on this machine, and leave them running.

    The folder (--data-dir) keeps data, logs and mails for the next start. When the stack is up already, this
    says where. Nothing of it is for production.
    """
    with local.embedded():
        place = local.find_place(data_dir)
        if place is not None:
            stack = asyncio.run(local.load(place.data_dir))
            stopped = [name for name, running in local.parts(stack).items() if not running]
            if len(stopped) < len(local.parts(stack)):
                _say_running(stack, stopped, data_dir, as_json=as_json)
                return
        stack = asyncio.run(_start(data_dir, replicas))
    _show(stack, "started", data_dir, as_json=as_json)


def down(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Stop the local stack, and nothing else. What it has stored stays, and `mentoring up` goes on from there."""
    with local.embedded():
        place = local.find_place(data_dir)
        if place is None:
            folder = data_dir or local.default_data_dir()
            _say_down("not running", folder, f"No stack runs in {folder}.", as_json=as_json)
            return
        asyncio.run(_stop(place.data_dir))
    sentence = f"Stopped. The data are kept in {place.data_dir}."
    _say_down("stopped", place.data_dir, sentence, as_json=as_json)


def token(
    subject: Annotated[str, typer.Option(help="Who: a person id, or the name of a program.")] = SUBJECT,
    role: Annotated[
        list[str] | None,
        typer.Option("--role", "-r", help="admin, operator, privacy or hr; may be repeated."),
    ] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=24.0, help="How long it is valid.")] = 1.0,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print a bearer token for the local stack. Elsewhere the company's own issuer gives them out."""
    target = local_target(tenant, data_dir)
    text = target.sign(subject, role or [], int(hours * 3600))
    if as_json:
        print_json({"token": text, "subject": subject, "tenant": target.tenant, "roles": role or []})
    else:
        print(text)


def _say_down(state: str, data_dir: Path, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"state": state, "data_dir": str(data_dir)})
    else:
        print_line(sentence)


async def _start(data_dir: Path | None, replicas: int) -> "LocalStack":
    with err.status("starting the stack"):
        return await local.start(data_dir, SERVICES, replicas, _progress())


async def _stop(data_dir: Path) -> None:
    with err.status("stopping the stack"):
        stack = await local.load(data_dir)
        await stack.stop()


def _progress() -> Callable[[str], None]:
    """Says each step with the seconds since the beginning."""
    began = time.monotonic()
    return lambda step: say(f"{time.monotonic() - began:6.1f} s  {step}")


def _say_running(stack: "LocalStack", stopped: list[str], data_dir: Path | None, *, as_json: bool) -> None:
    if stopped:
        fail(
            f"A stack runs in {stack.data_dir}, but without {', '.join(stopped)}:"
            f" `mentoring down{_again(data_dir)}`, then start it again. The logs are in {stack.data_dir / 'logs'}."
        )
    if not as_json:
        say(f"The stack is up already in {stack.data_dir}.")
    _show(stack, "running", data_dir, as_json=as_json)


def _show(stack: "LocalStack", state: str, data_dir: Path | None, *, as_json: bool) -> None:
    replicas = [process for replicas in stack.services.values() for process in replicas]
    rows: list[dict[str, Any]] = [{"part": process.name, "address": process.url} for process in replicas]
    rows += [
        {"part": f"Kafka {stack.kafka.version}", "address": stack.kafka.bootstrap_servers},
        {
            "part": f"PostgreSQL {stack.postgres.version}",
            "address": f"{stack.postgres.host}:{stack.postgres.port}",
        },
        {"part": "mail sink", "address": f"127.0.0.1:{stack.mail_server.port}"},
    ]
    if as_json:
        print_json({"state": state, "data_dir": str(stack.data_dir), "parts": rows})
        return
    print_table(rows, ("part", "address"))
    print_line(f"\nData, logs and mails are in {stack.data_dir}. Next:")
    again = _again(data_dir)
    for command, about in (
        (
            "init --name Acme --coordinator E1 --programme first",
            "the first organisation, coordinator and programme",
        ),
        ("status", "how the services do"),
        ("events tail --from-start", "what they say"),
        ("down", "stop everything"),
    ):
        print_line(f"  {f'mentoring {command}{again}':<62}  {about}")


def _again(data_dir: Path | None) -> str:
    return f" --data-dir {data_dir}" if data_dir else ""
