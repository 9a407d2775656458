"""Fields that HR should not send: counted by name, within bounds, and nothing else of them is kept."""

from hypothesis import given
from hypothesis import strategies as st

from services.profiles.domain.intake import (
    LIMITS,
    NAME_LENGTH,
    OTHER,
    DroppedField,
    Vocabulary,
    Word,
    admit,
    tally,
)
from services.profiles.store import DROPPED_FIELD
from shared.messaging.handlers import Outcome
from tests.unit.profiles.support import World, recorded


def counts(world: World) -> dict[tuple[str, str], int]:
    rows: list[DroppedField] = world.store.all(DROPPED_FIELD)
    return {(row.source, row.name): row.count for row in rows}


async def test_they_are_counted_by_source_and_name() -> None:
    world = World()
    await world.hear(recorded(), 1, dropped=("pay", "age"))
    await world.hear(recorded(), 2, dropped=("pay",))
    await world.hear(recorded(), 3, dropped=("pay",), source="urn:other-hr")
    assert counts(world) == {("urn:hr", "pay"): 2, ("urn:hr", "age"): 1, ("urn:other-hr", "pay"): 1}


async def test_a_stale_event_has_sent_them_as_well() -> None:
    world = World()
    await world.hear(recorded(), 2)
    assert await world.hear(recorded(), 1, dropped=("pay",)) is Outcome.STALE
    assert counts(world) == {("urn:hr", "pay"): 1}


async def test_no_more_names_than_the_bound() -> None:
    world = World()
    for number in range(3):
        await world.hear(recorded(), number, dropped=tuple(f"f{number}-{i}" for i in range(150)))
    kept = counts(world)
    assert len(kept) == LIMITS[Word.FIELD] + 1
    assert kept["urn:hr", OTHER] == 450 - LIMITS[Word.FIELD]
    assert sum(kept.values()) == 450


async def test_no_more_sources_than_the_bound() -> None:
    world = World()
    for number in range(LIMITS[Word.SOURCE] + 5):
        await world.hear(recorded(), number, dropped=("pay", "age"), source=f"urn:hr:{number}")
    assert counts(world)[OTHER, OTHER] == 10
    assert len(counts(world)) == 2 * LIMITS[Word.SOURCE] + 1


@given(st.lists(st.text(max_size=100), max_size=500))
def test_names_are_cleaned_and_none_is_lost(names: list[str]) -> None:
    tallied = tally(names)
    assert sum(tallied.values()) == len(names)
    assert len(tallied) <= LIMITS[Word.FIELD] + 1
    assert all(0 < len(name) <= NAME_LENGTH and name.isascii() and name.isprintable() for name in tallied)


def test_what_may_be_an_address_is_not_kept() -> None:
    assert tally(["ada@example.org"]) == {OTHER: 1}


def test_other_takes_no_place() -> None:
    vocabulary = Vocabulary(Word.FIELD)
    assert admit(vocabulary, OTHER) == (vocabulary, OTHER)
