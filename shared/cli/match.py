"""``mentoring match``: runs of the matching engine, looked at and compared before anybody is told of them."""

import asyncio
import json
from typing import Annotated, Any, Final, Literal

import typer

from shared.cli import match_reading
from shared.cli.match_options import Asking, Limit, Programme, Run, Wait, for_coordinators
from shared.cli.options import Yes
from shared.cli.output import AsJson, agreed, fail, print_json, print_line, say
from shared.cli.run_views import Bar, facts_of, headline, print_facts, print_runs
from shared.cli.runs import UNDER_WAY, Document, Runs

match_app = typer.Typer(
    no_args_is_help=True,
    help="Matching runs: compute, look at, compare, publish. For coordinators of the programme.",
)

_FINE: Final = ("ready", "published", *UNDER_WAY)


@for_coordinators
def request(
    ask: Asking,
    programme: Programme,
    form: Annotated[
        Literal["one-to-one", "reverse", "group", "peer"] | None,
        typer.Option(
            help="Reverse: mentors stand below their mentees. Group: a mentor leads several. Peer: only in a"
            " programme of peers, which has no other form.",
            show_default=False,
        ),
    ] = None,
    objective: Annotated[
        Literal["people", "value"] | None,
        typer.Option(help="As many people as possible, or the highest sum of scores.", show_default=False),
    ] = None,
    fairness_loss: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=0.5, help="Share of the value to give up for the worst-off.", show_default=False
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Another setting, for instance weights.skill=800.",
        ),
    ] = None,
    identity: Annotated[
        str | None, typer.Option("--id", help="The run's id, to repeat a request safely.", show_default=False)
    ] = None,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Compute pairs for everybody who waits now. Nobody is told of them before they are published.

    The programme's own settings hold but for those given here: so weights can be tried. Exit code 1 when the run
    comes to no result. Ctrl-C ends the waiting and not the run.
    """
    wanted: Document = {"configuration": _settings(settings or [])}
    given = {"form": form, "objective": objective, "fairness_loss": fairness_loss, "run_id": identity}
    wanted |= {name: value for name, value in given.items() if value is not None}

    async def work(runs: Runs) -> Document:
        run = await runs.of_programme(programme, "POST", json=wanted)
        return await _watched(runs, run, quiet=as_json) if wait else run

    _show(ask(work), as_json=as_json)


@for_coordinators
def list_runs(
    ask: Asking,
    programme: Programme,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """List the programme's runs, the newest first."""
    found = ask(lambda runs: runs.all_of_programme(programme, limit))
    if as_json:
        print_json(found)
    elif found:
        print_runs(found)
    else:
        print_line(f"{programme} has no runs.")


@for_coordinators
def show(
    ask: Asking,
    run: Run,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until nothing is under way with it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show where a run stands, what it found, and what is proven of it. Exit code 1 when it has no result."""

    async def work(runs: Runs) -> Document:
        found = await runs.one(run)
        return await _watched(runs, found, quiet=as_json) if wait else found

    _show(ask(work), as_json=as_json)


@for_coordinators
def publish(
    ask: Asking,
    run: Run,
    yes: Yes = False,
    wait: Wait = True,
    as_json: AsJson = False,
) -> None:
    """Propose a run's pairs to their people, all at once; those that no longer stand are dropped, with the reason.

    May be repeated: pairs are proposed once. Exit code 1 when it could not be published.
    """
    if not yes:
        say("Mentees and mentors get a proposal for each pair that still stands. It cannot be taken back.")
        if not agreed(f"Publish {run}?"):
            fail("Nothing was done.")

    async def work(runs: Runs) -> Document:
        asked = await runs.one(run, "POST", "/publish")
        return await _watched(runs, asked, quiet=as_json) if wait else asked

    found = ask(work)
    _show(found, as_json=as_json, fine=("published", "publishing"))


@for_coordinators
def discard(
    ask: Asking,
    run: Run,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a run's inputs and pairs; one that is being computed is ended."""
    if not yes and not agreed(f"Delete the pairs of {run} for good?"):
        fail("Nothing was done.")
    found = ask(lambda runs: runs.one(run, "POST", "/discard"))
    _show(found, as_json=as_json, fine=("discarded",))


async def _watched(runs: Runs, run: Document, *, quiet: bool) -> Document:
    with Bar(quiet=quiet) as bar:
        try:
            return await runs.until_settled(run, None, bar.show)
        except asyncio.CancelledError:
            say(f"It goes on: `mentoring match show {run['run_id']} --wait` waits for it.")
            raise typer.Exit(130) from None


def _show(run: Document, *, as_json: bool, fine: tuple[str, ...] = _FINE) -> None:
    if as_json:
        print_json(run)
    else:
        print_line(headline(run))
        if run["state"] not in ("discarded", "failed"):
            print_facts(list(facts_of(run)))
        if run["state"] == "ready":
            say(
                "Nobody has been told. Look with `mentoring match pairs`, `compare` and `report`; then"
                f" `mentoring match publish {run['run_id']}`, or `discard`."
            )
    raise typer.Exit(0 if run["state"] in fine else 1)


def _settings(given: list[str]) -> dict[str, Any]:
    """``weights.skill=800`` as ``{"weights": {"skill": 800}}``; a value that is not JSON is a word."""
    settings: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        *above, last = name.split(".")
        if not equals or not all([*above, last]):
            raise typer.BadParameter(f"{one} is not NAME=VALUE", param_hint="--set")
        place = settings
        for part in above:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise typer.BadParameter(f"{name} is inside of a value", param_hint="--set")
        try:
            place[last] = json.loads(text, parse_constant=str)
        except ValueError:
            place[last] = text
    return settings


for _name, _command in (
    ("run", request),
    ("list", list_runs),
    ("show", show),
    ("pairs", match_reading.pairs),
    ("compare", match_reading.compare),
    ("explain", match_reading.explain),
    ("why-not", match_reading.why_not),
    ("report", match_reading.report),
    ("publish", publish),
    ("discard", discard),
):
    match_app.command(_name)(_command)
