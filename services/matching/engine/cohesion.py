"""What the mentees of a group have in common, and who may not sit in one group.

Two mentees have points together for each skill that both want and each interest that they share, up to a limit; a
mentee counts the sum over the others of the group divided by the places for others (the largest size less one), rounded
down. Nobody is grouped with whom they avoid, nor, where that rule holds, with their manager or report; and where a
language in common is asked for, the whole group has one, the mentor included.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64, csr
from services.matching.engine.compiled import compiled
from services.matching.engine.configuration import Configuration
from services.matching.engine.people import Participant
from services.matching.engine.words import fold

_MOST_USERS: Final = 4_000


class Ties(NamedTuple):
    """Between mentees, by number."""

    start: I64
    """[mentees + 1] into ``topic`` (rising within a mentee)."""
    topic: I32
    users_start: I64
    """[topics + 1] into ``user``."""
    user: I32
    avoid_start: I64
    """[mentees + 1] into ``avoid``, both ways."""
    avoid: I32
    each: int
    most: int
    others: int
    """Places for others in the largest group."""


def ties_of(mentees: Sequence[Participant], configuration: Configuration) -> Ties:
    """What each two mentees have in common, and who may not sit with whom; numbers are places in *mentees*."""
    number = {person.person_id: i for i, person in enumerate(mentees)}
    names: dict[tuple[str, str], int] = {}
    users: list[list[int]] = []
    topics: list[list[int]] = []
    avoided: list[set[int]] = [{number[one] for one in p.avoid if one in number} for p in mentees]
    for i, person in enumerate(mentees):
        keys = {("skill", fold(word)) for word in person.skills} | {
            ("interest", fold(word)) for word in person.interests
        }
        row = []
        for key in sorted(keys - {("skill", ""), ("interest", "")}):
            topic = names.setdefault(key, len(names))
            if topic == len(users):
                users.append([])
            users[topic].append(i)
            row.append(topic)
        topics.append(sorted(row))
    for i, others in enumerate([set(row) for row in avoided]):
        for other in others:
            avoided[other].add(i)
    weights = configuration.weights
    return Ties(
        start=csr(topics),
        topic=np.array([topic for row in topics for topic in row], np.int32),
        users_start=csr(users),
        user=np.array([i for row in users for i in row], np.int32),
        avoid_start=csr([sorted(row) for row in avoided]),
        avoid=np.array([other for row in avoided for other in sorted(row)], np.int32),
        each=weights.coherence,
        most=weights.coherence_most,
        others=configuration.group_size - 1,
    )


@compiled
def _common(t: Any, i: int, k: int) -> int:
    a, b, count = t.start[i], t.start[k], 0
    while a < t.start[i + 1] and b < t.start[k + 1]:
        if t.topic[a] == t.topic[b]:
            count += 1
            a += 1
            b += 1
        elif t.topic[a] < t.topic[b]:
            a += 1
        else:
            b += 1
    return min(t.most, t.each * count)


@compiled
def share_of(t: Any, members: Any, count: int, place: int) -> int:
    """Points that the group gives to one of its members."""
    points = 0
    for other in range(count):
        if other != place:
            points += _common(t, members[place], members[other])
    return points // t.others


@compiled
def together(t: Any, members: Any, count: int) -> int:
    """Points that the group gives to all of its first *count* members."""
    points = 0
    for place in range(count):
        points += share_of(t, members, count, place)
    return points


@compiled
def agree(p: Any, t: Any, members: Any, count: int, i: int, j: int) -> bool:
    """Whether mentee *i* fits to mentor *j* and the first *count* members of the group."""
    side = p.mentees
    for place in range(count):
        k = members[place]
        for at in range(t.avoid_start[i], t.avoid_start[i + 1]):
            if t.avoid[at] == k:
                return False
        if p.tables.line:
            apart = -1
            if side.first[k] <= side.first[i] < side.last[k]:
                apart = side.depth[i] - side.depth[k]
            elif side.first[i] <= side.first[k] < side.last[i]:
                apart = side.depth[k] - side.depth[i]
            if apart >= 0 and (p.tables.line_levels == 0 or apart <= p.tables.line_levels):
                return False
    if not p.tables.language:
        return True
    for word in range(side.languages.shape[1]):
        common = side.languages[i, word] & p.mentors.languages[j, word]
        for place in range(count):
            common &= side.languages[members[place], word]
        if common:
            return True
    return False


@compiled
def most_and_nearest(t: Any, places: int, most: Any, nearest: Any) -> None:
    """*most* [mentees]: no group of *places* others gives a mentee more. *nearest* [mentees, width] are those with whom
    a mentee has most in common, -1 after the last."""
    # Who shares a topic of very many is not looked up: there, everybody is taken to be met who could be.
    size, width = len(most), nearest.shape[1]
    shared = np.zeros(size, np.int32)
    touched = np.empty(size, np.int32)
    for i in range(size):
        count = 0
        highest = 0
        popular = 0
        for at in range(t.start[i], t.start[i + 1]):
            topic = t.topic[at]
            if t.users_start[topic + 1] - t.users_start[topic] > _MOST_USERS:
                popular += 1
                continue
            for place in range(t.users_start[topic], t.users_start[topic + 1]):
                k = t.user[place]
                if k == i:
                    continue
                if shared[k] == 0:
                    touched[count] = k
                    count += 1
                shared[k] += 1
                highest = max(highest, shared[k])
        left, total, kept = places, 0, 0
        for level in range(highest, 0, -1):
            for place in range(count):
                if shared[touched[place]] == level:
                    if left > 0:
                        total += min(t.most, t.each * (level + popular))
                        left -= 1
                    if kept < width:
                        nearest[i, kept] = touched[place]
                        kept += 1
            if left == 0 and kept == width:
                break
        most[i] = (total + left * min(t.most, t.each * popular)) // t.others
        for place in range(count):
            shared[touched[place]] = 0
