"""Offices around the world: their time zones, languages and the cultures of the names one meets there.

Chosen for what breaks software: half- and quarter-hour offsets, both hemispheres, zones without
daylight saving time and one whose daylight saving time follows Ramadan.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final

from deploy.local.hr.draw import pick, pick_weighted
from deploy.local.hr.names import CULTURES


@dataclass(frozen=True, slots=True)
class Office:
    """An office: IANA time zone, BCP 47 languages spoken there, and its weight when people are placed."""

    name: str
    time_zone: str
    languages: tuple[str, ...]
    cultures: tuple[str, ...]
    weight: int


def _office(name: str, zone: str, languages: str, cultures: str, weight: int) -> Office:
    return Office(name, zone, tuple(languages.split()), tuple(cultures.split()), weight)


OFFICES: Final[Mapping[str, Office]] = {
    office.name: office
    for office in (
        _office("Berlin", "Europe/Berlin", "de", "de de tr pl", 9),
        _office("London", "Europe/London", "en", "en en in africa", 9),
        _office("New York", "America/New_York", "en", "en es it", 9),
        _office("Bengaluru", "Asia/Kolkata", "en hi", "in", 9),
        _office("Paris", "Europe/Paris", "fr", "fr fr ar", 6),
        _office("Warszawa", "Europe/Warsaw", "pl", "pl", 6),
        _office("Shanghai", "Asia/Shanghai", "zh", "zh", 6),
        _office("São Paulo", "America/Sao_Paulo", "pt-BR", "pt", 5),
        _office("Tokyo", "Asia/Tokyo", "ja", "ja", 5),
        _office("Chicago", "America/Chicago", "en", "en es", 5),
        _office("San Francisco", "America/Los_Angeles", "en", "en zh vi", 5),
        _office("Madrid", "Europe/Madrid", "es", "es", 4),
        _office("Zürich", "Europe/Zurich", "de fr", "de fr it", 4),
        _office("Praha", "Europe/Prague", "cs", "cs", 3),
        _office("Göteborg", "Europe/Stockholm", "sv", "nordic", 3),
        _office("İstanbul", "Europe/Istanbul", "tr", "tr", 3),
        _office("Milano", "Europe/Rome", "it", "it", 3),
        _office("Seoul", "Asia/Seoul", "ko", "ko", 3),
        _office("Sydney", "Australia/Sydney", "en", "en vi pacific", 3),
        _office("Lagos", "Africa/Lagos", "en", "africa", 3),
        _office("Dubai", "Asia/Dubai", "ar en", "ar in", 3),
        _office("Athína", "Europe/Athens", "el", "el", 2),
        _office("Tel Aviv", "Asia/Jerusalem", "he", "he", 2),
        _office("Santiago", "America/Santiago", "es", "es", 2),
        _office("Kathmandu", "Asia/Kathmandu", "en", "in", 1),
        _office("Casablanca", "Africa/Casablanca", "fr ar", "ar fr", 1),
        _office("Auckland", "Pacific/Auckland", "en", "pacific en", 1),
        _office("St. John’s", "America/St_Johns", "en fr", "en", 1),
    )
}

_ALL = tuple(OFFICES.values())
_WEIGHTS = tuple(accumulate(office.weight for office in _ALL))
_LANGUAGES = tuple(sorted({language for office in OFFICES.values() for language in office.languages}))


def choose_office(random: Random) -> Office:
    """Any office, the large ones more often."""
    return pick_weighted(random, _ALL, _WEIGHTS)


def invent_languages(random: Random, office: Office) -> tuple[str, ...]:
    """The first language of the place, English for nine in ten, sometimes one more."""
    spoken = [office.languages[0]]
    if random.random() < 0.9:
        spoken.append("en")
    if random.random() < 0.25:
        spoken.append(pick(random, office.languages if random.random() < 0.5 else _LANGUAGES))
    return tuple(dict.fromkeys(spoken))


def invent_culture(random: Random, office: Office | None) -> str:
    """The culture of a person's name: four in five that of the office, the others from anywhere."""
    if office is not None and random.random() < 0.8:
        return pick(random, office.cultures)
    return pick(random, CULTURES)
