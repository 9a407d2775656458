"""Silence never pays: leaving out what one could tell never gives a pair more points."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from services.matching.engine import Configuration, Participant, Pool
from services.matching.engine.encode import encode
from services.matching.engine.together import factors_of_all
from tests.unit.matching.engine.support import random_pool


def scores_of(pool: Pool) -> dict[tuple[str, str], int]:
    encoded = encode(pool, Configuration())
    names = [(one.person_id, other.person_id) for one in encoded.mentees for other in encoded.mentors]
    mentee, mentor = np.divmod(np.arange(len(names), dtype=np.int32), np.int32(len(encoded.mentors)))
    points = factors_of_all(encoded.people, mentee, mentor).sum(axis=1)
    return dict(zip(names, points.tolist(), strict=True))


def without_each(person: Participant) -> list[tuple[str, Participant]]:
    less: dict[str, Any] = {
        "office": "", "level": None, "interests": person.interests[1:], "working_style": None, "goals": "",
        "skills": dict(list(person.skills.items())[1:]), "preferences": (), "choices": person.choices[:-1],
        "time_zone": "Nowhere/Atlantis", "completed": 0, "languages": person.languages[:1],
    }  # fmt: skip
    return [(name, replace(person, **{name: value})) for name, value in less.items()]


@pytest.mark.parametrize("side", ["mentees", "mentors"])
def test_leaving_something_out_never_raises_a_score(side: str) -> None:
    lowered: set[str] = set()
    for seed in range(12):
        pool = random_pool(seed, 5, 5)
        before = scores_of(pool)
        people: tuple[Participant, ...] = getattr(pool, side)
        for number, person in enumerate(people):
            for name, less in without_each(person):
                changed = replace(pool, **{side: (*people[:number], less, *people[number + 1 :])})  # type: ignore[arg-type]
                for pair, score in scores_of(changed).items():
                    if person.person_id in pair[side == "mentors" :][:1]:
                        assert score <= before[pair], (seed, name, pair)
                        if score < before[pair]:
                            lowered.add(name)
    # Each factor did count somewhere, so that the test would have seen a wrong one.
    assert lowered >= {"office", "level", "interests", "working_style", "goals", "skills", "time_zone"}
