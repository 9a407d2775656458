"""What *matching* says of its runs: where each stands and what it found. Ids and numbers only."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.base import EventData, Key

Count = Annotated[int, Field(ge=0)]


class RunState(StrEnum):
    """Where a run stands."""

    REQUESTED = "requested"
    """Somebody asked for it; nobody computes it yet."""
    RUNNING = "running"
    """Its inputs are taken, and it is being computed."""
    READY = "ready"
    """Its result can be looked at, compared, published or discarded. Nobody was told."""
    PUBLISHING = "publishing"
    """Its pairs are being checked against the present; nobody was told yet."""
    PUBLISHED = "published"
    """Its pairs that still stood were proposed."""
    DISCARDED = "discarded"
    """Nobody wants it: inputs and result are deleted."""
    FAILED = "failed"
    """It came to no result; the reason says why."""


class RunStage(StrEnum):
    """What a run is at."""

    WAITING = "waiting"
    READING = "reading"
    """Taking the inputs."""
    CANDIDATES = "candidates"
    ASSIGNING = "assigning"
    PROVING = "proving"
    STORING = "storing"
    """Explaining pairs and storing the result."""
    CHECKING = "checking"
    """Comparing pairs with the present, before they are proposed."""
    PROPOSING = "proposing"
    DONE = "done"


class RunReason(StrEnum):
    """Why a run failed or was discarded, or why publishing it did not succeed."""

    TIME_LIMIT = "time-limit"
    MEMORY_LIMIT = "memory-limit"
    SOLVER_DIED = "solver-died"
    """The solver's process ended without a result, more than once."""
    INTERRUPTED = "interrupted"
    """The service itself was ended in the middle, more than once."""
    INVALID_INPUT = "invalid-input"
    """People or configuration contradict themselves."""
    PROGRAMME_INACTIVE = "programme-inactive"
    DEFECT = "defect"
    """The platform's own mistake; it has been logged."""
    BY_COORDINATOR = "by-coordinator"
    NOT_PUBLISHED_IN_TIME = "not-published-in-time"


class MatchingRunChanged(EventData):
    """A matching run: requested, on its way, ready, published, or over without a result.

    Progress is said at most once a second, so steps may be missing; states never are.
    """

    TYPE: ClassVar[str] = "mentoring.matching-run.changed.v1"
    TOPIC: ClassVar[str] = "matching-run"
    SUBJECT: ClassVar[str] = "run_id"

    run_id: Key
    """Id of the run."""
    programme_id: Key
    """Id of the programme."""
    state: RunState
    """Where it stands."""
    reason: RunReason | None = None
    """Why it failed or was discarded, or why it could not be published."""
    stage: RunStage
    """What it is at."""
    round: Count = 0
    """Which round of assigning and proving; 0 before the first."""
    fraction: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How much of the stage is done."""
    attempt: Count = 0
    """How often it was begun."""
    configuration_version: Key
    """Version of its configuration."""
    fingerprint: Key
    """SHA-256 over its configuration."""
    input_hash: Key | None = None
    """SHA-256 over the people and the day that it saw; nothing before it began."""
    mentees: Count = 0
    """How many waited for a mentor."""
    mentors: Count = 0
    """How many mentors there were, those without room included."""
    matched: Count | None = None
    """How many found a mentor."""
    unmatched: Count | None = None
    """How many did not."""
    value: Count | None = None
    """Points of all pairs."""
    gap: Annotated[float, Field(ge=0, le=1)] | None = None
    """The share of the value by which the best possible could be above it: proven, not estimated; at most 1."""
    proposed: Count | None = None
    """How many pairs were proposed when it was published."""
    dropped: Count | None = None
    """How many pairs no longer stood then."""
