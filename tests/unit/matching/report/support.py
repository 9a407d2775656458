"""Runs to be shown: a large lifelike one, and one in which there was nobody."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

from services.matching.engine.figures import (
    Figures,
    Proof,
    Raise,
    ScoredPair,
    Stability,
    bars_of,
    by_group,
    choice_of,
    load_of,
    worst_of,
)
from services.matching.report import Comparison, LeftOver, Report

COVERS = "All pairs that the rules allow, with these capacities and scores."


def figures_of(mentees: int = 1_200, mentors: int = 420, seed: int = 1) -> Figures:
    """Made-up figures of a run in which most find somebody."""
    random = Random(seed)
    room = {f"m{number:04}": random.randint(0, 5) for number in range(mentors)}
    places = [mentor for mentor, free in room.items() for _ in range(free)]
    random.shuffle(places)
    numbers = list(range(mentees))
    given = dict(zip(numbers, places[: int(mentees * 0.94)], strict=False))
    scores = {number: max(4_000, int(random.gauss(52_000, 11_500))) for number in given}
    pairs = [ScoredPair(f"e{n:04}", mentor, scores[n]) for n, mentor in given.items()]
    value = sum(scores.values())
    left = mentees - len(given)
    departments = ["Engineering", "Sales", "Operations", "Finance", "Research and development", "People"]
    groups = random.choices(departments, weights=[40, 25, 20, 9, 5, 1], k=mentees - 3) + ["Board"] * 3
    by_rules = left // 4
    return Figures(
        form="one-to-one",
        method="optimal",
        configuration="5f0c" * 16,
        mentees=mentees,
        mentors=mentors,
        pairs=len(given),
        proof=Proof(
            value=value,
            bound=value + value // 40_000,
            gap=(value // 40_000) / value if value else 0.0,
            tolerance=0.0001,
            within_tolerance=True,
            matched=len(given),
            matched_at_most=len(given),
            rounds=2,
            covers=COVERS,
        ),
        mean_score=value / len(given) if given else 0.0,
        scores=bars_of(list(scores.values())),
        worst=worst_of(pairs),
        choice=choice_of([max(0, int(random.gauss(140, 60))) for _ in range(min(mentees, 500))]),
        load=load_of(room, Counter(given.values())),
        unmatched={"all-full": left - by_rules, "rules": by_rules} if left else {},
        forbidden={"level": 9_120, "language": 4_803, "department": 611, "reporting-line": 77}
        if by_rules
        else {},
        by_group=list(by_group(groups[:mentees], scores)),
        circles=1,
        stability=None,
        fairness=None,
    )


def lifelike() -> Report:
    """With everything that a page can have."""
    figures = replace(
        figures_of(),
        stability=Stability(0, 60_113_200, 412, 1_743_282, 9),
        fairness=Raise(4_000, 11_500, 2_310),
    )
    return Report(
        programme="Career mentoring 2026 & beyond",
        run="0197c1de-3a52-7c30-9d0e-3f1c2a7b9d41",
        state="ready",
        requested_at=datetime(2026, 3, 2, 9, 41, tzinfo=UTC),
        configuration="7",
        input_hash="9b1c" * 16,
        seed="programme-2026-spring",
        digest="a07f" * 16,
        figures=figures,
        left_over=tuple(
            LeftOver(
                f"e{number:04}",
                "rules" if number % 4 == 0 else "all-full",
                {"level": 91, "language": max(3, 1_300 - number)},
            )
            for number in range(1_128, 1_200)
        ),
        compared=Comparison(
            "0197c1aa-0000-7000-8000-000000000001", "6", figures_of(seed=2), 803, 290, 35, 21
        ),
    )


def empty(**changes: object) -> Report:
    """Nobody at all, unless *changes* of the figures say otherwise."""
    figures = replace(figures_of(0, 0), circles=0, **changes)  # type: ignore[arg-type]
    return Report("Empty", "r1", "ready", None, "1", "00", "0", "00", figures)
