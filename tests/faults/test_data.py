"""F12 to F15 on the whole platform."""

import pytest

from tests.faults.conftest import Endure
from tests.faults.data import Copies, Disorder, PoisonEverywhere, PoisonousSource

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.timeout(3600)]


async def test_copies_and_reused_ids(under: Endure) -> None:
    await under(Copies())


async def test_any_order(under: Endure) -> None:
    await under(Disorder())


async def test_poison_of_every_kind(under: Endure) -> None:
    await under(PoisonEverywhere())


async def test_a_source_of_poison_only(under: Endure) -> None:
    await under(PoisonousSource())
