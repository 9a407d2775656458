"""Peers: pairs in one pool. Small pools against all sets of pairs; large ones between a bound and an exact solver."""

import random
from dataclasses import replace
from functools import cache

import networkx
import pytest

from services.matching.engine import Configuration, Form, Objective, Participant, Pool, Rules
from services.matching.engine import peer as solver
from services.matching.engine.match import match
from services.matching.engine.words import WORKING_DAY, offset, overlap, rarity, stems
from tests.unit.matching.engine.support import DAY, is_allowed, random_pool, random_rules

PEER = Configuration(form=Form.PEER)


Face = tuple[Participant, Participant]
"""Somebody as who wants and as who gives."""


def faces(pool: Pool) -> list[Face]:
    """Everybody as who wants and as who gives, in plain Python."""
    wants = {person.person_id: person for person in pool.mentees}
    gives = {person.person_id: person for person in pool.mentors}
    both = []
    for person_id in sorted({*wants, *gives}):
        want, give = wants.get(person_id), gives.get(person_id)
        if give is not None and give.free == 0:
            continue
        own = want or give
        assert own is not None
        choices = tuple(dict.fromkeys((want.choices if want else ()) + (give.choices if give else ())))
        avoid = (want.avoid if want else frozenset()) | (give.avoid if give else frozenset())
        own = replace(own, choices=choices, avoid=avoid)
        silent = replace(own, skills={}, preferences=())
        both.append(
            (
                replace(silent, skills=want.skills, preferences=want.preferences) if want else silent,
                replace(silent, skills=give.skills, preferences=give.preferences) if give else silent,
            )
        )
    return both


def score_of(pool: Pool, everybody: int, using: dict[str, int], one: Face, other: Face) -> int:
    w = PEER.weights
    (want, give), (want2, give2) = one, other
    skills = sum(n * give2.skills.get(s, 0) for s, n in want.skills.items())
    skills += sum(n * give.skills.get(s, 0) for s, n in want2.skills.items())
    points = min(w.skills_most, w.skill * skills)
    common = [s for s in stems(want.goals) if s in stems(want2.goals) and using[s] <= max(1, everybody // 10)]
    points += min(w.goals_most, sum(w.goal_term * rarity(using[s], everybody) // 64 for s in common))
    interests = {x.lower() for x in want.interests} & {x.lower() for x in want2.interests}
    points += min(w.interests_most, w.interest * len(interests))
    wishes = len(set(want.preferences) & set(give2.preferences))
    wishes += len(set(want2.preferences) & set(give.preferences))
    points += min(w.preferences_most, w.preference * wishes)
    points += w.working_style if want.working_style and want.working_style == want2.working_style else 0
    if want.level is not None and want2.level is not None:
        points += max(0, w.experience - w.experience_fall * abs(want.level - want2.level))
    points += w.same_office if want.office and want.office == want2.office else 0
    zones = offset(want.time_zone, pool.as_of), offset(want2.time_zone, pool.as_of)
    points += w.overlap * overlap(*zones) // WORKING_DAY
    for a, b in ((want, want2), (want2, want)):
        if b.person_id in a.choices:
            points += max(0, w.first_choice - w.choice_fall * a.choices.index(b.person_id))
    return points


def table_of(pool: Pool, rules: Rules) -> tuple[list[Participant], dict[tuple[int, int], int]]:
    """People who take a peer, and the scores of allowed pairs."""
    gap = rules.peer_level_gap
    levels = replace(rules, minimum_level_gap=gap if gap is None else -gap, maximum_level_gap=gap)
    both = faces(pool)
    failed = pool.failed | {(b, a) for a, b in pool.failed}
    # Whoever takes nobody more is still among those whose words are counted.
    everybody = {person.person_id: person for person in (*pool.mentors, *pool.mentees)}
    using: dict[str, int] = {}
    for person in everybody.values():
        for stem in stems(person.goals):
            using[stem] = using.get(stem, 0) + 1
    scores = {
        (i, k): score_of(pool, len(everybody), using, both[i], both[k])
        for i in range(len(both))
        for k in range(i)
        if is_allowed(replace(pool, failed=failed), levels, both[i][0], both[k][0])
    }
    return [want for want, _ in both], scores


def best_of(people: list[Participant], scores: dict[tuple[int, int], int], each: int) -> int:
    """The highest sum over all sets of pairs, twice the score and *each* for everybody matched, by priority."""
    worth = {
        pair: 2 * score + sum(each + 1_000_000 * people[n].priority for n in pair)
        for pair, score in scores.items()
    }

    @cache
    def best(left: int) -> int:
        if left == 0:
            return 0
        i = left.bit_length() - 1
        rest = left & ~(1 << i)
        return max(
            [best(rest)]
            + [worth[i, k] + best(rest & ~(1 << k)) for k in range(i) if rest >> k & 1 and (i, k) in worth]
        )

    return best((1 << len(people)) - 1)


@pytest.mark.parametrize("block", range(4))
def test_small_pools_are_solved_exactly(block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        r = random.Random(seed)
        pool = random_pool(seed, r.randrange(1, 6), r.randrange(3, 7))
        rules = replace(random_rules(seed), peer_level_gap=r.choice([None, 0, 1, 3]))
        objective = r.choice(list(Objective))
        configuration = replace(PEER, seed=str(seed), rules=rules, objective=objective)
        result = match(pool, configuration)
        people, scores = table_of(pool, rules)
        number = {person.person_id: n for n, person in enumerate(people)}
        each = 50_000_000 if objective is Objective.PEOPLE else 0
        got = 0
        seen: list[str] = []
        for pair in result.pairs:
            i, k = number[pair.mentee_id], number[pair.mentor_id]
            assert pair.mentee_id < pair.mentor_id
            assert scores[max(i, k), min(i, k)] == pair.score, (seed, pair)
            got += 2 * pair.score + sum(each + 1_000_000 * people[n].priority for n in (i, k))
            seen += [pair.mentee_id, pair.mentor_id]
        assert len(seen) == len(set(seen)), seed
        assert got == best_of(people, scores, each), seed
        assert result.certificate.gap == 0.0
        left = {one.mentee_id for one in result.unmatched}
        everybody = {person.person_id for person in (*pool.mentees, *pool.mentors)}
        assert left | set(seen) == everybody and not left & set(seen), seed


def peers(seed: int, size: int) -> Pool:
    r = random.Random(seed)
    words = [f"skill {n}" for n in range(25)]
    people = [
        Participant(
            f"p{n:04}",
            department=r.choice("abcd"),
            level=r.randint(1, 6),
            skills={word: r.randint(1, 5) for word in r.sample(words, 3)},
            interests=(r.choice(words),),
            free=1,
        )
        for n in range(size)
    ]
    giving = [replace(p, skills={word: r.randint(1, 5) for word in r.sample(words, 3)}) for p in people]
    return Pool(DAY, tuple(people), tuple(giving))


@pytest.mark.parametrize("seed", range(3))
def test_without_the_exact_solver_the_pairs_lie_between_it_and_the_bound(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = peers(seed, 90)
    exact = match(pool, PEER)
    monkeypatch.setattr(solver, "MOST_EXACT", 0)
    result = match(pool, PEER)
    assert result.certificate.covers == solver.COVERS != exact.certificate.covers
    taken = [one for pair in result.pairs for one in (pair.mentee_id, pair.mentor_id)]
    assert len(taken) == len(set(taken)) == result.certificate.matched == 90
    # The bound lies above every set of pairs, the best one included.
    assert result.certificate.value <= exact.certificate.value <= result.certificate.bound
    assert result.certificate.value >= 0.97 * exact.certificate.value
    assert result == match(pool, PEER, threads=1)


def test_three_equals_show_what_the_bound_cannot_prove(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "MOST_EXACT", 0)
    people = tuple(Participant(f"p{n}", level=3, free=1) for n in range(3))
    result = match(Pool(DAY, people, people), replace(PEER, objective=Objective.VALUE))
    (pair,) = result.pairs
    assert result.certificate.value == pair.score == 14_000
    assert result.certificate.bound == 21_000
    assert not result.certificate.within_tolerance
    assert result.certificate.matched == result.certificate.matched_at_most == 2


def test_the_exact_solver_is_asked_for_what_it_promises() -> None:
    """A path of three pairs in which the middle one is best: most people first takes the outer two."""
    path = networkx.Graph()
    path.add_weighted_edges_from([(0, 1, 5), (1, 2, 11), (2, 3, 5)])
    assert len(networkx.max_weight_matching(path)) == 1
    assert len(networkx.max_weight_matching(path, maxcardinality=True)) == 2


def test_peers_may_differ_in_level_as_little_as_the_rule_says() -> None:
    people = tuple(Participant(f"p{n}", level=level, free=1) for n, level in enumerate((2, 3, 9)))
    pool = Pool(DAY, people, people)
    assert [(p.mentee_id, p.mentor_id) for p in match(pool, PEER).pairs] == [("p0", "p1")]
    assert match(pool, replace(PEER, rules=Rules(peer_level_gap=0))).pairs == ()
    assert [one.why for one in match(pool, replace(PEER, rules=Rules(peer_level_gap=0))).unmatched] == [
        "rules"
    ] * 3


def test_who_only_wants_or_only_gives_is_a_peer_too() -> None:
    one, other = Participant("a", skills={"law": 5}), Participant("m", skills={"law": 4}, free=1)
    (pair,) = match(Pool(DAY, (one,), (other,)), PEER).pairs
    assert (pair.mentee_id, pair.mentor_id) == ("a", "m")
    assert "One knows law, which the other wants to learn" in pair.reasons
    full = match(Pool(DAY, (one,), (replace(other, free=0),)), PEER)
    assert {u.mentee_id: u.why.value for u in full.unmatched} == {"a": "all-full", "m": "no-place"}
