"""Matching runs: durable objects with states, leases, attempts and a result that nobody is told before it is published.

A run is a value; every change makes a new one with the next version, unless nobody outside needs to know.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from services.matching.domain.pairs import Refused

MOST_ATTEMPTS: Final = 3
"""How often a run is begun, counting those that were cut off, before it fails."""
KEEP_RESULT: Final = timedelta(days=30)
"""So long after its last step a run's inputs and pairs are kept; one that is ready then is discarded."""
KEEP_RUN: Final = timedelta(days=90)
"""So long after its last step the rest of it, which names nobody, is kept."""


class RunState(StrEnum):
    """Where a run stands; the way between them is in the README."""

    REQUESTED = "requested"
    RUNNING = "running"
    READY = "ready"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    DISCARDED = "discarded"
    FAILED = "failed"


WORK: Final = frozenset({RunState.REQUESTED, RunState.RUNNING, RunState.PUBLISHING})
"""States in which there is something to do."""


class Stage(StrEnum):
    """What a run is at, for its bar."""

    WAITING = "waiting"
    READING = "reading"
    CANDIDATES = "candidates"
    ASSIGNING = "assigning"
    PROVING = "proving"
    STORING = "storing"
    CHECKING = "checking"
    PROPOSING = "proposing"
    DONE = "done"


class RunReason(StrEnum):
    """Why a run ended without being published, or went back to ready."""

    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    SOLVER_DIED = "solver-died"
    INTERRUPTED = "interrupted"
    INVALID_INPUT = "invalid-input"
    PROGRAMME_INACTIVE = "programme-inactive"
    DEFECT = "defect"
    BY_COORDINATOR = "by-coordinator"
    NOT_PUBLISHED_IN_TIME = "not-published-in-time"


class Dropped(StrEnum):
    """Why a pair was not proposed when its run was published."""

    MENTEE_GONE = "mentee-gone"
    """Left, erased, withdrawn, or without consent."""
    MENTEE_NOT_WAITING = "mentee-not-waiting"
    """Has a proposal or a mentor by now."""
    MENTOR_GONE = "mentor-gone"
    MENTOR_FULL = "mentor-full"
    """Their places went to others, or to pairs of the run with a higher score; or they lead a group by now."""
    PEER_GONE = "peer-gone"
    """Between peers, of whom the one with the lower id stands as the mentee: as mentee-gone, but the other."""
    PEER_NOT_WAITING = "peer-not-waiting"
    """As mentee-not-waiting, but the other of two peers."""
    RULE = "rule"
    """A rule forbids the pair by now: somebody's level, department, manager or list has changed."""
    GROUP_TOO_SMALL = "group-too-small"
    """Others of the group no longer stand, and fewer are left than a group needs."""
    CHANGED_MEANWHILE = "changed-meanwhile"
    """One of the two changed while the run was being published."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. What it found is in rows of its own, by run id."""

    run_id: str
    version: int
    programme_id: str
    form: str
    state: RunState
    requested_by: str
    requested_at: datetime
    configuration: dict[str, Any]
    """The whole of it, as plain values."""
    fingerprint: str
    changed_at: datetime
    """When the state last changed."""
    stage: Stage = Stage.WAITING
    round: int = 0
    fraction: float = 0.0
    progress_at: datetime | None = None
    reason: RunReason | None = None
    problem: str = ""
    """The reason in a sentence, where there is more to say."""
    attempts: int = 0
    leases: int = 0
    """How often it was leased; the number is the lease's token: who holds an older one holds nothing."""
    leased_until: datetime | None = None
    """By the database server's clock, not by business time."""
    edition: int = 0
    """Raised when somebody is taken out of its inputs: what was computed from an older edition does not count."""
    removed: int = 0
    """How many people have been taken out of its inputs."""
    kept: bool = False
    """Whether inputs and result are stored."""
    people_parts: int = 0
    as_of: date | None = None
    input_hash: str | None = None
    mentees: int = 0
    mentors: int = 0
    found: dict[str, Any] | None = None
    """The certificate, and a digest over pairs and prices."""
    figures: dict[str, Any] | None = None
    """Numbers for the report."""
    publication: dict[str, Any] | None = None
    """Who published it, and how many pairs were proposed and dropped, by reason."""

    @property
    def configuration_version(self) -> str:
        return str(self.configuration["version"])

    def leased(self, until: datetime) -> "Run":
        """In somebody's hands until then. An attempt begins: it counts unless it is given back."""
        return replace(self, leases=self.leases + 1, leased_until=until, attempts=self.attempts + 1)

    def given_back(self) -> "Run":
        """Not finished, through no fault of its own: whoever takes it next begins the same attempt."""
        return replace(self, leased_until=None, attempts=self.attempts - 1)

    def let_go(self) -> "Run":
        """Not finished, and the attempt counts."""
        return replace(self, leased_until=None)

    def reading(self, now: datetime) -> "Run":
        """Its inputs are about to be taken."""
        begun = replace(self, state=RunState.RUNNING) if self.state is RunState.REQUESTED else self
        return begun.at(Stage.READING, 0, 0.0, now, changed=self.state is RunState.REQUESTED)

    def at(
        self, stage: Stage, round_: int, fraction: float, now: datetime, *, changed: bool = False
    ) -> "Run":
        """A step further."""
        return replace(
            self,
            version=self.version + 1,
            stage=stage,
            round=round_,
            fraction=max(0.0, min(1.0, fraction)),
            progress_at=now,
            changed_at=now if changed else self.changed_at,
        )

    def ready(self, found: dict[str, Any], figures: dict[str, Any], now: datetime) -> "Run":
        """It has a result."""
        done = self._into(RunState.READY, now)
        return replace(done, stage=Stage.DONE, fraction=1.0, found=found, figures=figures)

    def failed(self, reason: RunReason, problem: str, now: datetime) -> "Run":
        """It comes to no result; its inputs go."""
        return replace(self._into(RunState.FAILED, now), reason=reason, problem=problem, kept=False)

    def publishing(self, person_id: str, now: datetime) -> "Run":
        """Somebody wants its pairs proposed. The same when that is so already; may raise :class:`Refused`."""
        if self.state in (RunState.PUBLISHING, RunState.PUBLISHED):
            return self
        if self.state is not RunState.READY:
            raise Refused(
                "run_not_ready", f"The run is {self.state}: only one that is ready can be published."
            )
        asked = self._into(RunState.PUBLISHING, now)
        return replace(
            asked, stage=Stage.CHECKING, fraction=0.0, reason=None, problem="", attempts=0,
            publication={"by": person_id},
        )  # fmt: skip

    def published(self, proposed: int, dropped: dict[str, int], now: datetime) -> "Run":
        """Its pairs that still stood are proposed."""
        done = self._into(RunState.PUBLISHED, now)
        said = {**(self.publication or {}), "at": now.isoformat(), "proposed": proposed, "dropped": dropped}
        return replace(done, stage=Stage.DONE, fraction=1.0, publication=said)

    def not_published(self, reason: RunReason, problem: str, now: datetime) -> "Run":
        """Nothing was proposed, and it is ready as before."""
        back = self._into(RunState.READY, now)
        return replace(
            back, stage=Stage.DONE, fraction=1.0, reason=reason, problem=problem, attempts=0, publication=None
        )

    def discarded(self, reason: RunReason, now: datetime) -> "Run":
        """Nobody wants it. The same when that is so already; may raise :class:`Refused`."""
        if self.state is RunState.DISCARDED:
            return self
        if self.state in (RunState.PUBLISHING, RunState.PUBLISHED):
            raise Refused("run_published", "A run that is published, or about to be, cannot be discarded.")
        return replace(self._into(RunState.DISCARDED, now), reason=reason, problem="", kept=False)

    def without_somebody(self) -> "Run":
        """Somebody was taken out of its inputs."""
        return replace(self, edition=self.edition + 1, removed=self.removed + 1)

    def emptied(self) -> "Run":
        """Published, and its inputs and pairs have outlived their use."""
        return replace(self, kept=False)

    def _into(self, state: RunState, now: datetime) -> "Run":
        return replace(
            self, version=self.version + 1, state=state, changed_at=now, progress_at=now, leased_until=None
        )


def given_up(run: Run) -> bool:
    """Whether so many attempts were cut off that there is no other."""
    return run.attempts >= MOST_ATTEMPTS


def due_next(run: Run) -> datetime | None:
    """When the run's age next asks for something, or None while it is being worked on."""
    if run.state in WORK:
        return None
    return run.changed_at + (KEEP_RESULT if run.kept else KEEP_RUN)
