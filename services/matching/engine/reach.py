"""Whether anybody more could be matched: paths of exchanges over all allowed pairs (Berge 1957).

Somebody unmatched can be added exactly when a chain leads from them to a mentor with room: the first mentor passes one
of theirs on to a second, who passes one on, and so forth. If no chain exists, the number matched is the highest there
is, whatever the scores.
"""

from typing import Any

import numpy as np

from services.matching.engine.arrays import I32, Population
from services.matching.engine.compiled import compiled, wide
from services.matching.engine.pairwise import broken_rule

_MOST_CHAINS = 1_000


@compiled
def _chain(p: Any, assigned: Any, taken: Any, start: Any, members: Any, came: Any, via: Any) -> int:
    """Marks whom unmatched mentees reach. The mentor with room at the end of a chain, or -1.

    *came* [mentors] is the mentee through whom a mentor was reached, -1 for not reached; *via* [mentees] is the
    mentor from whom a mentee would be passed on, -1 for the unmatched.
    """
    mentees, mentors = len(assigned), len(taken)
    unreached = np.empty(mentors, np.int32)
    left = 0
    for j in range(mentors):
        came[j] = -1
        if p.capacity[j] > 0:
            unreached[left] = j
            left += 1
    queue = np.empty(mentees, np.int32)
    tail = 0
    for i in range(mentees):
        via[i] = -1
        if assigned[i] < 0:
            queue[tail] = i
            tail += 1
    head = 0
    while head < tail and left > 0:
        i = queue[head]
        head += 1
        kept = 0
        for place in range(left):
            j = unreached[place]
            if broken_rule(p, wide(i), wide(j)) != 0:
                unreached[kept] = j
                kept += 1
                continue
            came[j] = i
            if taken[j] < p.capacity[j]:
                return j
            for member in range(start[j], start[j + 1]):
                via[members[member]] = j
                queue[tail] = members[member]
                tail += 1
        left = kept
    return -1


def match_more(people: Population, assigned: I32) -> tuple[I32, int, bool]:
    """The assignment with everybody added for whom there is a chain, how many were, and whether that is proven
    to be all."""
    assigned = assigned.copy()
    mentees, mentors = len(assigned), len(people.capacity)
    came, via = np.empty(mentors, np.int32), np.empty(mentees, np.int32)
    for added in range(_MOST_CHAINS):
        matched = np.flatnonzero(assigned >= 0)
        members = matched[np.argsort(assigned[matched], kind="stable")].astype(np.int32)
        taken = np.bincount(assigned[matched], minlength=mentors).astype(np.int64)
        start = np.zeros(mentors + 1, np.int64)
        np.cumsum(taken, out=start[1:])
        end = int(_chain(people, assigned, taken, start, members, came, via))
        if end < 0:
            return assigned, added, True
        while end >= 0:
            mentee = int(came[end])
            assigned[mentee] = end
            end = int(via[mentee])
    return assigned, _MOST_CHAINS, False
