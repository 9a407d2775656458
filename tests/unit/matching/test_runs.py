"""Runs as values: which steps there are, who may take them, and what stays of a run."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.matching import snapshot
from services.matching.domain.pairs import Refused
from services.matching.domain.runs import (
    KEEP_RESULT,
    KEEP_RUN,
    Run,
    RunReason,
    RunState,
    Stage,
    due_next,
)
from services.matching.run_process import stage_of
from services.matching.runs import publish_run, request_run
from services.matching.store import RUN
from shared.contracts import runs as contract
from shared.errors import Conflict, Invalid
from tests.support.memory import NOW
from tests.unit.matching.engine.support import random_pool
from tests.unit.matching.support import SPRING, World, programme

LATER = NOW + timedelta(hours=1)
FOUND = {"value": 7, "bound": 8, "gap": 1 / 7, "matched": 1, "unmatched": 0}


async def requested(world: World, **more: Any) -> Run:
    await world.hear(programme())
    values: dict[str, Any] = {"run_id": "r", "differences": {}}
    return await world.do(lambda uow: request_run(uow, SPRING, "boss", **(values | more)))


@pytest.fixture
async def run(world: World) -> Run:
    return await requested(world)


def ready(run: Run) -> Run:
    return run.leased(LATER).reading(NOW).ready(FOUND, {}, LATER)


async def test_a_run_holds_its_whole_configuration(world: World) -> None:
    first = await requested(world)
    other = await requested(world, run_id="s", differences={"weights": {"skill": 1}, "tolerance": 0})
    assert first.configuration["rules"]["minimum_level_gap"] == 1
    assert (other.configuration["weights"]["skill"], other.configuration["tolerance"]) == (1, 0)
    assert other.configuration["weights"]["interest"] == first.configuration["weights"]["interest"]
    assert other.fingerprint != first.fingerprint
    assert [said.state for said in world.said(contract.MatchingRunChanged)] == ["requested"] * 2


async def test_the_same_request_again_is_the_same_run(world: World, run: Run) -> None:
    assert await requested(world, differences={"tolerance": 0.5}) == run
    await world.hear(programme("autumn"))
    with pytest.raises(Conflict) as refused:
        await world.do(lambda uow: request_run(uow, "autumn", "boss", run_id="r", differences={}))
    assert refused.value.code == "run_elsewhere"


@pytest.mark.parametrize(
    "differences",
    [
        {"form": "peer"},
        {"embedder": "\x00"},
        {"weights": {"skill": -1}},
        {"weights": []},
        {"seed": "a\x00"},
        {"version": ""},
        {"rules": {"x": 1}},
    ],
    ids=str,
)
async def test_a_configuration_that_cannot_be_is_refused(world: World, differences: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await requested(world, differences=differences)
    assert world.store.all(RUN) == []


@pytest.mark.parametrize(
    ("differences", "code"),
    [
        ({"form": "peer"}, "form_fixed"),
        ({"form": "flash"}, "form_not_offered"),
        ({"embedder": "somebodys-model"}, "embedder_not_offered"),
    ],
)
async def test_what_only_the_engine_can_is_refused_with_its_code(
    world: World, differences: dict[str, Any], code: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await requested(world, differences=differences)
    assert refused.value.code == code


def test_leases_count_attempts_unless_they_are_given_back(run: Run) -> None:
    leased = run.leased(LATER)
    assert (leased.leases, leased.attempts, leased.version) == (1, 1, 1)
    assert leased.given_back().leased(LATER).attempts == 1
    assert leased.let_go().leased(LATER).attempts == 2
    assert leased.given_back().leased(LATER).leases == 2


def test_every_step_that_is_said_has_the_next_version(run: Run) -> None:
    steps = [run, run.leased(LATER).reading(NOW)]
    steps.append(steps[-1].at(Stage.PROVING, 2, 0.5, LATER))
    steps.append(steps[-1].ready(FOUND, {}, LATER))
    steps.append(steps[-1].publishing("boss", LATER))
    steps.append(steps[-1].published(1, {}, LATER))
    assert [step.version for step in steps] == list(range(1, 7))
    assert [step.state for step in steps] == [
        RunState.REQUESTED, RunState.RUNNING, RunState.RUNNING, RunState.READY, RunState.PUBLISHING,
        RunState.PUBLISHED,
    ]  # fmt: skip
    assert steps[1].leased_until == LATER
    assert steps[3].leased_until is None
    assert steps[5].publication == {"by": "boss", "at": LATER.isoformat(), "proposed": 1, "dropped": {}}


def test_publishing_twice_is_publishing_once(run: Run) -> None:
    asked = ready(run).publishing("boss", LATER)
    assert asked.publishing("other", LATER) is asked
    done = asked.published(1, {}, LATER)
    assert done.publishing("other", LATER) is done
    for state in (run, ready(run).discarded(RunReason.BY_COORDINATOR, NOW)):
        with pytest.raises(Refused) as refused:
            state.publishing("boss", LATER)
        assert refused.value.code == "run_not_ready"


def test_what_is_published_cannot_be_discarded(run: Run) -> None:
    gone = run.discarded(RunReason.BY_COORDINATOR, NOW)
    assert gone.discarded(RunReason.NOT_PUBLISHED_IN_TIME, LATER) is gone
    for state in (
        ready(run).publishing("boss", NOW),
        ready(run).publishing("boss", NOW).published(0, {}, NOW),
    ):
        with pytest.raises(Refused):
            state.discarded(RunReason.BY_COORDINATOR, NOW)


def test_a_failed_publishing_leaves_it_ready(run: Run) -> None:
    back = (
        ready(run)
        .publishing("boss", NOW)
        .leased(LATER)
        .not_published(RunReason.INTERRUPTED, "cut off", LATER)
    )
    assert (back.state, back.reason, back.publication, back.attempts) == (
        RunState.READY, RunReason.INTERRUPTED, None, 0,
    )  # fmt: skip
    assert back.publishing("boss", LATER).reason is None


def test_how_long_things_are_kept(run: Run) -> None:
    assert due_next(run) is None
    assert due_next(run.leased(LATER).reading(NOW)) is None
    kept = replace(ready(run), kept=True)
    assert due_next(kept) == LATER + KEEP_RESULT
    assert due_next(kept.emptied()) == LATER + KEEP_RUN
    assert due_next(run.failed(RunReason.DEFECT, "", NOW)) == NOW + KEEP_RUN


def test_states_stages_and_reasons_are_those_of_the_contract() -> None:
    for ours, theirs in (
        (RunState, contract.RunState), (Stage, contract.RunStage), (RunReason, contract.RunReason),
    ):  # fmt: skip
        assert {str(one.value) for one in ours} == {str(one.value) for one in theirs}


async def test_an_inactive_programme_publishes_nothing(world: World, run: Run) -> None:
    world.store.add(ready(run))
    await world.hear(programme(active=False))
    with pytest.raises(Conflict) as refused:
        await world.do(publish_run, "r", "boss")
    assert refused.value.code == "programme_inactive"


@pytest.mark.parametrize(
    ("what", "stage", "number"),
    [
        ("candidates", Stage.CANDIDATES, 0),
        ("round 3: proving", Stage.PROVING, 3),
        ("round 12: assigning", Stage.ASSIGNING, 12),
        ("reasons", Stage.STORING, 0),
    ],
)
def test_the_engines_words_are_stages(what: str, stage: Stage, number: int) -> None:
    assert stage_of(what) == (stage, number)


@pytest.mark.parametrize("seed", range(5))
def test_a_pool_is_the_same_after_being_stored(seed: int) -> None:
    pool = random_pool(seed, 40, 30)
    taken = snapshot.take(pool)
    back = snapshot.read(taken.parts, pool.as_of)
    assert sorted(back.mentees, key=lambda p: p.person_id) == sorted(pool.mentees, key=lambda p: p.person_id)
    assert sorted(back.mentors, key=lambda p: p.person_id) == sorted(pool.mentors, key=lambda p: p.person_id)
    assert (back.managers, back.failed) == (dict(pool.managers), pool.failed)
    assert snapshot.hash_of(back) == taken.input_hash != snapshot.hash_of(random_pool(seed + 1, 40, 30))


def test_somebody_is_taken_out_of_a_stored_pool() -> None:
    pool = random_pool(3, 600, 400)
    taken = snapshot.take(pool)
    person = pool.mentees[5].person_id
    number = snapshot.part_of(person, taken.number)
    parts = dict(taken.parts)
    for side in snapshot.SIDES:
        parts[side, number] = snapshot.without(parts[side, number], person) or parts[side, number]
    rest = snapshot.read(parts, pool.as_of)
    assert {p.person_id for p in pool.mentees} - {p.person_id for p in rest.mentees} == {person}
    assert person not in rest.managers
    assert all(mentee != person for mentee, _ in rest.failed)
    assert snapshot.about(taken.parts["mentee", number], person) == [pool.mentees[5]]
    assert taken.number > 1
