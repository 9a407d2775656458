"""Queries of *profiles* that are plain SQL, on the tests' dictionaries."""

from typing import cast

import pytest

from services.profiles import store
from services.profiles.store import ENROLMENT
from shared.persistence.uow import Uow
from tests.support.memory import MemoryUow


@pytest.fixture(autouse=True)
def _looking(monkeypatch: pytest.MonkeyPatch) -> None:
    async def enrolments_about(uow: Uow, person_id: str) -> list[str]:
        rows = cast(MemoryUow, uow)._store.all(ENROLMENT)
        return [r.enrolment_id for r in rows if person_id in (r.person_id, *r.choices, *r.avoid)]

    async def anybody_enrolled(uow: Uow, programme_id: str) -> bool:
        return any(row.programme_id == programme_id for row in cast(MemoryUow, uow)._store.all(ENROLMENT))

    monkeypatch.setattr(store, "enrolments_about", enrolments_about)
    monkeypatch.setattr(store, "anybody_enrolled", anybody_enrolled)
