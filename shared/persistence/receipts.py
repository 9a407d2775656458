"""Receipts of erasures: each service notes when it has forgotten a person, and says so.

The row is the natural key of the reaction. It also keeps the version of the tombstone, so that whatever is
older stays without effect, however late it is heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from shared.contracts import derived_id
from shared.contracts.erasure import ErasureConfirmed, Service
from shared.persistence.kinds import Kind
from shared.persistence.uow import Uow

TABLE_DDL: Final = """
    CREATE TABLE erasure_receipt (
        tenant text NOT NULL,
        person_id text NOT NULL,
        version bigint NOT NULL CHECK (version >= 1),
        person_version bigint NOT NULL CHECK (person_version >= 1),
        erased_at timestamptz NOT NULL,
        counts jsonb NOT NULL CHECK (jsonb_typeof(counts) = 'object'),
        PRIMARY KEY (tenant, person_id)
    )"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """That this service has forgotten a person. Ids, numbers and a moment: nothing else outlives the person."""

    person_id: str
    version: int
    """How often it has been said."""
    person_version: int
    """Sequence of the last tombstone that was answered."""
    erased_at: datetime
    counts: dict[str, int]
    """How many rows of what were deleted, emptied or ended, over all tombstones."""


RECEIPT: Final = Kind(
    sa.Table(
        "erasure_receipt",
        sa.MetaData(),
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("person_id", sa.Text, primary_key=True),
        sa.Column("version", sa.BigInteger),
        sa.Column("person_version", sa.BigInteger),
        sa.Column("erased_at", sa.DateTime(timezone=True)),
        sa.Column("counts", pg.JSONB),
    ),
    Receipt,
    order=900,
)


async def answered(uow: Uow, person_id: str, person_version: int) -> bool:
    """Whether this tombstone, or a later one, has been answered already."""
    known = await uow.get(RECEIPT, person_id)
    return known is not None and person_version <= known.person_version


async def confirm(uow: Uow, person_id: str, person_version: int, counts: Mapping[str, int]) -> Receipt:
    """Note that everything older than *person_version* is gone, and say it to *profiles*.

    A tombstone that is repeated is answered again; what it found is added to the counts.
    """
    known = await uow.get(RECEIPT, person_id)
    found = {what: number for what, number in counts.items() if number}
    if known is None:
        receipt = Receipt(person_id, 1, person_version, uow.now, found)
    else:
        if person_version <= known.person_version:
            return known
        total = {what: known.counts.get(what, 0) + found.get(what, 0) for what in {**known.counts, **found}}
        receipt = replace(
            known, version=known.version + 1, person_version=person_version, erased_at=uow.now, counts=total
        )
    uow.put(receipt)
    uow.say(
        ErasureConfirmed(
            receipt_id=derived_id("erasure-receipt", uow.service, person_id),
            person_id=person_id,
            service=Service(uow.service),
            person_version=person_version,
            erased_at=receipt.erased_at,
            counts=receipt.counts,
        ),
        version=receipt.version,
    )
    return receipt
