"""``mentoring dlq``: list the dead letters of all services, look at one, redrive or discard them."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from shared.cli.client import ServiceProblem, Services
from shared.cli.dead_letters import Letter, Listing, Outcome, listed, settled
from shared.cli.options import DataDir, TenantOption, Yes
from shared.cli.output import AsJson, agreed, counted, err, fail, print_json, print_line, say
from shared.cli.target import Target, find_target
from shared.contracts import SERVICES

dlq_app = typer.Typer(no_args_is_help=True, help="Dead letters: records that a service could not accept.")


class State(StrEnum):
    """Where a dead letter stands."""

    OPEN = "open"
    REDRIVEN = "redriven"
    DISCARDED = "discarded"


def _known(service: str | None) -> str | None:
    if service is not None and service not in SERVICES:
        raise typer.BadParameter(f"there are {', '.join(SERVICES)}")
    return service


OneService = Annotated[
    str | None,
    typer.Option("--service", callback=_known, help="Only of this service.", show_default=False),
]
OneReason = Annotated[
    str | None, typer.Option("--reason", help="Only those with this reason.", show_default=False)
]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="All open ones (of --service, with --reason).")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and do nothing.")]
"""``--dry-run`` decodes the record as it would be handled; the handler itself is not called."""


@dlq_app.command("list")
def list_letters(
    service: OneService = None,
    reason: OneReason = None,
    state: Annotated[State, typer.Option(help="Which ones.")] = State.OPEN,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each service.")] = 100,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List dead letters, oldest first: ids and reasons, never content.

    Those that name no readable tenant are listed for every operator. Exit code 1 when a service could not
    be asked.
    """
    target = find_target(tenant, data_dir)

    listing = _listed(target, service, state, reason, limit)
    letters, problems = listing.letters, listing.problems
    if as_json:
        print_json([letter.document() for letter in letters])
    for line in [] if as_json else [line for letter in letters for line in letter.lines()]:
        print_line(line)
    if not as_json and not problems:
        print_line(
            f"{counted(len(letters), f'{state} dead letter')}." if letters else f"No {state} dead letters."
        )
    if listing.cut:
        say("There may be more: --limit shows them.")
    for problem in problems:
        say(problem)
    raise typer.Exit(1 if problems else 0)


@dlq_app.command()
def show(
    identity: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    service: OneService = None,
    personal: Annotated[
        bool, typer.Option("--personal", help="Show the content as it came, and key and headers in full.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show one dead letter from its topic: ids, reason, origin and headers; the content only when asked."""
    from shared.cli.dead_record import describe, find_record
    from shared.cli.kafka import sentences

    target = find_target(None, data_dir)
    settings = target.kafka()
    with sentences(settings):
        found = asyncio.run(find_record(settings, _selected(target, service), identity))
    if found is None:
        fail("There is no such dead letter on the topics: a wrong id, or older than they keep (7 days).")
    document = describe(*found, personal=personal)
    if as_json:
        print_json(document)
        return
    for name, value in document.items():
        _print_entry(name, value)
    if not personal:
        say("The content may be personal: --personal shows it.")


@dlq_app.command()
def redrive(
    ids: Ids = None,
    all_: All = False,
    service: OneService = None,
    reason: OneReason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Have records handled once more, inside the service that refused them; nothing is published again.

    With --dry-run the service reads and checks the record, and does not call its handler. Exit code 1 when
    some were refused again.
    """
    target = find_target(tenant, data_dir)
    _settle(target, "redrive", ids or [], all_, service, reason, dry_run=dry_run, yes=yes, as_json=as_json)


@dlq_app.command()
def discard(
    ids: Ids = None,
    all_: All = False,
    service: OneService = None,
    reason: OneReason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Settle dead letters without handling them. Their records stay on the topic until they expire."""
    target = find_target(tenant, data_dir)
    _settle(target, "discard", ids or [], all_, service, reason, dry_run=dry_run, yes=yes, as_json=as_json)


def _settle(
    target: Target,
    action: str,
    ids: list[str],
    all_: bool,
    service: str | None,
    reason: str | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    if bool(ids) == all_:
        fail(f"Say which to {action}: ids, or --all.", 2)

    listing = _listed(target, service, State.OPEN, reason, None)
    letters, problems = listing.letters, listing.problems
    if ids:
        letters = _chosen(letters, ids, problems)
    for problem in problems:
        say(problem)
    if all_ and letters and not dry_run and not yes:
        _confirm(action, letters)
    outcomes = asyncio.run(_work(target, action, letters, dry_run=dry_run, quiet=as_json))
    if as_json:
        print_json([outcome.document() for outcome in outcomes])
    else:
        _print_outcomes(outcomes, brief=all_)
    raise typer.Exit(1 if problems or any(outcome.refused for outcome in outcomes) else 0)


def _listed(
    target: Target, service: str | None, state: State, reason: str | None, limit: int | None
) -> Listing:
    selected = _selected(target, service)
    for name in selected:
        target.urls_of(name)  # what is not known ends the command here, before anybody is asked
    target.token("operator")

    async def ask() -> Listing:
        async with Services(target, "operator") as services:
            return await listed(services, selected, state=state, reason=reason, limit=limit)

    return asyncio.run(ask())


def _chosen(letters: Sequence[Letter], ids: Sequence[str], problems: Sequence[str]) -> list[Letter]:
    by_id = {letter.id: letter for letter in letters}
    unknown = [identity for identity in ids if identity not in by_id]
    if unknown:
        reasons = [*problems, f"Not among the open dead letters: {', '.join(unknown)}. Nothing was done."]
        fail("\n".join(reasons))
    return [by_id[identity] for identity in dict.fromkeys(ids)]


def _confirm(action: str, letters: Sequence[Letter]) -> None:
    services = ", ".join(sorted({letter.service for letter in letters}))
    if not agreed(f"{action.capitalize()} {counted(len(letters), 'dead letter')} of {services}?"):
        fail("Nothing was done.")


async def _work(
    target: Target, action: str, letters: Sequence[Letter], *, dry_run: bool, quiet: bool
) -> list[Outcome]:
    outcomes = []
    hidden = quiet or len(letters) < 2 or not err.is_terminal
    columns = TextColumn(action), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=err, transient=True, disable=hidden) as bar:
        task = bar.add_task(action, total=len(letters))
        async with Services(target, "operator") as services:
            try:
                async for outcome in settled(services, letters, action, dry_run=dry_run):
                    outcomes.append(outcome)
                    bar.advance(task)
            except ServiceProblem as problem:
                fail(f"{problem} {len(outcomes)} of {len(letters)} were done before.")
    return outcomes


def _print_outcomes(outcomes: Sequence[Outcome], *, brief: bool) -> None:
    for outcome in outcomes:
        if outcome.refused:
            print_line(f"{outcome.letter.id}  {outcome.refused}")
        elif not brief:
            print_line(f"{outcome.letter.id}  {outcome.letter.service}: {outcome.outcome}.")
    counts = Counter(outcome.outcome for outcome in outcomes)
    summary = ", ".join(f"{number:,} {word}" for word, number in counts.most_common())
    print_line(
        f"{counted(len(outcomes), 'dead letter')}: {summary}." if outcomes else "No open dead letters."
    )


def _selected(target: Target, service: str | None) -> Sequence[str]:
    return [service] if service else target.services


def _print_entry(name: str, value: Any, indent: str = "") -> None:
    label = f"{indent}{name.replace('_', ' ')}:"
    if isinstance(value, dict) and value:
        print_line(label)
        for inner, item in value.items():
            _print_entry(inner, item, indent + "  ")
    else:
        print_line(f"{label:<14} {'-' if value in (None, {}) else value}")
