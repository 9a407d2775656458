"""The report as a page: sound markup, everything escaped, nothing loaded, small groups hidden, nobody left out."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from services.matching.engine.figures import Bars, Proof, ScoredPair, bars_of
from services.matching.report import LeftOver, Report, render
from services.matching.report.page import claim_of
from services.matching.report.parts import of_report
from tests.unit.matching.report.support import empty, figures_of, lifelike

_VOID = frozenset({"meta", "line"})


class Markup(HTMLParser):
    """Fails at an element that is closed wrongly, and keeps what tests ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.named_by: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.text += " "
        self.tags.append(tag)
        for name, value in attrs:
            assert name not in {"src", "onclick", "onload", "style"}
            if name == "id":
                self.ids.append(value or "")
            if name == "aria-labelledby":
                self.named_by += (value or "").split()
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        assert tag in _VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def pages() -> list[Report]:
    one_left = empty(mentees=1, unmatched={"nobody": 1})
    forbidden = empty(mentees=3, mentors=2, unmatched={"rules": 3}, forbidden={"level": 6})
    return [lifelike(), empty(), empty(mentors=40), one_left, forbidden]


@pytest.mark.parametrize("report", pages())
def test_markup_is_sound_and_every_picture_has_a_name(report: Report) -> None:
    markup = Markup(render(report))
    assert len(markup.ids) == len(set(markup.ids))
    assert set(markup.named_by) <= set(markup.ids)
    assert markup.tags.count("h1") == 1
    assert markup.tags.count("svg") == markup.tags.count("desc")
    assert "script" not in markup.tags and "img" not in markup.tags and "link" not in markup.tags


def test_nothing_is_loaded_from_anywhere() -> None:
    assert not re.search(r"https?:|url\(|@import|//", render(lifelike()))


def test_whatever_comes_from_outside_is_escaped() -> None:
    nasty = '<script>alert("x")</script>&\'"'
    figures = figures_of(60, 30)
    figures = replace(
        figures,
        method=nasty,
        worst=replace(figures.worst, lowest=[ScoredPair(nasty, nasty, 1)]),
        unmatched={nasty: 4},
        forbidden={nasty: 9},
        by_group=[replace(one, group=nasty + one.group) for one in figures.by_group],
        proof=replace(figures.proof, covers=nasty),
    )
    page = render(
        replace(
            lifelike(),
            programme=nasty,
            run=nasty,
            state=nasty,
            seed=nasty,
            input_hash=nasty,
            configuration=nasty,
            figures=figures,
            left_over=(LeftOver(nasty, nasty, {nasty: 1}),),
        )
    )
    markup = Markup(page)
    assert "<script" not in page
    assert "script" not in markup.tags
    assert markup.text.count(nasty) > 8


def test_the_heading_names_what_the_run_was_made_from() -> None:
    report = lifelike()
    text = Markup(render(report)).text
    for needed in (report.programme, report.run, report.state, report.input_hash, "version 7", report.seed):
        assert needed in text


def test_small_groups_are_named_and_nothing_else_is_said_of_them() -> None:
    text = " ".join(Markup(render(lifelike())).text.split())
    assert "Board not shown not shown not shown" in text
    assert text.count("Board") == 1


def test_what_is_not_there_has_no_section() -> None:
    text = Markup(render(replace(lifelike(), compared=None, figures=figures_of(100, 600)))).text
    assert "Beside another run" not in text and "Stability" not in text
    assert "Scores of all pairs" in text


def test_an_empty_run_says_why() -> None:
    assert "nobody on one of the two sides" in render(empty())
    assert "No pair was possible." in render(
        empty(mentees=3, mentors=2, unmatched={"rules": 3}, forbidden={"level": 6})
    )


@pytest.mark.parametrize(
    ("bound", "within", "begins"),
    [
        (1_000, True, "Proven: these pairs are worth the most"),
        (1_001, False, "Proven only in part: the best possible could be up to 0.10 % better"),
        (1_001, True, "Proven: the best possible is at most 0.10 % better"),
    ],
)
def test_the_certificate_claims_no_more_than_it_proves(bound: int, within: bool, begins: str) -> None:
    proof = Proof(1_000, bound, (bound - 1_000) / 1_000, 0.0001, within, 9, 9, 1, "All pairs.")
    assert claim_of(replace(figures_of(20, 10), proof=proof)).headline.startswith(begins)


def test_a_number_of_people_that_is_not_proven_is_not_claimed() -> None:
    figures = figures_of(20, 10)
    open_ended = replace(figures, proof=replace(figures.proof, matched_at_most=figures.proof.matched + 2))
    assert any("is open" in sentence for sentence in claim_of(open_ended).sentences)
    assert any("proven as well" in sentence for sentence in claim_of(figures).sentences)


def test_one_pair_only() -> None:
    figures = replace(figures_of(1, 3), scores=Bars([0, 1], [1]))
    Markup(render(replace(lifelike(), figures=figures, compared=None, left_over=())))


def test_bars_of_one_number_each_are_named_in_their_middle() -> None:
    """Between 3 and 4 nobody has a number of mentors."""
    figures = figures_of(60, 30)
    for most in (1, 3):
        choice = replace(figures.choice, bars=bars_of(range(3, 3 + most)))
        (_, spread) = list(of_report(replace(lifelike(), figures=replace(figures, choice=choice))))[:2]
        chart = spread.charts[1]
        assert [label.text for label in chart.labels] == [str(n) for n in range(3, 3 + most)]
        for label, box in zip(chart.labels, chart.boxes, strict=True):
            assert label.x == pytest.approx(box.x + box.width / 2)
