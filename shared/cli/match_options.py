"""What the commands of ``mentoring match`` share: their options, and asking as a coordinator."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from shared.cli.client import ServiceProblem
from shared.cli.output import fail
from shared.cli.runs import Runs
from shared.cli.target import Target, find_target

T = TypeVar("T")

Programme = Annotated[
    str, typer.Argument(metavar="PROGRAMME", help="Id of the programme.", show_default=False)
]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.", show_default=False)]
Mentee = Annotated[str, typer.Argument(metavar="MENTEE", help="Person id of the mentee.", show_default=False)]
Mentor = Annotated[str, typer.Argument(metavar="MENTOR", help="Person id of the mentor.", show_default=False)]
Employee = Annotated[
    bool, typer.Option("--employee", help="MENTEE and MENTOR are the numbers that HR knows them by.")
]
Coordinator = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ID",
        help="On the local stack: the coordinator who asks; by default one of the programme.",
        show_default=False,
    ),
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")]
Limit = Annotated[int, typer.Option(min=0, help="At most so many; 0 for all.")]


def target_of(tenant: str | None, data_dir: Path | None) -> Target:
    target = find_target(tenant, data_dir)
    target.urls_of("matching")
    return target


def asked(target: Target, coordinator: str | None, work: Callable[[Runs], Awaitable[T]]) -> T:
    async def ask() -> T:
        async with Runs(target, coordinator) as runs:
            return await work(runs)

    try:
        return asyncio.run(ask())
    except ServiceProblem as problem:
        fail(str(problem))
