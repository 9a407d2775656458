"""What requests must look like, and what answers do."""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.matching.domain.mentees import Found
from services.matching.domain.pairs import EndReason, Proposal, ProposalStatus, RelationshipStatus, Requeue
from services.matching.domain.runs import Dropped, Run, RunReason, RunState, Stage
from services.matching.engine import Objective
from shared.contracts.base import Key


class EndForm(BaseModel):
    """Why a pair ends. Nobody is told who of the two asked for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: Literal[EndReason.NO_FAULT, EndReason.COMPLETED]


class View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ProposalView(View):
    proposal_id: str
    version: int
    programme_id: str
    mentor_id: str
    mentee_id: str
    status: ProposalStatus
    mentor_accepted: bool
    mentee_accepted: bool
    score: int | None
    """For coordinators. The two could work out of it what the other one told in confidence."""
    reasons: list[str]
    proposed_at: datetime
    expires_at: datetime

    @classmethod
    def to(cls, reader: str, proposal: Proposal) -> "ProposalView":
        """The proposal as *reader*, a person id, may see it."""
        view = cls.model_validate(proposal)
        if reader in (proposal.mentor_id, proposal.mentee_id):
            return view.model_copy(update={"score": None})
        return view


class ProposalList(BaseModel):
    items: list[ProposalView]


class RelationshipView(View):
    relationship_id: str
    version: int
    programme_id: str
    mentor_id: str
    mentee_id: str
    status: RelationshipStatus
    started_at: datetime
    ended_at: datetime | None
    reason: EndReason | None
    requeue: Requeue | None
    sessions_completed: int
    last_session_at: datetime | None


class RelationshipList(BaseModel):
    items: list[RelationshipView]


class RoundView(BaseModel):
    programme_id: str
    due: datetime


class WaitingView(View):
    """One mentee who waits, since when, and what the last round found."""

    person_id: str
    enrolment_id: str
    since: date
    found: Found
    priority: int


class WaitingPage(BaseModel):
    """``next`` is what to send as ``after`` for the next page; absent at the end."""

    items: list[WaitingView]
    next: str | None = None


class RunForm(BaseModel):
    """A run that is asked for. What is not said is as the programme and the engine's defaults have it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: Key | None = None
    """Chosen by the caller, so that the request can be repeated; else a new one."""
    form: Literal["one-to-one", "reverse", "group", "peer"] | None = None
    """Short for the same name in *configuration*."""
    configuration: dict[str, Any] = {}
    """Differences from the programme's configuration, by name: ``{"weights": {"skill": 800}}``."""
    objective: Objective | None = None
    """Short for the same name in *configuration*."""
    fairness_loss: float | None = None
    """Short for the same name in *configuration*."""


class ProgressView(BaseModel):
    """What a run is at. ``fraction`` is of the stage; ``round`` is 0 before the first."""

    stage: Stage
    round: int
    fraction: float
    updated_at: datetime | None


class RunView(BaseModel):
    """One run, without its pairs."""

    run_id: str
    version: int
    programme_id: str
    form: str
    state: RunState
    reason: RunReason | None
    problem: str
    requested_by: str
    requested_at: datetime
    changed_at: datetime
    progress: ProgressView
    attempts: int
    configuration: dict[str, Any]
    configuration_version: str
    fingerprint: str
    seed: str
    as_of: date | None
    input_hash: str | None
    mentees: int
    mentors: int
    people_removed: int
    """How many have been erased since the inputs were taken; the other numbers are as the run found them."""
    result_kept: bool
    """Whether pairs, reasons and inputs are still there."""
    certificate: dict[str, Any] | None
    """value, bound, gap, matched, matched_at_most, unmatched, rounds, tolerance, within_tolerance, covers, digest."""
    figures: dict[str, Any] | None
    publication: dict[str, Any] | None
    """by; once it is done: at, proposed, dropped (reason to number)."""

    @classmethod
    def of(cls, run: Run) -> "RunView":
        return cls(
            run_id=run.run_id,
            version=run.version,
            programme_id=run.programme_id,
            form=run.form,
            state=run.state,
            reason=run.reason,
            problem=run.problem,
            requested_by=run.requested_by,
            requested_at=run.requested_at,
            changed_at=run.changed_at,
            progress=ProgressView(
                stage=run.stage, round=run.round, fraction=run.fraction, updated_at=run.progress_at
            ),
            attempts=run.attempts,
            configuration=run.configuration,
            configuration_version=run.configuration_version,
            fingerprint=run.fingerprint,
            seed=str(run.configuration["seed"]),
            as_of=run.as_of,
            input_hash=run.input_hash,
            mentees=run.mentees,
            mentors=run.mentors,
            people_removed=run.removed,
            result_kept=run.kept and run.found is not None,
            certificate=run.found,
            figures=run.figures,
            publication=run.publication,
        )


class RunPage(BaseModel):
    """Runs of a programme, the newest first. ``next`` is what to send as ``after``; absent at the end."""

    items: list[RunView]
    next: str | None = None


class RunPairView(View):
    """One pair of a run, for coordinators. ``factors`` add up to ``score``."""

    mentee_id: str
    mentor_id: str
    score: int
    factors: dict[str, int]
    reasons: list[str]
    proposal_id: str | None
    """Once the run is published and the pair still stood."""
    dropped: Dropped | None
    """Why it was not proposed then."""
    rule: str | None
    """Which rule, if that was why."""


class RunPairPage(BaseModel):
    """By mentee id. ``next`` is what to send as ``after``; absent at the end."""

    items: list[RunPairView]
    next: str | None = None


class RunUnmatchedView(View):
    """Somebody for whom the run found nobody. ``forbidden``: how many mentors each rule takes away."""

    mentee_id: str
    why: str
    forbidden: dict[str, int]


class RunUnmatchedPage(BaseModel):
    """By mentee id. ``next`` is what to send as ``after``; absent at the end."""

    items: list[RunUnmatchedView]
    next: str | None = None


class ChangeView(View):
    """A mentee whose mentor is not the same in both runs; nothing where a run has nobody."""

    mentee_id: str
    mentor_id: str | None
    other_mentor_id: str | None
    score: int | None
    other_score: int | None


class CompareView(BaseModel):
    """Two runs of one programme: *run* is the one in the path, *other* the one that it is compared with."""

    run: RunView
    other: RunView
    same_people: bool
    """Whether both saw the same people on the same day: only then do their scores measure the same."""
    same_configuration: bool
    kept: int
    """Mentees with the same mentor in both."""
    changed: int
    """Mentees with another mentor."""
    added: int
    """Mentees with a mentor in *other* only."""
    removed: int
    """Mentees with a mentor in *run* only."""
    changes: list[ChangeView]
    """A page of those who are not kept, by mentee id."""
    next: str | None = None


class ShareView(BaseModel):
    """One factor of a score."""

    factor: str
    points: int
    share: float
    words: list[str]


class RuleView(BaseModel):
    rule: str
    sentence: str


class ExplainView(BaseModel):
    """Why two people are, or are not, a pair of a run; from the inputs that the run saw."""

    run_id: str
    mentee_id: str
    mentor_id: str
    verdict: str
    """paired, rule, price, worse, group, stable, fairness, tolerance."""
    sentence: str
    score: int
    shares: list[ShareView]
    reasons: list[str]
    """What the two themselves would read."""
    rules: list[RuleView]
    """What forbids the pair; the first decides."""
    scarcity: int
    """Points that a place costs with either mentor, because there are too few; left out of price and gains."""
    price: int
    """What a place with this mentor costs beyond that, in points."""
    gain: int
    """Score less price."""
    own_mentor_id: str | None
    """Whom the mentee got."""
    own_gain: int
    """Score less price with them."""
    peers: bool = False
    """Of a run of peers: *price* is then what the other one has as it is, and *own_gain* what the first has."""
    people_removed: int
    """How many have been erased since: with them gone, words count a little differently."""
