"""The sections below the key figures, each with its charts and tables."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from services.matching.engine.figures import SMALLEST_GROUP, Bars, Figures
from services.matching.report.charts import Bar, Chart, columns, rows
from services.matching.report.model import Comparison, LeftOver, Report
from services.matching.report.words import REASONS, RULES, counted, named, of, percent, sides_of, tiny

_MOST_ROWS: Final = 12


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()
    """Columns that hold numbers."""
    text: str = ""
    foot: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    title: str
    text: str
    charts: tuple[Chart, ...]
    tables: tuple[Table, ...] = ()


def of_report(report: Report) -> Iterator[Part]:
    """What there is to show of this run; what it has not is left out."""
    figures = report.figures
    if figures.pairs:
        yield _quality(figures)
        yield _spread(figures)
    if figures.unmatched:
        yield _left_over(figures, report.left_over)
    if figures.by_group:
        yield _groups(figures)
    if figures.stability is not None or figures.fairness is not None:
        yield _price(figures)
    if report.compared is not None:
        yield _compared(figures, report.compared)


def _histogram(bars: Bars, *, marked_to: int | None = None) -> list[Bar]:
    return [
        Bar(
            f"{low:,}" if high - low == 1 else f"{low:,} to {high - 1:,}",
            count,
            marked=marked_to is not None and low <= marked_to,
        )
        for low, high, count in zip(bars.edges, bars.edges[1:], bars.counts, strict=False)
    ]


def _standing(
    key: str,
    title: str,
    says: str,
    head: tuple[str, str],
    bars: Bars,
    *,
    axis: str,
    marked_to: int | None = None,
) -> Chart:
    """A histogram; below it is written only where bars begin, or which number each of them is."""
    single = bars.edges[:2] == [bars.edges[0], bars.edges[0] + 1]
    below = [f"{low:,}" for low in (bars.edges[:-1] if single else bars.edges)]
    return columns(key, title, says, head, _histogram(bars, marked_to=marked_to), axis=axis, below=below)


def _quality(figures: Figures) -> Part:
    scores, worst = figures.scores, figures.worst
    fullest = max(range(len(scores.counts)), key=scores.counts.__getitem__)
    spread = _standing(
        "scores",
        "Scores of all pairs",
        f"The highest bar is {scores.edges[fullest]:,} to {scores.edges[fullest + 1] - 1:,} points, with "
        f"{scores.counts[fullest]:,} of {counted(figures.pairs, 'pair', 'pairs')}. Where the worst 5 % are, bars are "
        "orange.",
        ("Points", "Pairs"),
        scores,
        axis="points",
        marked_to=worst.highest,
    )
    lowest = worst.lowest[0].score if worst.lowest else 0
    low = rows(
        "worst",
        "The worst 5 % beside all",
        f"{_lowest(worst.pairs)} {worst.mean:,.0f} points"
        f"{' on average' if worst.pairs > 1 else ''}, "
        f"{percent(of(round(worst.mean), round(figures.mean_score)), 0)} of the mean of all.",
        ("Pairs", "Points"),
        [
            Bar("mean of all pairs", figures.mean_score),
            Bar("highest of those 5 %", worst.highest, marked=True),
            Bar("mean of those 5 %", worst.mean, marked=True),
            Bar("lowest pair", lowest, marked=True),
        ],
    )
    names = sides_of(figures.form)
    shown = worst.lowest[:_MOST_ROWS]
    table = Table(
        "The lowest pairs",
        (names.mentee.capitalize(), names.mentor.capitalize(), "Points"),
        tuple((pair.mentee_id, pair.mentor_id, f"{pair.score:,}") for pair in shown),
        frozenset({2}),
        "Worth a look before publishing. For every pair there is an explanation, and why it is not another one.",
        f"The first {len(shown)} of {worst.pairs:,}." if len(shown) < worst.pairs else "",
    )
    return Part("How good the pairs are", "", (spread, low), (table,))


def _lowest(pairs: int) -> str:
    return (
        "The pair with the lowest score has"
        if pairs == 1
        else f"The {pairs:,} pairs with the lowest scores have"
    )


def _spread(figures: Figures) -> Part:
    load, choice, names = figures.load, figures.choice, sides_of(figures.form)
    idle = load.mentors_by_mentees[0] if load.mentors_by_mentees else 0
    idlers = "Every mentor with room has somebody."
    if idle:
        idlers = f"{counted(idle, 'mentor has', 'mentors have')} nobody from this run."
    loads = columns(
        "load",
        "Mentees of each mentor",
        f"{idlers} {load.used:,} of {load.places:,} places are used.",
        ("Mentees", "Mentors"),
        [Bar(str(number), count) for number, count in enumerate(load.mentors_by_mentees)],
        axis="mentees",
    )
    none = (
        f"{counted(choice.none, f'{names.mentee} has', f'{names.mentees} have')} none at all."
        if choice.none
        else "Nobody has none."
    )
    peers = figures.form == "peer"
    full = "" if peers else "full mentors included: "
    whole = choice.sampled == figures.mentees
    whom = counted(choice.sampled, names.mentee, names.mentees)
    candidates = _standing(
        "choice",
        f"{names.mentors.capitalize()} whom rules leave to a {names.mentee}",
        f"{f'Of all {whom}' if whole else f'From a sample of {whom}'}, {full}half have "
        f"{choice.median:,} or more. {none}",
        (names.mentors.capitalize(), names.mentees.capitalize()),
        choice.bars,
        axis=names.mentors,
        marked_to=0 if choice.none else None,
    )
    if peers:  # each takes one: there is no load to show
        return Part("How choice is spread", "", (candidates,))
    return Part("How load and choice are spread", "", (loads, candidates))


def _left_over(figures: Figures, left: tuple[LeftOver, ...]) -> Part:
    total = sum(figures.unmatched.values())
    by_reason = sorted(figures.unmatched.items(), key=lambda item: (-item[1], item[0]))
    charts = [
        rows(
            "unmatched",
            "Why they have nobody",
            f"{counted(total, 'person is', 'people are')} without a pair.",
            ("Reason", "People"),
            [Bar(named(REASONS, why), number, marked=True) for why, number in by_reason],
        )
    ]
    if figures.forbidden:
        by_rule = sorted(figures.forbidden.items(), key=lambda item: (-item[1], item[0]))
        charts.append(
            rows(
                "rules",
                "Which rules leave them nobody",
                f"Pairs of those whom rules leave nobody, by the first rule that forbids each. Most often: "
                f"{named(RULES, by_rule[0][0])}.",
                ("Rule", "Pairs forbidden"),
                [Bar(named(RULES, rule), number) for rule, number in by_rule],
            )
        )
    tables = []
    if left:
        shown = left[:_MOST_ROWS]
        tables.append(
            Table(
                "Who has nobody",
                ("Person", "Reason", f"{sides_of(figures.form).mentors.capitalize()} forbidden, by rule"),
                tuple((one.mentee_id, named(REASONS, one.why), _by_rule(one)) for one in shown),
                foot=f"The first {len(shown)} of {total:,}." if len(shown) < total else "",
            )
        )
    text = "Each of them keeps waiting and is tried again when the pool changes."
    return Part("Who is left over", text, tuple(charts), tuple(tables))


def _by_rule(one: LeftOver) -> str:
    most = sorted(one.forbidden.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{named(RULES, rule)} {number:,}" for rule, number in most[:4]) or "-"


def _groups(figures: Figures) -> Part:
    shown = [one for one in figures.by_group if one.people is not None]
    scored = [(one.group, one.mean_score) for one in shown if one.mean_score is not None]
    charts = []
    if shown:
        charts.append(
            rows(
                "groups-matched",
                "Share matched",
                "Bars of full length are everybody.",
                ("Department", "Matched"),
                [Bar(one.group, one.matched or 0.0, shown=percent(one.matched or 0.0)) for one in shown],
                longest=1.0,
            )
        )
    if scored:
        low, high = min(value for _, value in scored), max(value for _, value in scored)
        charts.append(
            rows(
                "groups-scores",
                "Mean score",
                f"The highest mean is {percent(of(round(high - low), round(low)))} above the lowest.",
                ("Department", "Mean points"),
                [Bar(group, value) for group, value in scored],
            )
        )
    hidden = len(figures.by_group) - len(shown)
    table = Table(
        "All departments",
        ("Department", "People", "Matched", "Mean score"),
        tuple(
            (
                one.group,
                "not shown" if one.people is None else f"{one.people:,}",
                "not shown" if one.matched is None else percent(one.matched),
                "not shown" if one.mean_score is None else f"{one.mean_score:,.0f}",
            )
            for one in figures.by_group
        ),
        frozenset({1, 2, 3}),
        foot=(
            f"Not shown: departments of fewer than {SMALLEST_GROUP} people, and what they could be worked out from "
            f"({counted(hidden, 'department', 'departments')})."
            if hidden
            else ""
        ),
    )
    return Part(
        "How departments fare",
        "People by their department; small ones are not shown.",
        tuple(charts),
        (table,),
    )


def _price(figures: Figures) -> Part:
    tables = []
    if (stable := figures.stability) is not None:
        lost = percent(of(stable.value_lost, stable.optimum), 2)
        tables.append(
            Table(
                "Stability",
                ("What", "Number"),
                (
                    ("Two who would both rather have each other", f"{stable.blocking_pairs:,}"),
                    ("The same in the most valuable pairs", f"{stable.optimum_blocking_pairs:,}"),
                    ("Value of the most valuable pairs", f"{stable.optimum:,}"),
                    ("Value below that", f"{stable.value_lost:,} ({lost})"),
                    ("People fewer than there could be", f"{stable.people_lost:,}"),
                ),
                frozenset({1}),
                "Counted among the candidates. "
                + (
                    "Value comes before stability in this run."
                    if figures.method == "optimal"
                    else "This run made stable pairs instead of the most valuable ones; this is the price."
                ),
            )
        )
    if (fair := figures.fairness) is not None:
        given_up = tiny(of(fair.value_given_up, figures.proof.value))
        tables.append(
            Table(
                "Raising the lowest score",
                ("What", "Points"),
                (
                    ("Lowest score before", f"{fair.lowest_before:,}"),
                    ("Lowest score after", f"{fair.lowest_after:,}"),
                    (
                        "Value given up for it",
                        f"{fair.value_given_up:,} ({given_up})",
                    ),
                ),
                frozenset({1}),
            )
        )
    return Part("What was chosen at a price", "", (), tuple(tables))


def _compared(here: Figures, other: Comparison) -> Part:
    there = other.figures
    lines = (
        ("Pairs", here.pairs, there.pairs, 0),
        ("Without a pair", sum(here.unmatched.values()), sum(there.unmatched.values()), 0),
        ("Value, points", here.proof.value, there.proof.value, 0),
        ("Mean score", here.mean_score, there.mean_score, 0),
        ("Mean of the worst 5 %", here.worst.mean, there.worst.mean, 0),
        ("Places used", here.load.used, there.load.used, 0),
        ("Unevenness of load (Gini)", here.load.gini, there.load.gini, 3),
    )
    table = Table(
        f"This run and run {other.run}",
        ("Figure", "This run", "The other", "Difference"),
        tuple(
            (name, f"{one:,.{digits}f}", f"{two:,.{digits}f}", f"{one - two:+,.{digits}f}")
            for name, one, two, digits in lines
        ),
        frozenset({1, 2, 3}),
        "Points compare only where both configurations give them for the same things.",
    )
    names, people_in_one = sides_of(here.form), 2 if here.form == "peer" else 1
    chart = rows(
        "changed",
        f"Whose {names.mentor} differs",
        f"{counted(other.same_pairs // people_in_one, 'pair is', 'pairs are')} the same in both runs.",
        (names.mentees.capitalize(), "Number"),
        [
            Bar(f"the same {names.mentor}", other.same_pairs),
            Bar(f"another {names.mentor}", other.other_mentor, marked=True),
            Bar(f"a {names.mentor} in this run only", other.only_here, marked=True),
            Bar(f"a {names.mentor} in the other only", other.only_there, marked=True),
        ],
    )
    text = f"The other run has configuration version {other.configuration}."
    return Part("Beside another run", text, (chart,), (table,))
