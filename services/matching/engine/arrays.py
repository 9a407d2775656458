"""People as arrays: what the compiled kernel reads. Rows of a side are in the order of ``ids``."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

I8 = NDArray[np.int8]
I16 = NDArray[np.int16]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

INFEASIBLE: Final = -(1 << 29)
"""Points of a pair that a rule over levels or working hours forbids."""

UNKNOWN: Final = -1
"""Level, style or office of somebody who has none."""


SPARSE: Final = 4
"""The first factors are sums over words that both have."""


class Side(NamedTuple):
    """Mentees or mentors."""

    draw: I64
    level: I16
    office: I32
    zone: I32
    style: I32
    department: I32
    team: I32
    languages: U64
    """[people, words]: one bit for each primary language."""
    first: I32
    last: I32
    depth: I32
    constant: I32
    """Points that do not depend on the partner (a mentor's history)."""


class Words(NamedTuple):
    """What both can have: each mentee's words, and for each word the mentors who have it.

    Words of one factor are neighbours, in a mentee's row and in the numbering.
    """

    start: I64
    """[mentees + 1] into ``word`` and ``points``."""
    word: I32
    points: I32
    factor: I32
    """[words]."""
    users: I64
    """[words + 1] into ``mentor`` (rising within a word) and ``strength``."""
    mentor: I32
    strength: I32
    most: I32
    """[SPARSE] highest points of a factor."""


class Meaning(NamedTuple):
    """Goals as vectors, each of a length of about 127; without dimensions when goals are compared by terms."""

    mentees: I8
    """[mentees, dimensions]."""
    mentors: I8
    floor: int
    """Inner products up to this one give no points."""
    span: int
    """So far above the floor points are full."""
    most: int


class Special(NamedTuple):
    """Pairs with a word of their own, by mentee and in the order of mentors."""

    start: I64
    mentor: I32
    rule: I16
    """The rule that forbids the pair, or 0."""
    by_mentee: I32
    by_mentor: I32
    """Points for being somebody's choice."""


class Tables(NamedTuple):
    """What depends on two small numbers only."""

    levels: I32
    """[mentee's level + 1, mentor's level + 1] points, or INFEASIBLE."""
    zones: I32
    """[zone, zone] points, or INFEASIBLE."""
    same_office: int
    working_style: int
    same_department: int
    """1 when it is allowed."""
    same_team: int
    line: int
    """1 when the rule is on."""
    line_levels: int
    """0 for any depth."""
    language: int
    """1 when one in common is needed."""


class Population(NamedTuple):
    """Everything that the kernel reads."""

    mentees: Side
    mentors: Side
    words: Words
    meaning: Meaning
    special: Special
    tables: Tables
    capacity: I64
    bonus: I64
    """[mentees] points for being matched at all; the same with every mentor."""
    order: I64
    """[mentees] in classes of equal level, zone, office and style."""
    kind: I64
    """[mentees] number of the class."""


def csr(rows: Sequence[Sequence[Any]]) -> I64:
    """Where each row starts, and the end."""
    start = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=start[1:])
    return start
