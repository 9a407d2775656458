"""From a report to a page: which facts, figures, charts and tables it has, and in which words."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.matching.engine.figures import SMALLEST_GROUP, Figures
from services.matching.report import parts
from services.matching.report.model import Report
from services.matching.report.parts import Part
from services.matching.report.words import FORMS, STATES, counted, named, of, percent, sides_of, tiny


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    text: str
    code: bool = False
    broad: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """One large number."""

    name: str
    text: str
    note: str
    warn: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """The certificate in words."""

    tone: str
    headline: str
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What the template fills in."""

    title: str
    programme: str
    form: str
    state: str
    state_says: str
    facts: tuple[Fact, ...]
    proof: Claim
    keys: tuple[Key, ...]
    parts: tuple[Part, ...]
    smallest: int = SMALLEST_GROUP


def page_of(report: Report) -> Page:
    """Everything on the page, in order."""
    return Page(
        title=f"Matching run {report.run}: {report.programme}",
        programme=report.programme,
        form=named(FORMS, report.figures.form),
        state=report.state,
        state_says=STATES.get(report.state, ""),
        facts=tuple(_facts(report)),
        proof=claim_of(report.figures),
        keys=tuple(_keys(report.figures)),
        parts=tuple(parts.of_report(report)),
    )


def _facts(report: Report) -> Iterator[Fact]:
    yield Fact("Run", report.run, code=True)
    if report.requested_at is not None:
        yield Fact("Requested", f"{report.requested_at:%d %B %Y, %H:%M %Z}".strip())
    yield Fact("Configuration", f"version {report.configuration}, method {report.figures.method}")
    yield Fact("Seed", report.seed, code=True)
    yield Fact("Hash of the input", report.input_hash, code=True, broad=True)
    yield Fact("Hash of the result", report.digest, code=True, broad=True)


def claim_of(figures: Figures) -> Claim:
    """What is proven, for somebody who has never heard of bounds."""
    proof = figures.proof
    if not figures.pairs:
        nobody = not figures.mentees or not figures.mentors
        empty = "There was nobody." if figures.form == "peer" else "There was nobody on one of the two sides."
        why = empty if nobody else "No pair was possible."
        return Claim("warn", "No pairs were made", (why,))
    sentences = [
        f"These {counted(figures.pairs, 'pair', 'pairs')} are worth {proof.value:,} points. Whatever else the pairs "
        f"could have been, with as many people matched no choice is worth more than {proof.bound:,} points."
    ]
    if proof.matched_at_most == proof.matched:
        sentences.append("It is proven as well that no choice of pairs matches more people.")
    else:
        sentences.append(
            f"Nobody can match more than {proof.matched_at_most:,} people; whether more than these "
            f"{proof.matched:,} can be matched is open."
        )
    sentences.append(
        f"What the proof covers: {proof.covers} It took {counted(proof.rounds, 'look', 'looks')} at all pairs."
    )
    best = proof.bound <= proof.value
    if best:
        headline = "Proven: these pairs are worth the most that is possible"
    elif proof.within_tolerance:
        headline = f"Proven: the best possible is at most {tiny(proof.gap)} better"
    else:
        headline = f"Proven only in part: the best possible could be up to {tiny(proof.gap)} better"
        sentences.insert(
            1,
            f"The programme asks for {tiny(proof.tolerance)}, which this run did not reach. Every pair keeps every "
            "rule all the same.",
        )
    return Claim("good" if best or proof.within_tolerance else "warn", headline, tuple(sentences))


def _keys(figures: Figures) -> Iterator[Key]:
    left = sum(figures.unmatched.values())
    yield Key(
        "Matched",
        percent(of(figures.mentees - left, figures.mentees)) if figures.mentees else "nobody",
        f"{figures.mentees - left:,} of {counted(figures.mentees, 'person', 'people')}",
    )
    yield Key(
        "Without a pair", f"{left:,}", "with the reason below" if left else "nobody is left over", left > 0
    )
    if not figures.pairs:
        return
    yield Key("Mean score", f"{figures.mean_score:,.0f}", "points for each pair")
    yield Key(
        "The worst 5 %",
        f"{figures.worst.mean:,.0f}",
        f"points on average, {counted(figures.worst.pairs, 'pair', 'pairs')}",
    )
    names = sides_of(figures.form)
    if figures.form != "peer":  # where everybody takes one, that all are used is that all are matched
        yield Key(
            "Places used",
            percent(of(figures.load.used, figures.load.places), 0),
            f"{figures.load.used:,} of {figures.load.places:,}, with"
            f" {counted(figures.load.mentors, 'mentor', 'mentors')}",
        )
        yield Key(
            "Unevenness of load", f"{figures.load.gini:.2f}", "Gini: 0 when all mentors have equally many"
        )
    yield Key(
        "Choice",
        f"{figures.choice.median:,}",
        f"{names.mentors} whom the rules leave to the {names.mentee} in the middle",
        figures.choice.none > 0,
    )
    if figures.circles:
        yield Key(
            "Reporting circles",
            f"{figures.circles:,}",
            "errors in HR's data: people who manage each other",
            True,
        )
