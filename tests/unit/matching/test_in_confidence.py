"""What participants told matching in confidence has no word of its own in what others read of a run."""

import json
from dataclasses import asdict
from datetime import date
from typing import Any

import pytest

from services.matching import run_solver, snapshot
from services.matching.engine import Configuration, Participant, Pool
from services.matching.run_solver import Job, Question

DAY = date(2026, 3, 2)


def mentee(name: str, **more: Any) -> Participant:
    return Participant(name, level=3, skills={"law": 5}, **more)


def mentor(name: str, **more: Any) -> Participant:
    return Participant(name, level=5, skills={"law": 5}, free=1, **more)


def job(mentees: list[Participant], mentors: list[Participant], **more: Any) -> Job:
    pool = Pool(DAY, tuple(mentees), tuple(mentors), **more)
    return Job(snapshot.take(pool).parts, DAY, asdict(Configuration()))


APART = {
    "the mentee avoids the mentor": job([mentee("ann", avoid=frozenset({"mia"}))], [mentor("mia")]),
    "the mentor avoids the mentee": job([mentee("ann")], [mentor("mia", avoid=frozenset({"ann"}))]),
    "they were a pair before": job([mentee("ann")], [mentor("mia")], failed=frozenset({("ann", "mia")})),
}


def test_why_two_are_kept_apart_reads_the_same_whoever_wants_it() -> None:
    read = {
        json.dumps(run_solver.explain(Question(each, "ann", "mia", None, {})), sort_keys=True)
        for each in APART.values()
    }
    (document,) = read
    found = json.loads(document)
    assert (found["verdict"], [rule["rule"] for rule in found["rules"]]) == ("rule", ["kept-apart"])
    assert found["sentence"] == found["rules"][0]["sentence"]


@pytest.mark.parametrize("each", APART.values(), ids=list(APART))
def test_a_pair_that_is_dropped_is_kept_apart(each: Job) -> None:
    assert run_solver.broken(each, [("ann", "mia")]) == {("ann", "mia"): "kept-apart"}


@pytest.mark.parametrize("each", APART.values(), ids=list(APART))
def test_whoever_is_left_over_shows_no_list(each: Job) -> None:
    told: list[tuple[Any, ...]] = []
    run_solver._solve(each, told.append)
    rows = {message[0]: message[1] for message in told if message[0] in ("pairs", "unmatched", "done")}
    assert rows["unmatched"] == {"mentee": ["ann"], "why": ["rules"], "forbidden": ["{}"]}
    assert rows["done"].figures["forbidden"] == {}
    assert "pairs" not in rows


def test_many_who_are_kept_apart_are_a_number() -> None:
    names = frozenset(f"ann-{number}" for number in range(5))
    told: list[tuple[Any, ...]] = []
    run_solver._solve(
        job([mentee(name) for name in sorted(names)], [mentor("mia", avoid=names)]), told.append
    )
    assert told[-1][1].figures["forbidden"] == {"kept-apart": 5}


def test_wishes_that_are_met_count_without_their_words() -> None:
    wishing = mentee("ann", preferences=("a sailor",), choices=("mia",))
    found = run_solver.explain(
        Question(job([wishing], [mentor("mia", preferences=("a sailor",))]), "ann", "mia", "mia", {"mia": 0})
    )
    shares = {share["factor"]: (share["points"] > 0, share["words"]) for share in found["shares"]}
    assert shares["preferences"] == (True, [])
    assert shares["skills"] == (True, ["law"])
    assert "sailor" not in json.dumps(found)
    assert "choice" not in " ".join(found["reasons"])
