"""The stable variants: no pair would rather have each other, and each side's own variant is the best for it."""

import numpy as np

from services.matching.engine import Configuration
from services.matching.engine.encode import encode
from services.matching.engine.search import search
from services.matching.engine.stable import blocking_pairs, mentees_propose, mentors_propose, preferences_of
from tests.unit.matching.engine.support import crowd, random_pool, random_rules


def test_no_pair_blocks_and_proposing_pays() -> None:
    differ = 0
    for seed in range(150):
        configuration = Configuration(seed=str(seed), rules=random_rules(seed))
        people = encode(random_pool(seed, 16, 9), configuration).people
        graph = search(people, configuration).graph
        liked = preferences_of(people, graph)
        one = mentees_propose(graph, people.capacity, liked)
        other = mentors_propose(graph, people.capacity, liked)
        for chosen in (one, other):
            assert blocking_pairs(people, graph, chosen) == 0
            used = np.bincount(chosen[chosen >= 0], minlength=len(people.capacity))
            assert (used <= people.capacity).all()
        # The rural hospitals theorem: the same people are matched in all stable assignments.
        assert ((one >= 0) == (other >= 0)).all()
        for i in range(len(one)):
            rank = {int(graph.mentor[i, a]): int(liked.by_mentee[i, a]) for a in range(graph.count[i])}
            assert rank.get(int(one[i]), -1) >= rank.get(int(other[i]), -1)
        differ += bool((one != other).any())
    assert differ > 0


def test_blocking_pairs_are_counted() -> None:
    configuration = Configuration()
    people = encode(crowd(60, 40), configuration).people
    found = search(people, configuration)
    nobody = np.full(60, -1, np.int32)
    possible = int(found.graph.count.sum())
    assert blocking_pairs(people, found.graph, nobody) == possible > 0
    # The most valuable assignment is not stable: that is its price.
    assert blocking_pairs(people, found.graph, found.mentor) > 0
