"""Words of the tests of *profiles*: a store with one tenant, HR's events, and a clock that moves."""

from datetime import date, datetime
from typing import Any

from msgspec.structs import replace

from services.profiles.domain.intake import Organisation
from services.profiles.domain.people import Person
from services.profiles.handlers import handlers
from services.profiles.store import KINDS, PERSON
from shared.contracts import EventData, person_id
from shared.contracts.hr import PersonRecorded, PersonTerminated, TerminationCancelled
from shared.contracts.people import EnrolmentChanged, PersonChanged
from shared.messaging.handlers import Outcome
from shared.persistence.timers import Timer
from shared.persistence.uow import Uow
from tests.support.memory import NOW, MemoryStore, event

TENANT = "acme"
ADA = person_id(TENANT, "E1")


class World:
    """A MemoryStore and how to let things happen in it."""

    def __init__(self, *, tenant: bool = True) -> None:
        self.store = MemoryStore("profiles", KINDS)
        self.now = NOW
        if tenant:
            self.store.add(Organisation(TENANT, "Acme", "Europe/Berlin"))

    def uow(self) -> Any:
        return self.store.uow(self.now, tenant=TENANT)

    async def hear(
        self, data: EventData, sequence: int = 1, *, dropped: tuple[str, ...] = (), source: str = "urn:hr"
    ) -> Outcome | None:
        heard = replace(event(data, sequence=sequence, tenant=TENANT), dropped_fields=dropped, source=source)
        handling = handlers.events[data.TYPE]
        assert handling.needs is not None
        async with self.uow() as uow:
            await uow.prefetch(handling.needs(heard))
            return await handling.handle(heard, uow)

    async def run_timers(self, now: datetime) -> int:
        """Move to *now* and fire what is due, as the timer worker does."""
        self.now = now
        due = [change for change in self.store.timers.values() if change.due and change.due <= now]
        for change in due:
            assert change.due is not None
            del self.store.timers[change.kind, change.key]
            async with self.uow() as uow:
                await handlers.timers[change.kind].handle(Timer(change.kind, change.key, change.due), uow)
        return len(due)

    def person(self, identity: str = ADA) -> Person:
        row: Person = self.store.rows[PERSON.name][(identity,)]
        return row

    def due(self, identity: str = ADA) -> datetime | None:
        change = self.store.timers.get(("termination", identity))
        return change.due if change else None

    @property
    def said(self) -> list[EventData]:
        return self.store.said

    def people(self) -> list[PersonChanged]:
        return [data for data in self.said if isinstance(data, PersonChanged)]

    def enrolments(self) -> list[EnrolmentChanged]:
        return [data for data in self.said if isinstance(data, EnrolmentChanged)]


async def command(world: World, function: Any, *args: Any, **options: Any) -> Any:
    """Run one command in its own transaction."""
    uow: Uow
    async with world.uow() as uow:
        return await function(uow, *args, **options)


def recorded(employee: str = "E1", **changes: Any) -> PersonRecorded:
    values: dict[str, Any] = {
        "employee_id": employee, "given_name": "Ada", "family_name": "Byron", "email": "ada@example.org",
        "manager_employee_id": "E0", "department": "Engineering", "time_zone": "Europe/Berlin",
        "languages": ["en", "de"], "job_level": 5,
    }  # fmt: skip
    return PersonRecorded(**values | changes)


def terminated(on: date, employee: str = "E1") -> PersonTerminated:
    return PersonTerminated(employee_id=employee, effective_on=on)


def cancelled(employee: str = "E1") -> TerminationCancelled:
    return TerminationCancelled(employee_id=employee)
