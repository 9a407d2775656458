"""The example that docs/architecture/matching.md works out: a change here is a change there."""

from datetime import date
from pathlib import Path

import pytest

from services.matching.engine import Configuration, Objective, Participant
from services.matching.engine.factors import Factor
from services.matching.engine.match import match
from services.matching.engine.words import WORKING_DAY, offset, overlap
from tests.unit.matching.engine.support import crowd, run, scores

JANUARY = date(2026, 1, 15)
PAGE = Path(__file__).parents[4] / "docs" / "architecture" / "matching.md"


def test_the_page_says_what_the_engine_does() -> None:
    result = run(
        [
            Participant("ana", level=3, skills={"law": 5}, interests=("chess",)),
            Participant("ben", level=3, skills={"law": 4}),
            Participant("cem", level=4),
        ],
        [
            Participant("mia", level=5, skills={"law": 5}, interests=("chess",), free=1),
            Participant("noa", level=7, free=2),
        ],
    )
    made = {(pair.mentee_id, pair.mentor_id): pair.score for pair in result.pairs}
    assert made == {("ana", "mia"): 31_000, ("ben", "noa"): 12_500, ("cem", "noa"): 14_000}
    assert result.pairs[0].factors == {
        Factor.SKILLS: 15_000, Factor.INTERESTS: 2_000, Factor.EXPERIENCE: 7_000, Factor.WORKING_HOURS: 7_000,
    }  # fmt: skip
    assert result.prices == {"mia": 18_500, "noa": 5_001}
    assert (result.certificate.value, result.certificate.bound) == (57_500, 57_501)
    page = PAGE.read_text()
    for number in ("31,000", "18,500", "5,001", "57,500", "57,501"):
        assert number in page
    assert (
        overlap(offset("Australia/Sydney", JANUARY), offset("America/Chicago", JANUARY)) == WORKING_DAY // 8
    )


@pytest.mark.parametrize("objective", Objective)
@pytest.mark.parametrize("mentors", [15, 60])
def test_a_certificate_is_added_up_from_scores_and_prices_alone(objective: Objective, mentors: int) -> None:
    """What the page says, for a crowd: scores by the plain rules of the tests, prices from the run."""
    pool, configuration = crowd(60, mentors), Configuration(objective=objective)
    result = match(pool, configuration)
    table = scores(pool, configuration)
    each = 136_001 if objective is Objective.PEOPLE else 0
    price = [result.prices.get(person.person_id, 0) for person in pool.mentors]
    gains = [
        max(
            0,
            *(score + each - price[j] for j, score in enumerate(row) if score >= 0 and pool.mentors[j].free),
        )
        for row in table.tolist()
    ]
    bound = sum(gains) + sum(p * person.free for p, person in zip(price, pool.mentors, strict=True))
    assert result.certificate.bound == bound - each * len(result.pairs)
    assert result.certificate.value <= result.certificate.bound <= 1.0001 * result.certificate.value
