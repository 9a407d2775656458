"""Whether those of a group may still sit together."""

from collections.abc import Sequence

import numpy as np

from services.matching.engine.cohesion import agree, ties_of
from services.matching.engine.configuration import Configuration
from services.matching.engine.encode import Encoded


def apart(
    encoded: Encoded, configuration: Configuration, pairs: Sequence[tuple[int, int]]
) -> set[tuple[int, int]]:
    """Of (mentee, mentor) of some groups, by number, those who may not sit with the ones before them."""
    ties = ties_of(encoded.mentees, configuration)
    groups: dict[int, list[int]] = {}
    found = set()
    for i, j in pairs:
        members = groups.setdefault(j, [])
        if agree(encoded.people, ties, np.array(members, np.int32), len(members), i, j):
            members.append(i)
        else:
            found.add((i, j))
    return found
