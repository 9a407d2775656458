"""Looking into a run: its pairs, why a pair was made or not, another run beside it, the report."""

from pathlib import Path
from typing import Annotated

import typer

from shared.cli.match_options import (
    Coordinator,
    Employee,
    Limit,
    Mentee,
    Mentor,
    Run,
    asked,
    target_of,
)
from shared.cli.options import DataDir, TenantOption
from shared.cli.output import AsJson, counted, fail, print_json, print_line, say
from shared.cli.run_compared import print_compared
from shared.cli.run_views import print_explanation, print_facts, print_pairs, print_unmatched
from shared.cli.runs import Document
from shared.cli.target import Target
from shared.contracts import person_id


def pairs(
    run: Run,
    unmatched: Annotated[
        bool, typer.Option("--unmatched", help="Those for whom there is nobody, and why.")
    ] = False,
    limit: Limit = 50,
    coordinator: Coordinator = None,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List a run's pairs, or those whom it leaves over, by mentee."""
    what = "/unmatched" if unmatched else "/pairs"
    found = asked(target_of(tenant, data_dir), coordinator, lambda runs: runs.rows(run, what, limit))
    if as_json:
        print_json(found)
        return
    if found:
        (print_unmatched if unmatched else print_pairs)(found)
    else:
        print_line("Nobody is left over." if unmatched else "The run has no pairs.")
    if limit and len(found) == limit:
        say(f"The first {counted(limit, 'line')}; --limit 0 shows all.")


def compare(
    run: Run,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="Id of another run.", show_default=False)],
    limit: Limit = 20,
    coordinator: Coordinator = None,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs of a programme: figures, settings, and whose mentor is another."""
    found = asked(target_of(tenant, data_dir), coordinator, lambda runs: runs.compared(run, other, limit))
    if as_json:
        print_json(found)
    else:
        print_compared(found)


def explain(
    run: Run,
    mentee: Mentee,
    mentor: Mentor,
    employee: Employee = False,
    coordinator: Coordinator = None,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Explain a pair's score factor by factor, also of a pair that the run did not make."""
    found = _explained(target_of(tenant, data_dir), coordinator, run, mentee, mentor, employee=employee)
    if as_json:
        print_json(found)
        return
    print_explanation(found)
    print_line(found["sentence"])
    if found["reasons"]:
        print_line(f"The two would read: {'; '.join(found['reasons'])}.")


def why_not(
    run: Run,
    mentee: Mentee,
    mentor: Mentor,
    employee: Employee = False,
    coordinator: Coordinator = None,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Say why a run did not make this pair: the rule that forbids it, or what a place with this mentor costs."""
    found = _explained(target_of(tenant, data_dir), coordinator, run, mentee, mentor, employee=employee)
    if as_json:
        print_json(found)
        return
    print_line(found["sentence"])
    own = found["own_mentor_id"]
    facts = [("rule", rule["sentence"]) for rule in found["rules"] if rule["sentence"] != found["sentence"]]
    if found["verdict"] in ("price", "group", "worse"):
        if found["scarcity"]:
            facts.append(
                ("mentors are scarce", f"any place costs {found['scarcity']:,} points: not counted here")
            )
        facts += [
            (
                "with this mentor",
                f"{found['score']:,} points − {found['price']:,} for a place = {found['gain']:,}",
            ),
            ("as it is", f"{found['own_gain']:,} with {own}" if own else "nobody, which counts as 0"),
        ]
    if facts:
        print_facts(facts)


def report(
    run: Run,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="FILE", help="Where to; by default report-RUN.html here; - for standard output."
        ),
    ] = None,
    coordinator: Coordinator = None,
    tenant: TenantOption = None,
    data_dir: DataDir = None,
) -> None:
    """Fetch a run's report: one HTML page with plots, which needs no network to be read."""
    page = asked(target_of(tenant, data_dir), coordinator, lambda runs: runs.page(run))
    if to == Path("-"):
        typer.echo(page, nl=False)
        return
    place = to or Path(f"report-{run}.html")
    try:
        place.write_bytes(page)
    except OSError as error:
        fail(f"{place} cannot be written: {error.strerror}.")
    print_line(f"The report is in {place}.")


def _explained(
    target: Target, coordinator: str | None, run: str, mentee: str, mentor: str, *, employee: bool
) -> Document:
    if employee:
        mentee, mentor = person_id(target.tenant, mentee), person_id(target.tenant, mentor)
    params = {"mentee": mentee, "mentor": mentor}
    return asked(target, coordinator, lambda runs: runs.one(run, what="/explain", params=params))
