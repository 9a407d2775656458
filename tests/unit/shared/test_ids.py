"""Derived ids are UUIDs of version 5, whatever the words in them are."""

from uuid import NAMESPACE_URL, UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import derived_id

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:mentoring-platform")
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(words, st.lists(words, max_size=4))
def test_the_fast_way_gives_what_the_standard_library_gives(kind: str, parts: list[str]) -> None:
    made = derived_id(kind, *parts)
    assert made == str(uuid5(_NAMESPACE, "\x1f".join((kind, *parts))))
    assert UUID(made).version == 5
