"""How a run looks on a screen: facts, tables and the bar that shows how far it is."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from shared.cli.output import counted, duration, err, print_line, print_table, show_table

Document = Mapping[str, Any]
Facts = Sequence[tuple[str, str]]

_SPANS: Final[Mapping[str, tuple[float, float]]] = {
    "reading": (0.0, 0.05),
    "candidates": (0.05, 0.6),
    "assigning": (0.6, 0.65),
    "proving": (0.65, 0.9),
    "storing": (0.95, 1.0),
    "checking": (0.0, 0.5),
    "proposing": (0.5, 1.0),
}
"""From where to where each stage moves the bar. Further rounds share what is left before storing."""
_WHAT: Final[Mapping[str, str]] = {
    "done": "done",
    "waiting": "waiting for its turn",
    "reading": "reading who waits",
    "candidates": "scoring all pairs",
    "storing": "storing pairs and reasons",
    "checking": "comparing with the present",
    "proposing": "proposing",
}
_REASONS: Final[Mapping[str, str]] = {
    "nobody": "nobody else in the programme",
    "rules": "rules forbid everybody",
    "all-full": "all who fit are full",
    "no-group": "no group that may sit together",
}
_RULES: Final[Mapping[str, str]] = {
    "level": "levels do not fit",
    "overlap": "working hours apart",
    "language": "no common language",
    "department": "same department",
    "team": "same team",
}


class Bar:
    """A live bar on standard error; ``quiet`` for scripts. Use it as a context, and show it every state of the run."""

    def __init__(self, *, quiet: bool) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<26}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
            console=err, transient=True, disable=quiet or not err.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=1.0)
        self._done = 0.0

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, run: Document) -> None:
        progress = run["progress"]
        self._done = max(self._done, _share(progress["stage"], progress["round"], progress["fraction"]))
        self._progress.update(self._task, completed=self._done, description=_doing(progress))


def _share(stage: str, round_: int, fraction: float) -> float:
    if stage == "done":
        return 1.0
    begin, end = _SPANS.get(stage, (0.0, 0.0))
    if round_ > 1 and stage in ("assigning", "proving"):
        begin, end = 0.95 - 0.05 / (round_ - 1), 0.95 - 0.05 / round_
    return begin + (end - begin) * fraction


def _doing(progress: Document) -> str:
    stage = str(progress["stage"])
    return _WHAT.get(stage, f"{stage}, round {max(1, progress['round'])}")


def print_facts(facts: Facts) -> None:
    """Names and what there is to say of each, in two columns."""
    table = Table.grid(padding=(0, 3))
    for name, text in facts:
        table.add_row(name, text)
    show_table(table)


def facts_of(run: Document) -> Iterator[tuple[str, str]]:
    """A run for coordinators, in the order in which they ask."""
    found, figures = run["certificate"], run["figures"]
    if run["publication"] is not None and "proposed" in run["publication"]:
        yield "proposed", _published(run["publication"])
    if found is not None:
        yield "matched", _matched(run, found)
        yield "value", _value(found)
    if figures is not None:
        yield from _of_figures(figures)
    if found is not None:
        yield "what is proven", f"{found['covers']} Found in {counted(found['rounds'], 'round')}."
    yield "configuration", _configuration(run)
    if run["as_of"] is not None:
        yield "inputs", f"as of {run['as_of']}, hash {_short(run['input_hash'])}"
    if run["people_removed"]:
        yield "erased since", _removed(run)


def _removed(run: Document) -> str:
    number = run["people_removed"]
    return f"{number} {'person' if number == 1 else 'people'}; the numbers above are as the run found them"


def _matched(run: Document, found: Document) -> str:
    matched, most, peers = found["matched"], found["matched_at_most"], run["form"] == "peer"
    if not run["mentees"]:
        return "nobody waits for a " + ("peer" if peers else "mentor")
    proven = "proven: no choice of pairs matches more" if matched == most else f"at most {most:,} can be"
    return f"{matched:,} of {counted(run['mentees'], 'peer' if peers else 'mentee')}; {proven}"


def _value(found: Document) -> str:
    within = "within" if found["within_tolerance"] else "ABOVE"
    return (
        f"{found['value']:,} points; at most {found['bound']:,} are possible:"
        f" gap {percent(found['gap'])}, {within} the tolerance of {percent(found['tolerance'])}"
    )


def _of_figures(figures: Document) -> Iterator[tuple[str, str]]:
    worst, load = figures["worst"], figures["load"]
    if figures["pairs"]:
        yield (
            "scores",
            f"lowest {worst['lowest'][0]['score']:,}, mean {figures['mean_score']:,.0f};"
            f" the worst {percent(worst['share'])} have {worst['mean']:,.0f} on average",
        )
    if figures["form"] != "peer":
        yield (
            "places",
            f"{counted(load['mentors'], 'mentor')} with room for {load['places']:,}, of which {load['used']:,}"
            f" {'is' if load['used'] == 1 else 'are'} used; unevenness of load {load['gini']:.2f} (Gini coefficient)",
        )
    if figures["unmatched"]:
        yield "without a pair", _counts(figures["unmatched"], _REASONS)
    if figures["forbidden"]:
        yield "pairs ruled out", _counts(figures["forbidden"], _RULES)
    if figures["fairness"]:
        raised = figures["fairness"]
        yield (
            "fairness",
            f"lowest score from {raised['lowest_before']:,} to {raised['lowest_after']:,},"
            f" for {raised['value_given_up']:,} points",
        )
    if (stable := figures["stability"]) and figures["method"] != "optimal":
        yield (
            "stability",
            f"{_blocking(stable['blocking_pairs'])}, {stable['optimum_blocking_pairs']:,} in the most valuable pairs;"
            f" it costs {stable['value_lost']:,} of {stable['optimum']:,} points"
            f" and leaves {stable['people_lost']:,} more without a mentor",
        )
    if figures["circles"]:
        yield "reporting circles", f"{figures['circles']:,} in HR's data"


def _blocking(pairs: int) -> str:
    return (
        f"{counted(pairs, 'pair')} would rather have each other"
        if pairs
        else "no two would rather have each other"
    )


def _published(publication: Document) -> str:
    dropped = publication["dropped"]
    rest = f"; dropped {_counts(dropped)}" if dropped else "; none dropped"
    return f"{counted(publication['proposed'], 'pair')}{rest}"


def _configuration(run: Document) -> str:
    own = run["configuration"]
    aim = {"people": "as many people as possible", "value": "the highest sum of scores"}
    fair = f", fairness loss {percent(own['fairness_loss'])}" if own["fairness_loss"] else ""
    return (
        f"version {run['configuration_version']}, {aim.get(own['objective'], own['objective'])}{fair};"
        f" fingerprint {_short(run['fingerprint'])}"
    )


def headline(run: Document) -> str:
    """Where the run stands, in a sentence."""
    name, state = f"Run {run['run_id']} of {run['programme_id']}", run["state"]
    match state:
        case "ready":
            took = datetime.fromisoformat(run["changed_at"]) - datetime.fromisoformat(run["requested_at"])
            again = f"; it was not published ({_why(run)})" if run["reason"] else ""
            return f"{name} is ready, {duration(took.total_seconds())} after it was requested{again}."
        case "failed" | "discarded":
            return f"{name} is {state}: {_why(run)}."
        case "requested" | "running" | "publishing":
            return f"{name} is {state}: {_doing(run['progress'])}."
        case _:
            return f"{name} is {state}."


def _why(run: Document) -> str:
    return str(run["problem"] or run["reason"] or "no reason is known").rstrip(".")


def print_runs(runs: Sequence[Document]) -> None:
    """Runs, one a line."""
    print_table(
        [
            {
                "run": run["run_id"],
                "state": run["state"],
                "requested": run["requested_at"][:16].replace("T", " "),
                "aim": _aim(run),
                "configuration": run["configuration_version"],
                "mentees": run["mentees"],
                "matched": (run["certificate"] or {}).get("matched", "-"),
                "gap": percent(run["certificate"]["gap"]) if run["certificate"] else "-",
                "proposed": (run["publication"] or {}).get("proposed", "-"),
            }
            for run in runs
        ],
        ("run", "state", "requested", "aim", "configuration", "mentees", "matched", "gap", "proposed"),
    )


def _aim(run: Document) -> str:
    """What a run is for, as short as a column: only what is not usual beside the objective."""
    own = run["configuration"]
    unusual = [run["form"]] if run["form"] != "one-to-one" else []
    method = own.get("method", "optimal")
    return ", ".join([own["objective"], *unusual, *([method] if method != "optimal" else [])])


def print_pairs(pairs: Sequence[Document]) -> None:
    """Pairs with the three factors that count most, and what became of them."""
    published = any(pair["proposal_id"] or pair["dropped"] for pair in pairs)
    rows = [
        {
            "mentee": pair["mentee_id"],
            "mentor": pair["mentor_id"],
            "score": f"{pair['score']:,}",
            "most of it": ", ".join(
                f"{name.replace('-', ' ')} {points:,}"
                for name, points in sorted(pair["factors"].items(), key=lambda item: -item[1])[:3]
            ),
            "now": f"dropped: {_RULES.get(pair['rule'], (pair['rule'] or pair['dropped']).replace('-', ' '))}"
            if pair["dropped"]
            else "proposed",
        }
        for pair in pairs
    ]
    print_table(rows, ("mentee", "mentor", "score", "most of it", *(["now"] if published else [])))


def print_unmatched(unmatched: Sequence[Document]) -> None:
    """Who has nobody, why, and how many mentors each rule takes away."""
    rows = [
        {
            "mentee": one["mentee_id"],
            "why": _REASONS.get(one["why"], one["why"].replace("-", " ")),
            "mentors ruled out": _counts(one["forbidden"], _RULES) or "-",
        }
        for one in unmatched
    ]
    print_table(rows, ("mentee", "why", "mentors ruled out"))


def print_explanation(found: Document) -> None:
    """The pair's factors as a table."""
    rows = [
        {
            "factor": share["factor"].replace("-", " "),
            "points": f"{share['points']:,}",
            "share": f"{share['share']:.0%}",
            "words": ", ".join(share["words"]),
        }
        for share in found["shares"]
    ]
    print_table(rows, ("factor", "points", "share", "words"))
    print_line(f"Together {found['score']:,} points.")


def percent(share: float) -> str:
    """A share with as many digits as a gap needs."""
    return f"{share * 100:.4f}".rstrip("0").rstrip(".") + " %"


def _counts(numbers: Mapping[str, int], names: Mapping[str, str] = MappingProxyType({})) -> str:
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{names.get(name, name.replace('-', ' '))} {number:,}" for name, number in ordered)


def _short(digest: str | None) -> str:
    return (digest or "-")[:12]
