"""One person is erased in mid-job on the whole platform, and then their bytes are looked for everywhere.

What the looks are, and what each can show, is said in ``looking``. The mailbox is not looked through: mails that
were sent are the recipients'.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from deploy.local.paths import CHECKOUT
from deploy.local.stack import LocalStack
from shared.contracts import SERVICES, person_id
from shared.contracts.people import PersonChanged
from tests.e2e.erasure_job import MENTEE, MENTOR, RECORDED, TENANT, ZQ, ZQ_RECORD, Job
from tests.e2e.looking import (
    BROKER,
    PERSONAL,
    cluster_of,
    databases_forget,
    found_in,
    in_files,
    in_records,
    in_tables,
    login,
    own_files,
    rows,
    topics_forget_soon,
)
from tests.support.records import hr_event, said_by
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest_asyncio.fixture(loop_scope="session")
async def job(tmp_path: Path) -> AsyncIterator[Job]:
    stack = LocalStack(
        tmp_path / "stack", kafka_settings=BROKER, postgres_settings={"wal_recycle": "off"}, progress=print
    )
    await stack.start()
    try:
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            yield Job(stack, http)
    finally:
        await stack.destroy()


async def command(job: Job, *arguments: str) -> tuple[int, str]:
    """Exit code and output of `mentoring` against this stack, with the role that it needs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MENTORING_")}
    environment |= {f"MENTORING_{name.upper()}_URL": job.stack.url(name) for name in SERVICES}
    environment["MENTORING_TOKEN"] = job.stack.token("officer", TENANT, ["privacy"])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shared.cli.main", *arguments,
        env=environment, cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_nothing_is_left_of_a_person_who_is_erased_in_mid_job(job: Job) -> None:
    stack, me = job.stack, person_id(TENANT, ZQ)
    if not stack.postgres.ours:
        pytest.skip("another PostgreSQL server is used, whose files cannot be looked through")
    await job.begin()
    await job.meet()
    cluster, kafka = await cluster_of(stack), stack.data_dir / "kafka"
    async with login(stack, "profiles") as admin:
        await admin.execute("CHECKPOINT")

    # The looks can find: everything is there before, and where it belongs.
    before = await in_tables(stack)
    assert set().union(*before.values()) == set(PERSONAL)
    assert before["profiles.person"] >= {"given name", "family name", "address", "employee number", "goals"}
    assert "words about" in before["feedback.feedback_answer"]
    assert not [place for place in before if "pg_statistic" in place], "ANALYZE has copied personal values"
    on_topics = await in_records(stack)
    assert {"hr-intake", "person", "dlt.profiles", "enrolment", "proposal"} == set(on_topics)
    assert set().union(*in_files(cluster).values()) == set(PERSONAL)
    assert set().union(*in_files(kafka).values()) >= {"given name", "address", "employee number"}

    code, exported = await command(job, "person", "export", ZQ, "--employee")
    document = json.loads(exported)
    assert (code, set(document["services"])) == (0, set(SERVICES))
    seen = found_in(exported.encode())
    assert seen == set(PERSONAL) - {"words by", "words about"}
    assert "feedback" in document["withheld"]
    own = await job.ask("feedback", ZQ, "GET", f"/people/{me}/export")
    assert found_in(json.dumps(own).encode()) == {"words by", "words about"}

    # Erased: four receipts, the pair and the proposal over, nobody writes to them any more.
    had_mails = job.mails_to(PERSONAL["address"])
    assert had_mails > 5
    code, output = await command(job, "person", "erase", ZQ, "--employee", "--yes", "--json", "--wait", "180")
    stack.mail.behave("accept")
    erasure = json.loads(output)
    assert (code, erasure["missing"]) == (0, [])
    counts = {receipt["service"]: receipt["counts"] for receipt in erasure["receipts"]}
    assert set(counts) == set(SERVICES)
    assert counts["profiles"] == {
        "people": 1, "consents": 1, "enrolments-withdrawn": 2, "wishes-deleted": 1,
    }  # fmt: skip
    # Not how many proposals: the withdrawal from the programme is on another topic, and may be heard first.
    assert {"people": 1, "pairs-ended": 1}.items() <= counts["matching"].items()
    assert counts["feedback"] == {"requests-closed": 2, "answers-emptied": 2}
    assert counts["notifications"]["messages-cancelled"] >= 1
    await job.quiet()
    told_or_cancelled = partial(_partner_is_told, job, person_id(TENANT, MENTOR), me)
    await eventually(told_or_cancelled, seconds=300, what="the partner's mail, and none for the person")
    assert job.mails_to(PERSONAL["address"]) == had_mails
    (told,) = [
        mail.message.as_string()
        for mail in stack.mail.by_header("X-Mentoring-Template", "pair-ended")
        if f"{MENTOR.lower()}@other.example" in mail.recipients
    ]
    assert "no longer takes part" in told
    assert not found_in(told.encode())
    sessions = await job.ask("feedback", MENTOR, "GET", f"/relationships/{job.relationship}/sessions")
    assert {s["session_id"]: s["status"] for s in sessions["sessions"]}["s-2"] == "cancelled"
    proposal = await job.ask("matching", MENTEE, "GET", f"/proposals/{job.open_proposal}")
    assert (proposal["status"], proposal["reasons"]) == ("withdrawn", [])

    # HR says it all again, and a relay that was frozen sends an older state after the tombstone.
    await job.publish(
        hr_event(TENANT, RECORDED, ZQ_RECORD),
        hr_event(TENANT, RECORDED, ZQ_RECORD, sequence=50),
        hr_event(
            TENANT, "hr.person.terminated.v1", {"employee_id": ZQ, "effective_on": "2020-02-01"}, sequence=51
        ),
        said_by(TENANT, _older_state(me), version=1, now=datetime.now(UTC), correlation_id="zombie"),
    )
    await job.quiet()
    assert await in_tables(stack) == {}
    for service in ("profiles", "matching"):
        lists = await rows(stack, service, "SELECT choices::text || avoid::text FROM enrolment")
        assert {text for (text,) in lists} == {"[][]"}, "somebody still names the person"

    # What takes days: two more tombstones, 25 hours apart, compaction, retention. The older state that came
    # after the first tombstone goes when the third has closed the segment of the second.
    assert "person" in await in_records(stack)
    await topics_forget_soon(stack)
    for tombstone in (2, 3):
        await stack.clock.advance(timedelta(hours=25))
        answered = partial(_answered, job, tombstone)
        await eventually(answered, seconds=300, every=1.5, what=f"receipts of tombstone {tombstone}")
    await eventually(lambda: _nothing(in_records(stack)), seconds=300, every=2, what="topics that forget")
    await eventually(
        lambda: _nothing(asyncio.to_thread(in_files, kafka)), seconds=300, every=2, what="segments deleted"
    )
    await databases_forget(stack)

    assert await in_tables(stack) == {}
    await eventually(
        lambda: _nothing(asyncio.to_thread(in_files, cluster)), seconds=30, every=1, what="files without it"
    )
    assert own_files(stack) == {}
    assert (stack.data_dir / "traces" / "profiles.jsonl").stat().st_size > 1000
    assert await job.ask("matching", MENTOR, "GET", "/me/relationships")


def _older_state(person: str) -> PersonChanged:
    names = {"given_name": PERSONAL["given name"], "family_name": PERSONAL["family name"]}
    return PersonChanged(
        person_id=person, status="active", email=PERSONAL["address"], department="d", **names
    )


async def _partner_is_told(job: Job, partner: str, person: str) -> bool:
    """What else was refused meanwhile waits for its next attempt, which may be minutes away."""
    messages = await rows(
        job.stack, "notifications", "SELECT recipient_id, template, state FROM notification"
    )
    under_way = {state for who, _, state in messages if who == person} - {"sent", "suppressed"}
    return not under_way and (partner, "pair-ended", "sent") in messages


async def _answered(job: Job, tombstone: int) -> bool:
    answered = [
        (await rows(job.stack, service, "SELECT version FROM erasure_receipt"))[0][0] for service in SERVICES
    ]
    return answered == [tombstone] * len(SERVICES)


async def _nothing(looking: Any) -> bool:
    """True when a look has found nothing; says what it has found otherwise."""
    found = await looking
    if found:
        print("still there:", found)
    return not found
