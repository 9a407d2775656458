"""Looking into a run: its pairs, why a pair was made or not, another run beside it, the report."""

from pathlib import Path
from typing import Annotated

import typer

from shared.cli.match_options import Asking, Employee, Limit, Mentee, Mentor, Run, for_coordinators
from shared.cli.output import AsJson, counted, fail, print_json, print_line, say
from shared.cli.run_compared import print_compared
from shared.cli.run_views import print_explanation, print_facts, print_pairs, print_unmatched
from shared.cli.runs import Document
from shared.contracts import person_id


@for_coordinators
def pairs(
    ask: Asking,
    run: Run,
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="Those for whom there is nobody, and why.")
    ] = False,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List a run's pairs, or those whom it leaves over, by mentee."""
    what = "/unmatched" if unmatched else "/pairs"
    found = ask(lambda runs: runs.rows(run, what, limit))
    if as_json:
        print_json(found)
        return
    if found:
        (print_unmatched if unmatched else print_pairs)(found)
    else:
        print_line("Nobody is left over." if unmatched else "The run has no pairs.")
    if limit and len(found) == limit:
        say(f"The first {counted(limit, 'line')}; --limit 0 shows all.")


@for_coordinators
def compare(
    ask: Asking,
    run: Run,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Id of another run.", show_default=False)],
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Compare two runs of a programme: figures, settings, and whose mentor is another."""
    found = ask(lambda runs: runs.compared(run, other, limit))
    if as_json:
        print_json(found)
    else:
        print_compared(found)


@for_coordinators
def explain(
    ask: Asking,
    run: Run,
    mentee: Mentee,
    mentor: Mentor,
    employee: Employee = False,
    as_json: AsJson = False,
) -> None:
    """Explain a pair's score factor by factor, also of a pair that the run did not make."""
    found = _explained(ask, run, mentee, mentor, employee=employee)
    if as_json:
        print_json(found)
        return
    print_explanation(found)
    print_line(found["sentence"])
    if found["reasons"]:
        print_line(f"The two would read: {'; '.join(found['reasons'])}.")


@for_coordinators
def why_not(
    ask: Asking,
    run: Run,
    mentee: Mentee,
    mentor: Mentor,
    employee: Employee = False,
    as_json: AsJson = False,
) -> None:
    """Say why a run did not make this pair: the rule that forbids it, or what a place with this mentor costs."""
    found = _explained(ask, run, mentee, mentor, employee=employee)
    if as_json:
        print_json(found)
        return
    print_line(found["sentence"])
    own = found["own_mentor_id"]
    facts = [("rule", rule["sentence"]) for rule in found["rules"] if rule["sentence"] != found["sentence"]]
    if found["verdict"] not in ("paired", "rule"):
        if found["scarcity"]:
            facts.append(
                ("mentors are scarce", f"any place costs {found['scarcity']:,} points: not counted here")
            )
        who, what = ("peer", "that the other has as it is") if found["peers"] else ("mentor", "for a place")
        facts += [
            (
                f"with this {who}",
                f"{found['score']:,} points − {found['price']:,} {what} = {found['gain']:,}",
            ),
            ("as it is", f"{found['own_gain']:,} with {own}" if own else "nobody, which counts as 0"),
        ]
    if facts:
        print_facts(facts)


@for_coordinators
def report(
    ask: Asking,
    run: Run,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FILE", help="Where to; by default report-RUN.html here; - for standard output."
        ),
    ] = None,
    beside: Annotated[
        str | None,
        typer.Option(
            "--beside", metavar="OTHER", help="Another run, to be compared there.", show_default=False
        ),
    ] = None,
) -> None:
    """Fetch a run's report: one HTML page with plots, which needs no network to be read."""
    page = ask(lambda runs: runs.page(run, beside))
    if to == Path("-"):
        typer.echo(page, nl=False)
        return
    place = to or Path(f"report-{run}.html")
    try:
        place.write_bytes(page)
    except OSError as error:
        fail(f"{place} cannot be written: {error.strerror}.")
    print_line(f"The report is in {place}.")


def _explained(ask: Asking, run: str, mentee: str, mentor: str, *, employee: bool) -> Document:
    if employee:
        tenant = ask.target.tenant
        mentee, mentor = person_id(tenant, mentee), person_id(tenant, mentor)
    params = {"mentee": mentee, "mentor": mentor}
    return ask(lambda runs: runs.one(run, what="/explain", params=params))
