"""Why two are no pair of a run of peers, in numbers that can be added up."""

from dataclasses import asdict
from datetime import date
from typing import Any

import pytest

from services.matching import snapshot
from services.matching.engine import Configuration, Form, Participant, Pool
from services.matching.peer_solver import PeerQuestion, explain_peers
from services.matching.run_solver import Job, NotInRun

PEER = Configuration(form=Form.PEER)
DAY = date(2026, 3, 2)


def peer(
    name: str, wants: dict[str, int], gives: dict[str, int], level: int = 3
) -> tuple[Participant, Participant]:
    """One person on both sides."""
    one = Participant(name, level=level, free=1, skills=wants)
    return one, Participant(name, level=level, free=1, skills=gives)


PEOPLE = [
    peer("ann", {"law": 5}, {}),
    peer("bob", {}, {"law": 5}),
    peer("cem", {"law": 2}, {"talks": 1}),
    peer("dan", {"talks": 1}, {"law": 1}),
    peer("eva", {}, {}, level=9),
]
POOL = Pool(DAY, tuple(wants for wants, _ in PEOPLE), tuple(gives for _, gives in PEOPLE))
PAIRS = {"ann": "bob", "bob": "ann", "cem": "dan", "dan": "cem"}
BASE = 14_000
"""At one level and in one time zone: 7,000 each."""


def asked(one: str, other: str, pairs: dict[str, str] | None = None) -> dict[str, Any]:
    pairs = PAIRS if pairs is None else pairs
    job = Job(snapshot.take(POOL).parts, DAY, asdict(PEER))
    return explain_peers(PeerQuestion(job, one, other, pairs.get(one), pairs.get(other)))


def test_a_pair_is_the_same_from_either_side() -> None:
    for one, other in (("ann", "bob"), ("bob", "ann")):
        found = asked(one, other)
        assert (found["verdict"], found["score"], found["own_mentor_id"]) == ("paired", BASE + 15_000, other)
        assert [share["words"] for share in found["shares"] if share["factor"] == "skills"] == [["law"]]


def test_who_has_somebody_better() -> None:
    found = asked("ann", "dan")
    assert (found["verdict"], found["score"], found["own_gain"]) == ("worse", BASE + 3_000, BASE + 15_000)
    assert "17,000 points together are no more than the 29,000 that the first has" in found["sentence"]
    found = asked("dan", "ann")
    assert "that the other has" in found["sentence"]


def test_parting_two_pairs_must_pay() -> None:
    """20,000 points together are more than either has, and less than both have."""
    found = asked("cem", "bob", {"cem": "dan", "dan": "cem", "bob": "eva"})
    assert (found["verdict"], found["score"]) == ("price", BASE + 6_000)
    assert found["score"] - found["price"] == found["gain"]
    assert found["gain"] <= found["own_gain"]


def test_a_rule_in_the_words_of_peers() -> None:
    found = asked("ann", "eva")
    assert (found["verdict"], found["rules"][0]["rule"]) == ("rule", "level")
    assert "further apart" in found["sentence"]
    assert found["rules"][0]["sentence"] == found["sentence"]


@pytest.mark.parametrize(("one", "other", "side"), [("zoe", "ann", "mentee"), ("ann", "zoe", "mentor")])
def test_who_was_not_in_the_run(one: str, other: str, side: str) -> None:
    with pytest.raises(NotInRun, match=side):
        asked(one, other)
