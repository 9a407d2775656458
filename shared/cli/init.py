"""``mentoring init``: the first organisation, its coordinator and a programme, over public routes and events."""

import asyncio
from typing import Annotated

import typer

from shared.cli.options import DataDir, TenantOption
from shared.cli.output import AsJson, fail, print_json, print_line
from shared.cli.target import find_target


def init(
    coordinator: Annotated[
        str, typer.Option(help="HR's employee id of the first coordinator.", show_default=False)
    ],
    programme: Annotated[
        str, typer.Option(help="Id of the programme, for instance leadership.", show_default=False)
    ],
    tenant: TenantOption = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the organisation; the tenant's id.", show_default=False)
    ] = None,
    time_zone: Annotated[
        str, typer.Option(help="The organisation's own zone, such as Europe/Berlin.")
    ] = "UTC",
    programme_name: Annotated[
        str | None, typer.Option(help="Name of the programme; its id.", show_default=False)
    ] = None,
    given_name: Annotated[str, typer.Option(help="The coordinator's, until HR says it.")] = "Programme",
    family_name: Annotated[str, typer.Option(help="The coordinator's, until HR says it.")] = "Coordinator",
    email: Annotated[
        str | None,
        typer.Option(
            help="The coordinator's, until HR says it; an address that exists nowhere.", show_default=False
        ),
    ] = None,
    wait: Annotated[float, typer.Option(min=1.0, help="Seconds to wait for the services.")] = 60.0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Set up the first organisation, coordinator and programme. It can be repeated.

    The organisation gets the name and zone given here. What else is there already stays: a coordinator whom
    HR has recorded, and a programme's configuration. Needs a token with the roles admin, hr and operator
    (MENTORING_TOKEN); for the local stack it makes its own.
    """
    from shared.cli.first_steps import FirstSteps, Wish

    target = find_target(tenant, data_dir)
    wish = Wish(
        tenant=target.tenant,
        name=name or target.tenant,
        time_zone=time_zone,
        coordinator=coordinator,
        given_name=given_name,
        family_name=family_name,
        email=email,
        programme=programme,
        programme_name=programme_name or programme,
    )
    if problems := wish.problems():
        fail("\n".join(problems), 2)
    steps = asyncio.run(FirstSteps.take(target, wish, wait, say=(lambda _: None) if as_json else print_line))
    if as_json:
        print_json(steps)
