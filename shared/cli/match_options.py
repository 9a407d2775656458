"""What the commands of ``mentoring match`` share: their options, and asking as a coordinator."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer

from shared.cli.client import ServiceProblem
from shared.cli.options import DataDir, TenantOption
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


@dataclass(frozen=True, slots=True)
class Asking:
    """As whom, and whom, a command asks."""

    target: Target
    coordinator: str | None

    def __call__(self, work: Callable[[Runs], Awaitable[T]]) -> T:
        """What *work* finds out; a problem that the service states ends the command."""

        async def ask() -> T:
            async with Runs(self.target, self.coordinator) as runs:
                return await work(runs)

        try:
            return asyncio.run(ask())
        except ServiceProblem as problem:
            fail(str(problem))


def _options(coordinator: Coordinator = None, tenant: TenantOption = None, data_dir: DataDir = None) -> None:
    """What every command has beside its own options."""


def for_coordinators(command: Callable[..., None]) -> Callable[..., None]:
    """A command with these options, which is given them as its first argument, an :class:`Asking`."""
    own = list(inspect.signature(command).parameters.values())[1:]
    common = inspect.signature(_options).parameters

    @wraps(command)
    def asking(**given: Any) -> None:
        coordinator, tenant, data_dir = (given.pop(name) for name in common)
        target = find_target(tenant, data_dir)
        target.urls_of("matching")
        command(Asking(target, coordinator), **given)

    parameters = [*own, *common.values()]
    asking.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in parameters]
    )
    return asking
