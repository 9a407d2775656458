"""What the platform keeps of an HR feed itself: the tenant, and which fields it sends needlessly.

Pay, age and the like are gone before any write; only their names are counted, so that somebody can ask
HR to stop sending them. Names come from outside, so they are cleaned and there is a bound on how many
are kept.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

OTHER: Final = "other"
"""Where everything beyond a bound is counted."""

NAME_LENGTH: Final = 64
SOURCE_LENGTH: Final = 128

_UNSAFE = re.compile(r"[^A-Za-z0-9_.:/\-]")


@dataclass(frozen=True, slots=True)
class Organisation:
    """The tenant itself. HR can only speak of a tenant that an administrator has set up."""

    tenant_id: str
    name: str
    time_zone: str


class Word(StrEnum):
    """Of what a :class:`Vocabulary` holds the names."""

    FIELD = "field"
    SOURCE = "source"


LIMITS: Final[Mapping[Word, int]] = {Word.FIELD: 200, Word.SOURCE: 20}
"""How many distinct names of each are kept for one tenant."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names seen so far, at most :data:`LIMITS`. The first ones seen stay."""

    what: Word
    words: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DroppedField:
    """How often *source* has sent a field that is in no contract."""

    source: str
    name: str
    count: int = 0


def admit(vocabulary: Vocabulary, word: str) -> tuple[Vocabulary, str]:
    """The vocabulary with *word* in it, and the word to count under."""
    if word == OTHER or word in vocabulary.words:
        return vocabulary, word
    if len(vocabulary.words) >= LIMITS[vocabulary.what]:
        return vocabulary, OTHER
    return replace(vocabulary, words=[*vocabulary.words, word]), word


def clean_source(source: str) -> str:
    return _clean(source, SOURCE_LENGTH)


def tally(names: Iterable[str]) -> Mapping[str, int]:
    """Cleaned names and how often each occurs, never more than a vocabulary can hold and :data:`OTHER`."""
    counts = Counter(_clean(name, NAME_LENGTH) for name in names)
    kept = sorted(counts)[: LIMITS[Word.FIELD]]
    tallied = {name: counts[name] for name in kept}
    if rest := counts.total() - sum(tallied.values()):
        tallied[OTHER] = tallied.get(OTHER, 0) + rest
    return tallied


def _clean(name: str, length: int) -> str:
    if "@" in name:  # perhaps an address
        return OTHER
    return _UNSAFE.sub("_", name[:length]) or "_"
