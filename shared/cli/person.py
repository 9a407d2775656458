"""``mentoring person``: what the platform holds about somebody, and forgetting them."""

import asyncio
from typing import Annotated, Any

import typer

from shared.cli.client import ServiceProblem
from shared.cli.options import DataDir, TenantOption, Yes
from shared.cli.output import AsJson, agreed, fail, print_json, print_line, print_table, say
from shared.cli.personal import erase_person, export_person, listed_erasures
from shared.cli.target import Target, find_target
from shared.contracts import person_id

person_app = typer.Typer(
    no_args_is_help=True, help="One person's data: export it, erase it. Needs the role `privacy`."
)

Identity = Annotated[str, typer.Argument(metavar="ID", help="The person's id.", show_default=False)]
Employee = Annotated[bool, typer.Option("--employee", help="ID is the number that HR knows the employee by.")]


@person_app.command()
def export(
    identity: Identity,
    employee: Employee = False,
    own: Annotated[
        bool,
        typer.Option(
            "--own", help="On the local stack: ask as the person, whom nothing of their own is kept from."
        ),
    ] = False,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
) -> None:
    """Print one JSON document with all that each service holds about a person.

    What is held and not shown is named under `withheld`, with the reason: the person's own words in feedback
    are for a token of the person. Exit code 1 when a service could not be asked: then the document is not whole.
    """
    target = find_target(tenant, data_dir)
    who = _person(target, identity, employee=employee)
    document = asyncio.run(export_person(target, who, own=own))
    print_json(document)
    for problem in document["not_asked"].values():
        say(problem)
    raise typer.Exit(1 if document["not_asked"] else 0)


@person_app.command()
def erase(
    identity: Identity,
    employee: Employee = False,
    yes: Yes = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Wait so many seconds for the services to confirm.")
    ] = 30.0,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Forget a person in all services, for good. May be repeated: it then tells where the erasure stands.

    Names, address, profile, consents and all words by and about the person go at once; pairs end, and partners
    are told that the pair has ended, without a reason; mails that wait for the person are cancelled. Ids,
    counts and ratings stay. Topics forget within 7 days. HR's data do not bring the person back, unless they
    tell of a new employment that began after the day of the erasure.

    Exit code 1 when a service has not confirmed within the time.
    """
    target = find_target(tenant, data_dir)
    who = _person(target, identity, employee=employee)
    target.urls_of("profiles")
    if not yes:
        say("All services forget the person for good; open proposals and pairs end. It cannot be undone.")
        if not agreed(f"Erase {who} of {target.tenant}?"):
            fail("Nothing was done.")
    erasure = _asked(erase_person(target, who, wait))
    if as_json:
        print_json(erasure)
    else:
        _print_erasure(erasure)
    raise typer.Exit(1 if erasure["missing"] else 0)


@person_app.command()
def erasures(
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only those that a service has not confirmed in time.")
    ] = False,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List erasures and where they stand: ids and moments only. The role `operator` may do this too."""
    target = find_target(tenant, data_dir)
    found = _asked(listed_erasures(target, overdue=overdue))
    if as_json:
        print_json(found)
    elif found:
        rows = [{**each, "missing": ", ".join(each["missing"])} for each in found]
        print_table(rows, ("person_id", "status", "requested_at", "confirm_by", "gone_by", "missing"))
    else:
        print_line("No overdue erasures." if overdue else "No erasures.")


def _person(target: Target, identity: str, *, employee: bool) -> str:
    return person_id(target.tenant, identity) if employee else identity


def _asked(work: Any) -> Any:
    try:
        return asyncio.run(work)
    except ServiceProblem as problem:
        fail(str(problem))


def _print_erasure(erasure: dict[str, Any]) -> None:
    rows = [
        {
            "service": receipt["service"],
            "erased_at": receipt["erased_at"],
            "what": ", ".join(f"{what} {number}" for what, number in sorted(receipt["counts"].items()))
            or "-",
        }
        for receipt in erasure["receipts"]
    ]
    print_table(rows, ("service", "erased_at", "what"))
    if missing := erasure["missing"]:
        print_line(
            f"Not confirmed yet by {', '.join(missing)}: they should by {erasure['confirm_by']}."
            " Repeat this command to look again."
        )
    else:
        print_line(f"Every service has forgotten the person. Topics will have by {erasure['gone_by']}.")
