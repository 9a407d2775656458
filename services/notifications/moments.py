"""Moments as people read them: in one person's time zone, with the zone named.

All arithmetic is in UTC; the zone comes in at the end only, so that a session over a clock change keeps its
length.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from string import Template as Text
from typing import Any
from zoneinfo import ZoneInfo


@cache
def zone(name: str | None) -> tzinfo:
    """The zone of this name; UTC when there is none or this machine does not know it."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return UTC


class Moments:
    """Writes moments for one reader. Every method gives "" for a moment that is not known."""

    def __init__(self, phrases: Mapping[str, Any], time_zone: str | None) -> None:
        self._phrases = phrases
        self._zone = zone(time_zone)

    def day(self, moment: str | None) -> str:
        return self._write("day", moment)

    def short(self, moment: str | None) -> str:
        """Day and time, for a subject line."""
        return self._write("short", moment)

    def moment(self, moment: str | None) -> str:
        return self._write("moment", moment)

    def span(self, moment: str | None, minutes: int | None) -> str:
        """From when to when."""
        if moment is None or minutes is None:
            return self.moment(moment)
        start = self._local(moment)
        end = (start.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(self._zone)
        phrase = "span" if end.date() == start.date() else "span_over_midnight"
        return self._write(phrase, moment, end=f"{end:%H:%M}")

    def differ(self, other: str | None, moment: str | None) -> bool:
        """Whether clocks in the zone *other* show another time then."""
        if other is None or moment is None:
            return False
        start = self._local(moment)
        return start.utcoffset() != start.astimezone(zone(other)).utcoffset()

    def _local(self, moment: str) -> datetime:
        return datetime.fromisoformat(moment).astimezone(self._zone)

    def _write(self, phrase: str, moment: str | None, **more: str) -> str:
        if moment is None:
            return ""
        local = self._local(moment)
        return Text(self._phrases[phrase]).substitute(
            weekday=self._phrases["weekdays"][local.weekday()],
            day=local.day,
            month=self._phrases["months"][local.month - 1],
            year=local.year,
            start=f"{local:%H:%M}",
            zone=_zone_name(local),
            **more,
        )


def _zone_name(local: datetime) -> str:
    """For instance ``Europe/Berlin (UTC+02:00)``: a name for those who know it, an offset for the others."""
    name = str(local.tzinfo).replace("_", " ")
    offset = f"{local:%z}"
    return name if name == "UTC" else f"{name} (UTC{offset[:3]}:{offset[3:5]})"
