"""What coordinators can do with runs, and what follows when a run's state changes. Each command can be repeated."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from services.matching import snapshot, store
from services.matching.domain.pairs import Refused
from services.matching.domain.runs import Run, RunReason, RunState, due_next
from services.matching.engine import Configuration, Form, InvalidConfiguration
from services.matching.speech import say_run
from services.matching.store import PROGRAMME, RUN
from shared.errors import Conflict, Invalid, NotFound
from shared.persistence.uow import Uow

AGE: Final = "run-age"
FORMS: Final = (Form.ONE_TO_ONE, Form.REVERSE, Form.GROUP, Form.PEER)
_EMBEDDERS: Final = ("terms", "letters")
"""Others would have to be given to the engine, which the service does not do."""
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")


async def request_run(
    uow: Uow,
    programme_id: str,
    person_id: str,
    *,
    run_id: str | None,
    differences: Mapping[str, Any],
) -> Run:
    """Ask for a run. *differences* are from the programme's configuration, as plain values."""
    identity = run_id or str(uuid.uuid4())
    known = await uow.get(RUN, identity)
    if known is not None:
        if known.programme_id != programme_id:
            raise Conflict("run_elsewhere", "There is a run of this id in another programme.")
        return known
    programme = await store.peek(uow, PROGRAMME, programme_id)
    if programme is None or not programme.active:
        raise Conflict("programme_inactive", "The programme is not active.")
    configuration = _configured(store.configuration_of(programme), differences)
    run = Run(
        run_id=identity,
        version=1,
        programme_id=programme_id,
        form=configuration.form,
        state=RunState.REQUESTED,
        requested_by=person_id,
        requested_at=uow.now,
        configuration=asdict(configuration),
        fingerprint=configuration.fingerprint(),
        changed_at=uow.now,
    )
    uow.put(run)
    say_run(uow, run)
    return run


def _configured(usual: Configuration, differences: Mapping[str, Any]) -> Configuration:
    plain = asdict(usual)
    for name, value in differences.items():
        inner = plain.get(name)
        plain[name] = {**inner, **value} if isinstance(inner, dict) and isinstance(value, Mapping) else value
    for name in ("version", "seed", "embedder"):
        if not isinstance(plain[name], str) or not _IDENTIFIER.fullmatch(plain[name]):
            raise Invalid("bad_configuration", f"The {name} is an identifier of at most 128 characters.")
    try:
        made = Configuration.read(plain)
    except InvalidConfiguration as error:
        raise Invalid("bad_configuration", str(error)) from None
    except TypeError:
        raise Invalid("bad_configuration", "The configuration holds a value of a wrong type.") from None
    if made.form not in FORMS:
        raise Invalid("form_not_offered", f"Runs have the forms {', '.join(FORMS)}.")
    if (made.form is Form.PEER) != (usual.form is Form.PEER):
        raise Invalid(
            "form_fixed", "A programme of peers has runs of peers only, and no other programme has them."
        )
    if made.embedder not in _EMBEDDERS:
        raise Invalid("embedder_not_offered", f"Goals are compared by {' or '.join(_EMBEDDERS)}.")
    return made


async def publish_run(uow: Uow, run_id: str, person_id: str) -> Run:
    """Let a run's pairs be proposed, those that still stand then."""
    run = await _known(uow, run_id)
    try:
        asked = run.publishing(person_id, uow.now)
    except Refused as refused:
        raise Conflict(refused.code, refused.message) from None
    if asked is not run:
        programme = await store.peek(uow, PROGRAMME, run.programme_id)
        if programme is None or not programme.active:
            raise Conflict("programme_inactive", "The programme is not active.")
        await settle(uow, asked)
    return asked


async def discard_run(uow: Uow, run_id: str) -> Run:
    """Nobody wants it: inputs and result are deleted, and a computation is ended."""
    run = await _known(uow, run_id)
    try:
        discarded = run.discarded(RunReason.BY_COORDINATOR, uow.now)
    except Refused as refused:
        raise Conflict(refused.code, refused.message) from None
    if discarded is not run:
        await settle(uow, discarded)
    return discarded


async def settle(uow: Uow, run: Run) -> None:
    """Write a run's next state with all that hangs on it: the event, the rows that go, and when it gets old."""
    before = await uow.get(RUN, run.run_id)
    assert before is not None
    uow.put(run)
    if run.version != before.version:
        say_run(uow, run)
    if before.kept and not run.kept:
        await store.delete_rows(uow, run.run_id, store.RUN_TABLES)
    due = due_next(run)
    if due is not None:
        uow.set_timer(AGE, run.run_id, due)


async def run_aged(uow: Uow, run_id: str) -> None:
    """So long after its last step a run loses its inputs and pairs, and later goes."""
    run = await uow.get(RUN, run_id)
    due = due_next(run) if run is not None else None
    if run is None or due is None:
        return
    if uow.now < due:
        uow.set_timer(AGE, run_id, due)
    elif run.kept:
        old = run.state is RunState.PUBLISHED
        await settle(uow, run.emptied() if old else run.discarded(RunReason.NOT_PUBLISHED_IN_TIME, uow.now))
    else:
        uow.delete(run)


async def forget(uow: Uow, person_id: str) -> int:
    """Take somebody out of the inputs and results of all runs; returns out of how many runs.

    What is being computed from their inputs will not count, and is computed again.
    """
    forgotten = 0
    for run in await uow.find(RUN, kept=True):
        if await _forget_inputs(uow, run, person_id):
            uow.put(run.without_somebody())
            forgotten += 1
    await store.forget_results(uow, person_id)
    return forgotten


async def _forget_inputs(uow: Uow, run: Run, person_id: str) -> bool:
    number = snapshot.part_of(person_id, run.people_parts)
    found = False
    for side, content in (await store.parts_of_one(uow, run.run_id, number)).items():
        rest = snapshot.without(content, person_id)
        if rest is not None:
            await store.replace_part(uow, run.run_id, side, number, rest)
            found = True
    return found


async def _known(uow: Uow, run_id: str) -> Run:
    run = await uow.get(RUN, run_id)
    if run is None:
        raise NotFound("run_unknown", "There is no such run.")
    return run
