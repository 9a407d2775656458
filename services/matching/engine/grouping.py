"""Mentees moved between groups, compiled: who sits where, and the exchange that gains most."""

from typing import Any, Final, NamedTuple

import numpy as np

from services.matching.engine.arrays import I32, I64
from services.matching.engine.cohesion import agree, share_of, together
from services.matching.engine.compiled import compiled, wide
from services.matching.engine.pairwise import broken_rule, factors_of

_IMPOSSIBLE: Final = -(1 << 60)
_NOBODY: Final = wide(-1)
"""Not a plain number, for which functions would be compiled once more."""


class Groups(NamedTuple):
    """Who sits where."""

    capacity: I64
    members: I32
    """[mentors, largest size]."""
    size: I64
    """[mentors]."""
    points: I64
    """[mentors] that the groups give to their members."""
    mentor: I32
    """[mentees] or -1."""
    worth: I64
    """[mentees] score with their mentor and bonus; 0 with nobody."""
    smallest: int
    trial: I32
    """Room to try a group in."""


@compiled
def seat(p: Any, t: Any, g: Any, assigned: Any) -> None:
    """Fill the groups *g*: who is *assigned* [mentees] to a mentor sits down there if those who sit there allow it."""
    for i in range(len(assigned)):
        j = wide(assigned[i])
        if j >= 0 and _gain(p, t, g, j, _NOBODY, i) > _IMPOSSIBLE:
            _sit(p, t, g, i, j)


@compiled
def _sit(p: Any, t: Any, g: Any, i: int, j: int) -> None:
    g.members[j, g.size[j]] = i
    g.size[j] += 1
    g.mentor[i] = j
    g.worth[i] = factors_of(p, i, j).sum() + p.bonus[i]
    g.points[j] = together(t, g.members[j], g.size[j])


@compiled
def _place(g: Any, i: int) -> int:
    """Where in the group a mentee sits."""
    j, place = g.mentor[i], 0
    while g.members[j, place] != i:
        place += 1
    return place


@compiled
def _leave(t: Any, g: Any, i: int) -> None:
    j, place = g.mentor[i], _place(g, i)
    g.size[j] -= 1
    g.members[j, place] = g.members[j, g.size[j]]
    g.members[j, g.size[j]] = -1
    g.mentor[i] = -1
    g.worth[i] = 0
    g.points[j] = together(t, g.members[j], g.size[j])


@compiled
def _others(g: Any, j: int, out: int) -> int:
    """Puts the group without whoever sits at place *out* (-1 for nobody) on trial; returns how many they are."""
    count = 0
    for place in range(g.size[j]):
        if place != out:
            g.trial[count] = g.members[j, place]
            count += 1
    return count


@compiled
def _loss(t: Any, g: Any, i: int) -> int:
    """What is lost when a mentee leaves their group."""
    j = g.mentor[i]
    return g.worth[i] + g.points[j] - together(t, g.trial, _others(g, j, _place(g, i)))


@compiled
def _gain(p: Any, t: Any, g: Any, j: int, out: int, i: int) -> int:
    """What the group of *j* gains when *i* comes, for whoever sits at place *out* (-1 for nobody)."""
    count = _others(g, j, out)
    if count == g.capacity[j] or broken_rule(p, i, j) != 0 or not agree(p, t, g.trial, count, i, j):
        return _IMPOSSIBLE
    g.trial[count] = i
    gain = factors_of(p, i, j).sum() + p.bonus[i] + together(t, g.trial, count + 1) - g.points[j]
    return gain - g.worth[g.members[j, out]] if out >= 0 else gain


@compiled
def improve(p: Any, t: Any, g: Any, near: Any, nearest: Any, strict: bool) -> int:
    """One look at everybody: the move or exchange that gains most, if any does. *strict*: groups that are large enough
    stay so, and no others are begun. Returns how many were made."""
    made = 0
    for i in range(len(g.mentor)):
        own = wide(g.mentor[i])
        seat = _place(g, i) if own >= 0 else -1
        stays = strict and own >= 0 and g.size[own] <= g.smallest
        loss = _loss(t, g, i) if own >= 0 else 0
        best, to, instead = 0, -1, -1
        for place in range(near.shape[1] + nearest.shape[1]):
            if place < near.shape[1]:
                j = wide(near[i, place])
            else:
                other = nearest[i, place - near.shape[1]]
                j = wide(g.mentor[other]) if other >= 0 else -1
            if j < 0 or j == own or (strict and g.size[j] == 0 and g.smallest > 1):
                continue
            for out in range(-1, g.size[j]):
                if out < 0 and stays:
                    continue
                k = wide(g.members[j, out]) if out >= 0 else -1
                gain = 0
                # One call for both sides of an exchange: its machine code is long.
                for side in range(2 if k >= 0 and own >= 0 else 1):
                    gain += _gain(p, t, g, own if side else j, seat if side else out, k if side else i)
                    if gain < _IMPOSSIBLE // 2:
                        break
                if k < 0:
                    gain -= loss
                if gain > best:
                    best, to, instead = gain, j, k
        if to < 0:
            continue
        made += 1
        if own >= 0:
            _leave(t, g, i)
        if instead >= 0:
            _leave(t, g, instead)
        for side in range(2 if instead >= 0 and own >= 0 else 1):
            _sit(p, t, g, instead if side else i, own if side else to)
    return made


@compiled
def settle(p: Any, t: Any, g: Any) -> int:
    """Fills groups that are too small or gives them up; returns how many there were."""
    small = 0
    pulled = np.empty(len(g.trial), np.int64)
    origin = np.empty(len(g.trial), np.int64)
    for j in range(len(g.size)):
        if g.size[j] == 0 or g.size[j] >= g.smallest:
            continue
        small += 1
        count = 0
        while g.size[j] < g.smallest:
            k = _to_pull(p, t, g, j)
            if k < 0:
                break
            pulled[count], origin[count] = k, g.mentor[k]
            count += 1
            if g.mentor[k] >= 0:
                _leave(t, g, k)
            _sit(p, t, g, k, j)
        if g.size[j] >= g.smallest:
            continue
        for number in range(count):  # first, so that nobody has taken their seat
            _leave(t, g, pulled[number])
            if origin[number] >= 0:
                _sit(p, t, g, pulled[number], origin[number])
        while g.size[j] > 0:
            i = wide(g.members[j, 0])
            _leave(t, g, i)
            to = _best_group(p, t, g, i)
            if to >= 0:
                _sit(p, t, g, i, to)
    return small


@compiled
def _best_group(p: Any, t: Any, g: Any, i: int) -> int:
    """The group that is large enough and gains most by taking a mentee; -1 for none."""
    best, to = _IMPOSSIBLE, -1
    for j in range(len(g.size)):
        if g.smallest <= g.size[j] < g.capacity[j]:
            gain = _gain(p, t, g, j, _NOBODY, i)
            if gain > best:
                best, to = gain, j
    return to


@compiled
def _to_pull(p: Any, t: Any, g: Any, j: int) -> int:
    """Whom the group of *j* would best get from nowhere or from groups that can spare somebody; -1 for nobody."""
    best, chosen = _IMPOSSIBLE, -1
    for k in range(len(g.mentor)):
        own = g.mentor[k]
        if own == j or (own >= 0 and g.size[own] == g.smallest):
            continue
        gain = _gain(p, t, g, j, _NOBODY, k)
        if gain > best and own >= 0:
            gain -= _loss(t, g, k)
        if gain > best:
            best, chosen = gain, k
    return chosen


@compiled
def shares(t: Any, g: Any, coherence: Any) -> None:
    """Write into *coherence* [mentees] what the group gives each of those who sit in one, in points."""
    for j in range(len(g.size)):
        for place in range(g.size[j]):
            coherence[g.members[j, place]] = share_of(t, g.members[j], g.size[j], place)


@compiled
def has_room(p: Any, g: Any, alone: Any, found: Any) -> None:
    """Write into *found* whether a mentor with room is allowed to each of *alone*, numbers of mentees."""
    for number in range(len(alone)):
        for j in range(len(g.size)):
            if g.size[j] < p.capacity[j] and broken_rule(p, alone[number], j) == 0:
                found[number] = True
                break
