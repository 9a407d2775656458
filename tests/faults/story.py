"""The story under a fault, and what is demanded of it: balances, a green check, the quiet run's result."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from deploy.local.demo.command import Result, live
from deploy.local.hr.organisation import make_organisation
from deploy.local.hr.publisher import HrPublisher
from deploy.local.stack import LocalStack
from services.notifications.sender import CONNECTIONS
from shared.contracts import SERVICES
from shared.persistence.bootstrap import CLOCK_ROLE
from shared.runtime.settings import KafkaSettings
from tests.faults.topics import Contents, contents
from tests.faults.world import PATIENCE_SECONDS, GatedClock, Meter, Router, World

PEOPLE: Final = 120
SEED: Final = 5
_ROUNDS: Final = 1
_CYCLES: Final = 1
_LAST_DAYS: Final = 45
"""Until then requests for feedback are closed, proposals have expired, and announced last days are over."""
EQUAL: Final = "equal"
"""The verdict of a run that balances, checks, and ends like the quiet one."""
LAST_STEP: Final = "the rest comes due"


@dataclass(slots=True)
class Row:
    """One line of the table."""

    matrix: str
    fault: str
    injected: str
    copies: int
    redelivered: int
    recovery_seconds: float | None
    run_seconds: float
    verdict: str
    remarks: str
    servers: str
    """Versions of what the platform ran on."""


@dataclass(slots=True)
class Fault:
    """Something bad, done to the platform while it works. Subclasses say what; this one does nothing."""

    matrix: str = ""
    """Its number in the fault matrix."""
    name: str = "none"
    stack: dict[str, Any] = field(default_factory=dict)
    """Arguments of the stack."""
    dead_letters: int = 0
    """How many records shall be refused."""
    senders_cut_off: int = 0
    """How often a process of notifications was killed, or frozen past the leases of its mails."""
    injected: str = ""
    """How often it struck, in words; filled in by `end`."""
    remarks: str = ""

    async def begin(self, world: World) -> None:
        """The platform runs; nobody does anything yet."""

    async def step(self, name: str) -> None:
        """The next step of the story begins when this returns."""

    async def end(self) -> None:
        """The story is over: everything must be healed, and the fault must have struck."""

    def make_hr(self, *arguments: Any, **options: Any) -> HrPublisher:
        """HR's side of the story."""
        return HrPublisher(*arguments, **options)


async def quiet_digest(folder: Path, say: Callable[[str], None]) -> str:
    """The business result of an undisturbed run, which must itself be faultless and have every flow."""
    row, result = await endure(Fault(), folder, None, say)
    assert row.verdict == EQUAL, row.verdict
    ledger, matching = result.ledger, result.summaries["matching"]
    flows = {
        "leavers at once": len(ledger.terminated_now),
        "leavers later": len(ledger.terminated_later),
        "leavings cancelled": len(ledger.cancelled),
        "sessions": ledger.sessions_completed,
        "moved": ledger.sessions_moved,
        "answers": ledger.answers,
        "mails": result.summaries["notifications"]["sent"],
        "pairs ended": matching["relationships_ended"],
        "rematches": matching["requeue_queued"],
    }
    missing = [name for name, count in flows.items() if not count]
    assert not missing, f"the story has no {missing}: choose another seed"
    return result.digest


async def endure(
    fault: Fault, folder: Path, digest: str | None, say: Callable[[str], None]
) -> tuple[Row, Result]:
    """Live the story under *fault* on a fresh platform. The row's verdict is EQUAL, or says what is wrong."""
    began = time.monotonic()

    def tell(text: str) -> None:
        say(f"[{time.monotonic() - began:6.1f} s] {text}")

    # Nobody looks at the spans of these runs.
    stack = LocalStack(
        folder,
        extra_environment={"MENTORING_TRACES": "none"},
        ready_seconds=PATIENCE_SECONDS,
        **fault.stack,
    )
    try:
        await stack.start()
        clock = GatedClock({name: stack.dsn(name, CLOCK_ROLE) for name in SERVICES})
        stack.clock = clock
        settings = KafkaSettings(
            kafka_bootstrap_servers=stack.kafka.bootstrap_servers,
            kafka_topic_prefix=stack.environment.topic_prefix,
            kafka_group_prefix=stack.environment.group_prefix,
        )
        async with Meter(stack) as meter:
            world = World(stack, Router(stack), clock, meter, settings, tell)
            result = await _live(fault, world)
            await meter.look()
            found = await contents(settings)
            problems = await _problems(fault, world, result, digest, found)
            row = Row(
                fault.matrix,
                fault.name,
                fault.injected,
                found.copies,
                meter.totals["redelivered"],
                max(world.recoveries, default=None),
                time.monotonic() - began,
                "; ".join(problems) or EQUAL,
                fault.remarks,
                f"Apache Kafka {stack.kafka.version}, PostgreSQL {stack.postgres.version}",
            )
        tell(f"{row}; result {result.digest[:16]}; {dict(meter.totals)}")
        return row, result
    finally:
        await stack.destroy()


async def _live(fault: Fault, world: World) -> Result:
    await fault.begin(world)
    try:
        return await live(
            make_organisation(PEOPLE, SEED),
            SEED,
            world.stack,
            world.say,
            step=fault.step,
            rounds=_ROUNDS,
            cycles=_CYCLES,
            last_days=_LAST_DAYS,
            urls=world.router,
            make_hr=fault.make_hr,
            patience_seconds=PATIENCE_SECONDS,
        )
    finally:
        await fault.end()


async def _problems(
    fault: Fault, world: World, result: Result, digest: str | None, found: Contents
) -> list[str]:
    problems = []
    for equation in result.equations:
        if equation.what == "dead letters":
            if equation.sides["all services"] != fault.dead_letters:
                problems.append(f"{equation.sides['all services']} dead letters, not {fault.dead_letters}")
        elif not equation.holds:
            problems.append(f"{equation.what}: {dict(equation.sides)}")
    if digest is not None and result.digest != digest:
        problems.append("another business result than the quiet run's")
    world.say(result.report.render())
    if not result.report.at_rest:
        problems.append(f"check: {result.report.verdict}")
    problems += [f"check: {v.invariant} {v.what}, {v.count} times" for v in result.report.violations]
    if found.out_of_order:
        problems.append(f"{len(found.out_of_order)} events out of order, the first: {found.out_of_order[0]}")
    copies = world.stack.mail.duplicates()
    if sum(copies.values()) - len(copies) > CONNECTIONS * fault.senders_cut_off:
        problems.append(f"{len(copies)} mails came more than once")
    return problems
