"""Why points are given and why pairs are forbidden. Standard library only: a reader of results needs no more."""

from enum import IntEnum


class Factor(IntEnum):
    """Why points are given, in the order in which they are listed."""

    SKILLS = 0
    GOALS = 1
    INTERESTS = 2
    PREFERENCES = 3
    WORKING_STYLE = 4
    EXPERIENCE = 5
    OFFICE = 6
    WORKING_HOURS = 7
    HISTORY = 8
    MENTEE_CHOICE = 9
    MENTOR_CHOICE = 10
    COHERENCE = 11
    """What a mentee has in common with the others of a group; decided outside the kernel."""


class Rule(IntEnum):
    """Which rule forbids a pair; 0 is none."""

    NONE = 0
    SAME_PERSON = 1
    AVOID = 2
    FAILED_BEFORE = 3
    LEVEL = 4
    OVERLAP = 5
    LANGUAGE = 6
    DEPARTMENT = 7
    TEAM = 8
    REPORTING_LINE = 9
    FULL = 10
    """The mentor has no room; decided outside the kernel."""
