"""HTTP of runs, for coordinators of the programme only. ``api`` puts these routes beside its own."""

import asyncio
from typing import Annotated, Any, Final

from fastapi import Query, Request
from fastapi.responses import HTMLResponse

from services.matching import runs, solver, store
from services.matching.access import COORDINATOR, COORDINATOR_OF_RUN
from services.matching.domain.runs import Run, RunState
from services.matching.engine import Form
from services.matching.forms import (
    ChangeView,
    CompareView,
    ExplainView,
    RunForm,
    RunPage,
    RunPairPage,
    RunPairView,
    RunUnmatchedPage,
    RunUnmatchedView,
    RunView,
)
from services.matching.peer_solver import PeerQuestion, explain_peers
from services.matching.report import render
from services.matching.run_report import MOST_LEFT, report_of
from services.matching.run_solver import Job, NotInRun, Question, explain
from services.matching.snapshot import part_of
from services.matching.store import RUN
from shared.contracts.base import Key
from shared.errors import Conflict, Invalid, NotFound
from shared.http.api import Api, CurrentCall, CurrentCaller
from shared.persistence.database import Database
from shared.persistence.uow import Uow

api = Api()

Limit = Annotated[int, Query(ge=1, le=500)]
After = Annotated[Key | None, Query()]
_WITH_RESULT: Final = (RunState.READY, RunState.PUBLISHING, RunState.PUBLISHED)


@api.post("/programmes/{programme_id}/runs", allow=[COORDINATOR], status_code=202)
async def request(programme_id: Key, form: RunForm, call: CurrentCall) -> RunView:
    """Ask for a run with the people who wait when it begins. Nobody is told of its pairs before it is published."""
    differences = {name: getattr(form, name) for name in ("form", "objective", "fairness_loss")}
    run = await runs.request_run(
        call.uow,
        programme_id,
        call.caller.subject,
        run_id=form.run_id,
        differences=form.configuration
        | {name: value for name, value in differences.items() if value is not None},
    )
    return RunView.of(run)


@api.get("/programmes/{programme_id}/runs", allow=[COORDINATOR])
async def list_runs(programme_id: Key, call: CurrentCall, after: After = None, limit: Limit = 50) -> RunPage:
    """The programme's runs, the newest first."""
    before: Run | None = None
    if after is not None:
        before = await store.peek(call.uow, RUN, after)
        if before is None:
            raise Invalid("bad_page", "This is not what an earlier page said as its next.")
    rows = await store.runs_of(call.uow, programme_id, before, limit)
    return RunPage(
        items=[RunView.of(row) for row in rows], next=rows[-1].run_id if len(rows) == limit else None
    )


@api.get("/runs/{run_id}", allow=[COORDINATOR_OF_RUN])
async def show(run_id: Key, call: CurrentCall) -> RunView:
    """One run: where it stands, its configuration, its certificate and its figures."""
    return RunView.of(await _run(call.uow, run_id))


@api.get("/runs/{run_id}/pairs", allow=[COORDINATOR_OF_RUN])
async def pairs(
    run_id: Key,
    call: CurrentCall,
    after: Annotated[str | None, Query(max_length=260)] = None,
    limit: Limit = 100,
) -> RunPairPage:
    """The run's pairs with their scores, by mentee."""
    await _result(call.uow, run_id)
    rows = await store.run_pairs(call.uow, run_id, _two(after), limit)
    last = f"{rows[-1]['mentee_id']}|{rows[-1]['mentor_id']}" if len(rows) == limit else None
    return RunPairPage(items=[RunPairView.model_validate(row) for row in rows], next=last)


@api.get("/runs/{run_id}/unmatched", allow=[COORDINATOR_OF_RUN])
async def unmatched(
    run_id: Key, call: CurrentCall, after: After = None, limit: Limit = 100
) -> RunUnmatchedPage:
    """For whom the run found nobody, and why."""
    await _result(call.uow, run_id)
    rows = await store.run_unmatched(call.uow, run_id, after or "", limit)
    return RunUnmatchedPage(
        items=[RunUnmatchedView.model_validate(row) for row in rows],
        next=rows[-1]["mentee_id"] if len(rows) == limit else None,
    )


@api.get("/runs/{run_id}/compare/{other_id}", allow=[COORDINATOR_OF_RUN])
async def compare(
    run_id: Key, other_id: Key, call: CurrentCall, after: After = None, limit: Limit = 100
) -> CompareView:
    """What is different in another run of the programme."""
    run = await _result(call.uow, run_id)
    other = await _of_same_programme(call.uow, run, other_id)
    counts = await store.compare_counts(call.uow, run_id, other_id)
    changes = await store.compare_changes(call.uow, run_id, other_id, after or "", limit)
    return CompareView(
        run=RunView.of(run),
        other=RunView.of(other),
        same_people=run.input_hash == other.input_hash,
        same_configuration=run.fingerprint == other.fingerprint,
        **counts,
        changes=[ChangeView.model_validate(row) for row in changes],
        next=changes[-1]["mentee_id"] if len(changes) == limit else None,
    )


@api.get("/runs/{run_id}/report", allow=[COORDINATOR_OF_RUN], response_class=HTMLResponse)
async def report(
    run_id: Key, call: CurrentCall, compare: Annotated[Key | None, Query()] = None
) -> HTMLResponse:
    """The run as a page for people, beside another run if one is named."""
    run = await _result(call.uow, run_id)
    left = await store.run_unmatched(call.uow, run_id, "", MOST_LEFT)
    beside: tuple[Run, dict[str, int]] | None = None
    if compare is not None:
        other = await _of_same_programme(call.uow, run, compare)
        beside = other, await store.compare_counts(call.uow, run_id, compare)
    return HTMLResponse(await asyncio.to_thread(render, report_of(run, left, beside)))


@api.get("/runs/{run_id}/explain", allow=[COORDINATOR_OF_RUN], detached=True)
async def explanation(
    run_id: Key, mentee: Key, mentor: Key, caller: CurrentCaller, request: Request
) -> ExplainView:
    """Why these two are, or are not, a pair of the run: factors, rules and prices, in full."""
    database: Database = request.app.state.database
    async with database.transaction(caller.tenant, read_only=True) as uow:
        run = await _result(uow, run_id)
        assert run.as_of is not None
        question: Question | PeerQuestion
        if run.form == Form.PEER:
            job = Job(await store.read_people(uow, run_id), run.as_of, run.configuration)
            theirs = [await store.peer_in_run(uow, run_id, one) for one in (mentee, mentor)]
            question = PeerQuestion(job, mentee, mentor, *theirs)
        else:
            people = await store.read_people(uow, run_id, mentee_part=part_of(mentee, run.people_parts))
            own, coherence, prices = await store.choice_and_prices(uow, run_id, mentee, mentor)
            job = Job(people, run.as_of, run.configuration)
            question = Question(job, mentee, mentor, own, prices, coherence)
    try:
        found: dict[str, Any] = await (
            solver.ask(solver.nothing, explain_peers, question)
            if isinstance(question, PeerQuestion)
            else solver.ask(solver.nothing, explain, question)
        )
    except NotInRun as error:
        raise NotFound(f"{error}_not_in_run", f"The run did not see this person as a {error}.") from None
    return ExplainView(run_id=run_id, mentee_id=mentee, mentor_id=mentor, people_removed=run.removed, **found)


@api.post("/runs/{run_id}/publish", allow=[COORDINATOR_OF_RUN], status_code=202)
async def publish(run_id: Key, call: CurrentCall) -> RunView:
    """Propose its pairs, those that still stand. Can be repeated: they are proposed once."""
    return RunView.of(await runs.publish_run(call.uow, run_id, call.caller.subject))


@api.post("/runs/{run_id}/discard", allow=[COORDINATOR_OF_RUN])
async def discard(run_id: Key, call: CurrentCall) -> RunView:
    """Delete its inputs and its pairs; one that is being computed is ended."""
    return RunView.of(await runs.discard_run(call.uow, run_id))


async def _run(uow: Uow, run_id: str) -> Run:
    run = await store.peek(uow, RUN, run_id)
    if run is None:
        raise NotFound("run_unknown", "There is no such run.")
    return run


async def _result(uow: Uow, run_id: str) -> Run:
    """The run, which must have a result that is still kept."""
    run = await _run(uow, run_id)
    if run.state not in _WITH_RESULT or not run.kept:
        raise Conflict("no_result", f"The run is {run.state}, and has no pairs to show.")
    return run


async def _of_same_programme(uow: Uow, run: Run, other_id: str) -> Run:
    other = await _result(uow, other_id)
    if run.programme_id != other.programme_id:
        raise NotFound("run_unknown", "There is no such run in this programme.")
    return other


def _two(after: str | None) -> tuple[str, str]:
    """Mentee and mentor with whom the last page ended."""
    mentee_id, _, mentor_id = (after or "").partition("|")
    if not (mentee_id + mentor_id).isprintable():
        raise Invalid("bad_page", "This is not what an earlier page said as its next.")
    return mentee_id, mentor_id
