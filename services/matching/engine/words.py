"""Words made comparable: folded labels, languages, working hours, and the stems of goals. No libraries.

Goals are compared by the stems that both contain, each worth more the fewer mentors use it (inverse document
frequency). A stem is a word's first six letters without accents: truncation needs no dictionary and works alike
in every language that is written in words.
"""

import re
import unicodedata
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY: int = 24 * 60
WORKING_DAY: int = 8 * 60
"""Minutes; everybody's, at the same local hours."""

_WORD = re.compile(r"[^\W\d_]{3,}")
_ASCII_STEM = re.compile(r"([a-z]{3,6})[a-z]*")
"""The same words cut off, without a call for each: most texts need no more."""
_STEM_LETTERS = 6
_MOST_STEMS = 64
_MOST_LETTERS = 4_000


@lru_cache(maxsize=65_536)
def fold(word: str) -> str:
    """Words that differ in case or spaces only are one word."""
    return " ".join(word.casefold().split())


@lru_cache(maxsize=4096)
def primary(language: str) -> str:
    """``pt-BR`` and ``pt-PT`` understand each other."""
    return language.split("-", 1)[0].lower()


def stems(text: str) -> tuple[str, ...]:
    """The different stems of a text in their order, at most 64."""
    text = text[:_MOST_LETTERS].casefold()
    found = dict.fromkeys(_ASCII_STEM.findall(text) if text.isascii() else map(_stem, _WORD.findall(text)))
    return tuple(found) if len(found) <= _MOST_STEMS else tuple(islice(found, _MOST_STEMS))


def wordings(text: str) -> dict[str, str]:
    """Stem to the word as it stands in the text, where it stands first."""
    found: dict[str, str] = {}
    for word in _WORD.findall(text[:_MOST_LETTERS]):
        found.setdefault(_stem(word.casefold()), word)
    return found


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    if not word.isascii():
        word = "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))
    return word[:_STEM_LETTERS]


@lru_cache(maxsize=4096)
def offset(zone: str, as_of: date) -> int | None:
    """Minutes east of UTC at noon of a day; None for a zone that nobody knows."""
    try:
        noon = datetime.combine(as_of, time(12), UTC).astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return int((noon.utcoffset() or timedelta()).total_seconds()) // 60


def overlap(one: int | None, other: int | None) -> int:
    """Minutes of a working day that two offsets from UTC share; none when one is not known."""
    if one is None or other is None:
        return 0
    apart = abs(one - other) % DAY
    return max(0, WORKING_DAY - min(apart, DAY - apart))


def rarity(using: int, everybody: int) -> int:
    """How often *everybody* can be halved before only *using* are left, in 64ths. Exact, on every machine."""
    if using <= 0 or using >= everybody:
        return 0
    whole = (everybody // using).bit_length() - 1
    ratio = (everybody << 62) // (using << whole)
    bits = 0
    for _ in range(6):
        ratio = (ratio * ratio) >> 62
        bits <<= 1
        if ratio >= 1 << 63:
            bits |= 1
            ratio >>= 1
    return (whole << 6) | bits


def draw(seed: str, person_id: str) -> int:
    """63 bits that order people by nothing they are."""
    return int.from_bytes(blake2b(f"{seed}\x1f{person_id}".encode(), digest_size=8).digest()) >> 1
