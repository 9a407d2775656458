"""When a last day ends: local midnight, with all that clocks do there."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profiles.domain.people import end_of_day


@pytest.mark.parametrize(
    ("day", "zone", "expected"),
    [
        (date(2026, 3, 27), "Europe/Berlin", datetime(2026, 3, 27, 23, tzinfo=UTC)),
        (date(2026, 3, 28), "Europe/Berlin", datetime(2026, 3, 28, 23, tzinfo=UTC)),  # clocks move at 2:00
        (date(2026, 3, 29), "Europe/Berlin", datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (date(2026, 10, 25), "Europe/Berlin", datetime(2026, 10, 25, 23, tzinfo=UTC)),
        (date(2028, 2, 28), "UTC", datetime(2028, 2, 29, tzinfo=UTC)),
        (date(2026, 6, 30), "Asia/Kolkata", datetime(2026, 6, 30, 18, 30, tzinfo=UTC)),
        # Midnight does not exist: clocks jump from 0:00 to 1:00.
        (date(2018, 11, 3), "America/Sao_Paulo", datetime(2018, 11, 4, 3, tzinfo=UTC)),
        # Midnight comes twice: clocks go from 1:00 back to 0:00.
        (date(2018, 11, 3), "America/Havana", datetime(2018, 11, 4, 4, tzinfo=UTC)),
        # A whole day does not exist.
        (date(2011, 12, 29), "Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_it_is_the_first_moment_after_the_day(day: date, zone: str, expected: datetime) -> None:
    assert end_of_day(day, zone) == expected
    before = (expected - timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    assert before.date() == day
    assert expected.astimezone(ZoneInfo(zone)).date() > day


@given(st.dates(), st.sampled_from(["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu", "UTC"]))
def test_every_date_of_the_calendar_has_an_end(day: date, zone: str) -> None:
    assert end_of_day(day, zone).tzinfo is UTC


def test_never_is_the_end_of_the_calendar() -> None:
    assert end_of_day(date.max, "America/New_York") == datetime(9999, 12, 31, 5, tzinfo=UTC)
