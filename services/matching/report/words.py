"""Names and sentences of the page, and numbers as people read them."""

from collections.abc import Mapping
from typing import Final, NamedTuple

FORMS: Final[Mapping[str, str]] = {
    "one-to-one": "one mentor, one mentee",
    "peer": "peers among each other",
    "reverse": "reverse: the junior mentors the senior",
    "group": "one mentor, a group of mentees",
    "flash": "flash: a single conversation",
}
STATES: Final[Mapping[str, str]] = {
    "requested": "Not computed yet.",
    "running": "Being computed.",
    "publishing": "About to be proposed; nobody has been told yet.",
    "ready": "Computed; nobody has been told.",
    "published": "Proposed to the people concerned.",
    "discarded": "Not used; nobody has been told.",
    "failed": "Ended with an error; nobody has been told.",
}
REASONS: Final[Mapping[str, str]] = {
    "nobody": "nobody to be matched with",
    "rules": "rules leave nobody",
    "all-full": "all who fit are full",
    "no-group": "no group that may sit together",
    "no-place": "takes nobody more",
    "mentor-erased": "their mentor's data were erased",
    "peer-erased": "their peer's data were erased",
}
RULES: Final[Mapping[str, str]] = {
    "same-person": "same person",
    "avoid": "on an avoid list",
    "failed-before": "tried before",
    "kept-apart": "kept apart",
    "level": "levels do not fit",
    "overlap": "working hours apart",
    "language": "no common language",
    "department": "same department",
    "team": "same team",
    "reporting-line": "reporting line",
    "full": "no room",
}


class Sides(NamedTuple):
    """What people are called who stand where a mentee and a mentor do."""

    mentee: str
    mentees: str
    mentor: str
    mentors: str


_SIDES: Final = Sides("mentee", "mentees", "mentor", "mentors")
_PEERS: Final = Sides("peer", "peers", "peer", "peers")


def sides_of(form: str) -> Sides:
    """Their names in a form; peers have one."""
    return _PEERS if form == "peer" else _SIDES


def named(names: Mapping[str, str], key: str) -> str:
    """A name for a key of the engine; the key itself when it is a new one."""
    plain = key.lower().replace("_", "-")
    return names.get(plain, plain.replace("-", " "))


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def tiny(share: float) -> str:
    """A share so small that its first two digits matter more than its last."""
    value = 100 * share
    for digits in (2, 3, 4, 5, 6):
        if value >= 10 ** (1 - digits) or value == 0:
            return f"{value:.{digits}f} %"
    return "less than 0.00001 %"


def of(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"
