"""A row reads the same whether it is asked for alone (column by column) or in a set (as one JSON text)."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
import pytest_asyncio

from services.matching.domain.mentees import Mentee, Place, Standing
from services.matching.domain.pairs import Proposal, ProposalStatus
from services.matching.domain.people import Person, PersonStatus
from services.matching.domain.runs import Run, RunState
from services.matching.store import MENTEE, PERSON, PROPOSAL, RUN
from shared.persistence.kinds import Kind
from shared.persistence.uow import want
from tests.support.databases import Databases, new_tenant
from tests.support.platform import Platform

THEN = datetime(2026, 3, 2, 9, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=-7)))
WORDS = 'quote " backslash \\ line\nseparator \u2028 emoji \U0001f600 null'


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def platform(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    async with Platform.open(databases, tmp_path_factory.mktemp("issuer")) as platform:
        yield platform
    async with databases.login("matching", "admin") as admin:
        await admin.execute("DELETE FROM matching_run")  # nobody shall compute it


def of_each_kind(number: str) -> list[tuple[Kind[Any], Any]]:
    person = Person(
        number, 2**62, PersonStatus.ACTIVE, department=WORDS, skills_offered={WORDS: 3}, interests=[WORDS]
    )
    proposal = Proposal(
        proposal_id=number, version=1, programme_id="g", mentor_id="m", mentee_id=number, attempt=1,
        status=ProposalStatus.OPEN, mentor_accepted=True, mentee_accepted=False, score=2**62,
        reasons=[], proposed_at=THEN, expires_at=THEN + timedelta(days=3),
    )  # fmt: skip
    run = Run(
        run_id=number, version=1, programme_id="g", form="pairs", state=RunState.REQUESTED, requested_by="c",
        requested_at=THEN, configuration={"weights": {"skills": 0.1}}, fingerprint="f", changed_at=THEN,
        fraction=0.1 + 0.2, as_of=date(2026, 2, 28),
    )  # fmt: skip
    mentee = Mentee("g", number, "e", Standing.ELIGIBLE, Place.FREE, date(2026, 12, 31))
    return [(PERSON, person), (PROPOSAL, proposal), (RUN, run), (MENTEE, mentee)]


@pytest.mark.parametrize("position", range(4))
async def test_alone_and_in_a_set(platform: Platform, position: int) -> None:
    database, tenant = platform["matching"].process.database, new_tenant()
    kind, _ = of_each_kind("1")[position]
    rows = {kind.key_of(row): row for row in (of_each_kind(number)[position][1] for number in "12")}
    async with database.transaction(tenant) as uow:
        await uow.prefetch([want(kind, *key) for key in rows])
        for row in rows.values():
            uow.put(row)
    async with database.transaction(tenant) as uow:
        alone = [await uow.get(kind, *key) for key in rows]
    async with database.transaction(tenant) as uow:
        await uow.prefetch([want(kind, *key) for key in rows])
        together = [await uow.get(kind, *key) for key in rows]
    assert alone == together == list(rows.values())
    assert repr(alone) == repr(together)  # of the same types, moments in the same zone
