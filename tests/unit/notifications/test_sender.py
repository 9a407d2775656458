"""The sender against a real SMTP conversation: what arrives, how often, and what is written down."""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from services.notifications import sender as module
from services.notifications.domain.messages import MAX_ATTEMPTS, Notification, State, pause_before
from services.notifications.rendering import Renderer
from services.notifications.sender import LEASE, Sender, run
from services.notifications.smtp import Line
from shared.contracts.messages import NotificationChanged
from shared.contracts.people import PersonStatus
from shared.persistence.database import Database
from shared.runtime.service import WorkerContext
from tests.support.memory import NOW, MemoryStore
from tests.support.waiting import eventually
from tests.unit.notifications.mail import MailServer, MemoryDeliveries
from tests.unit.notifications.support import (
    MENTEE,
    MENTOR,
    erased,
    hear,
    messages,
    person,
    proposal,
    started,
    with_people,
)

MAILS = 12


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer().running() as running:
        yield running


async def queue_of(count: int) -> MemoryStore:
    """So many messages to as many mentors (their partner has left), oldest first."""
    store = await with_people()
    await hear(store, person(MENTEE, status=PersonStatus.LEFT), 2)
    for n in range(count):
        await hear(store, person(f"m{n:02}"))
        data = proposal(proposal_id=f"proposal-{n}", mentor_id=f"m{n:02}")
        await hear(store, data, now=NOW + timedelta(seconds=n))
    return store


def make(server: MailServer, deliveries: MemoryDeliveries, **more: Any) -> Sender:
    settings = server.settings()
    return Sender(
        deliveries,
        Renderer(settings.mail_from),
        lambda: Line(settings),
        stopping=asyncio.Event(),
        wake=asyncio.Event(),
        **more,
    )


async def until_quiet(sender: Sender) -> None:
    while await sender.round():
        pass


def address(n: int) -> str:
    return f"m{n:02}@example.org"


def states(store: MemoryStore) -> Counter[str]:
    return Counter(str(n.state) for n in messages(store) if n.recipient_id != MENTEE)


def of(store: MemoryStore, n: int) -> Notification:
    (found,) = (each for each in messages(store) if each.recipient_id == f"m{n:02}")
    return found


async def test_every_mail_is_sent_once_and_marked(server: MailServer) -> None:
    store = await queue_of(MAILS)
    before = len(store.said)
    await until_quiet(make(server, MemoryDeliveries(store)))
    assert states(store) == {"sent": MAILS}
    assert sorted(server.arrived().values()) == [1] * MAILS
    assert server.sessions <= module.CONNECTIONS, "connections are reused"
    changed = store.said[before:]
    assert {(c.status, v) for c, v in zip(changed, store.versions[before:], strict=True)} == {("sent", 2)}  # type: ignore[attr-defined]


async def test_the_headers_name_the_message_and_nobody(server: MailServer) -> None:
    store = await queue_of(1)
    await until_quiet(make(server, MemoryDeliveries(store)))
    (mail,), notification = server.kept, of(store, 0)
    assert mail["Message-ID"] == f"<{notification.id}@mail.example.org>"
    assert mail["X-Mentoring-Notification"] == notification.id
    assert mail["X-Mentoring-Template"] == "proposal"
    assert mail["X-Mentoring-About"] == "proposal-0"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["To"] == f"Ada m00 <{address(0)}>"
    assert mail["Date"].datetime == NOW


async def test_eight_unsendable_at_the_head_of_the_queue_hold_up_nobody(server: MailServer) -> None:
    store = await queue_of(MAILS)
    for n, answer in enumerate(
        [
            "550 5.1.1 nobody",
            "553 no",
            "451 4.7.1 greylisted",
            "452 full",
            "421 busy",
            "drop",
            "hang-up",
            "554 spam",
        ]
    ):
        server.answers[address(n)] = answer
    deliveries = MemoryDeliveries(store)
    await until_quiet(make(server, deliveries, connections=1))
    assert [of(store, n).state for n in range(8, MAILS)] == [State.SENT] * (MAILS - 8)
    ends = {n: (of(store, n).state, of(store, n).reason) for n in (0, 1, 7)}
    assert ends == {
        0: (State.FAILED, "smtp-550"),
        1: (State.FAILED, "smtp-553"),
        7: (State.FAILED, "smtp-554"),
    }
    assert [(of(store, n).state, of(store, n).attempts) for n in range(2, 7)] == [(State.QUEUED, 1)] * 5


async def test_a_mail_refused_for_now_is_tried_ten_times_with_growing_pauses(server: MailServer) -> None:
    store = await queue_of(1)
    server.answers[address(0)] = "451 try later"
    deliveries = MemoryDeliveries(store)
    sender = make(server, deliveries)
    for _ in range(MAX_ATTEMPTS):
        await until_quiet(sender)
        deliveries.elapsed += timedelta(hours=1)
    failed = of(store, 0)
    assert (failed.state, failed.reason, failed.attempts) == (State.FAILED, "smtp-451", MAX_ATTEMPTS)
    pauses = [pause_before(attempt) for attempt in range(2, MAX_ATTEMPTS + 1)]
    assert pauses == sorted(pauses, key=lambda pause: pause or timedelta.max)
    assert pause_before(MAX_ATTEMPTS + 1) is None


async def test_greylisting_passes(server: MailServer) -> None:
    store = await queue_of(1)
    server.answers[address(0)] = "451 greylisted"
    deliveries = MemoryDeliveries(store)
    sender = make(server, deliveries)
    await until_quiet(sender)
    server.answers.clear()
    await until_quiet(sender)
    assert server.kept == [], "not before its time"
    deliveries.elapsed += timedelta(seconds=5)
    await until_quiet(sender)
    assert (of(store, 0).state, of(store, 0).attempts) == (State.SENT, 2)


async def test_while_the_server_is_down_nothing_counts_as_an_attempt() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        server = MailServer(port=probe.getsockname()[1])
    store = await queue_of(MAILS)
    sender = make(server, MemoryDeliveries(store))
    for _ in range(3):
        await sender.round()
    assert states(store) == {"queued": MAILS}
    assert {n.attempts for n in messages(store)} == {0}
    async with server.running():
        await until_quiet(sender)
    assert states(store) == {"sent": MAILS}


@pytest.mark.parametrize("answer", ["530 5.7.0 authentication required", "550 5.7.1 sender refused"])
async def test_a_server_that_refuses_our_sender_fails_no_mail(server: MailServer, answer: str) -> None:
    store = await queue_of(2)
    server.sender_answer = answer
    sender = make(server, MemoryDeliveries(store))
    await sender.round()
    assert states(store) == {"queued": 2}
    server.sender_answer = None
    await until_quiet(sender)
    assert states(store) == {"sent": 2}


async def test_an_answer_that_never_came_makes_one_more_mail_with_the_same_id(server: MailServer) -> None:
    store = await queue_of(1)
    server.answers[address(0)] = "drop-after"
    deliveries = MemoryDeliveries(store)
    sender = make(server, deliveries)
    await until_quiet(sender)
    assert of(store, 0).state is State.QUEUED
    server.answers.clear()
    deliveries.elapsed += timedelta(seconds=5)
    await until_quiet(sender)
    assert list(server.arrived().values()) == [2]


class Killed(BaseException):
    """What SIGKILL looks like from inside a test."""


async def test_killed_between_the_servers_yes_and_our_mark_one_mail_is_doubled(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await queue_of(MAILS)
    deliveries = MemoryDeliveries(store)

    def die(name: str) -> None:
        assert name == "side_effect_before_mark"
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, "failpoint", die)
        with pytest.raises(Killed):
            await make(server, deliveries, connections=1).round()
    assert len(server.kept) == 1
    await until_quiet(make(server, deliveries))
    assert Counter(server.arrived().values()) == {1: MAILS}, "the lease still holds"
    deliveries.elapsed += LEASE
    await until_quiet(make(server, deliveries))
    assert states(store) == {"sent": MAILS}
    assert Counter(server.arrived().values()) == {1: MAILS - 1, 2: 1}


async def test_a_refused_mail_leaves_the_connection_clean_for_the_next(server: MailServer) -> None:
    store = await queue_of(3)
    server.answers[address(0)] = "550 no"
    server.answers[address(1)] = "451 later"
    await until_quiet(make(server, MemoryDeliveries(store), connections=1))
    assert of(store, 2).state is State.SENT
    assert server.sessions == 1


async def test_an_idle_connection_that_the_server_has_closed_costs_no_attempt(server: MailServer) -> None:
    store = await queue_of(1)
    sender = make(server, MemoryDeliveries(store), connections=1)
    await until_quiet(sender)
    server.hang_ups = 1
    await hear(store, started())
    await until_quiet(sender)
    sent = [n for n in messages(store) if n.recipient_id != MENTEE]
    assert {(n.state, n.attempts) for n in sent} == {(State.SENT, 1)}
    assert server.sessions == 2


async def test_who_left_or_was_forgotten_meanwhile_gets_nothing(server: MailServer) -> None:
    store = await queue_of(2)
    await hear(store, person("m00", status=PersonStatus.LEFT), 2)
    await hear(store, erased("m01"), 2)
    await until_quiet(make(server, MemoryDeliveries(store)))
    assert server.kept == []
    assert (of(store, 0).reason, of(store, 1).reason) == ("recipient-left", "recipient-erased")


async def test_an_unwritable_address_fails_alone(server: MailServer) -> None:
    store = await with_people()
    await hear(store, person(MENTOR, email="a,b@example.org"), 2)
    await hear(store, started())
    await until_quiet(make(server, MemoryDeliveries(store)))
    ends = {n.recipient_id: (n.state, n.reason) for n in messages(store)}
    assert ends == {MENTOR: (State.FAILED, "address-invalid"), MENTEE: (State.SENT, None)}


async def test_an_address_beyond_ascii_is_sent_as_it_is(server: MailServer) -> None:
    store = await with_people()
    await hear(store, person(MENTOR, email="jörg@exämple.org"), 2)
    await hear(store, started())
    await until_quiet(make(server, MemoryDeliveries(store)))
    assert {n.state for n in messages(store)} == {State.SENT}
    assert sorted(server.recipients) == ["jörg@xn--exmple-cua.org", f"{MENTEE}@example.org"]


async def test_a_frozen_sender_cannot_take_back_what_another_holds(server: MailServer) -> None:
    store = await queue_of(1)
    deliveries = MemoryDeliveries(store)
    (frozen,) = await deliveries.lease("acme", 10, LEASE)
    deliveries.elapsed += LEASE
    (other,) = await deliveries.lease("acme", 10, LEASE)
    await deliveries.refused(frozen, "smtp-550", permanent=True)
    assert of(store, 0).state is State.SENDING
    await deliveries.sent([frozen])
    await deliveries.sent([other])
    assert of(store, 0).state is State.SENT
    changed = [said for said in store.said if isinstance(said, NotificationChanged) and said.status == "sent"]
    assert len(changed) == 1


async def test_who_was_frozen_past_the_lease_sends_nothing_more(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await queue_of(MAILS)
    now, settings = [0.0], server.settings()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    class Frozen(Line):
        async def send(self, mail: object) -> None:
            await super().send(mail)  # type: ignore[arg-type]
            now[0] += LEASE.total_seconds()

    sender = Sender(
        MemoryDeliveries(store),
        Renderer(settings.mail_from),
        lambda: Frozen(settings),
        stopping=asyncio.Event(),
        wake=asyncio.Event(),
        connections=1,
    )
    await sender.round()
    assert len(server.kept) == 1
    assert states(store) == {"sent": 1, "queued": MAILS - 1}


async def test_told_to_stop_it_finishes_the_mail_in_hand_and_gives_the_rest_back(server: MailServer) -> None:
    store = await queue_of(MAILS)
    deliveries = MemoryDeliveries(store)
    stopping = asyncio.Event()
    settings = server.settings()

    class Last(Line):
        async def send(self, mail: object) -> None:
            stopping.set()
            await super().send(mail)  # type: ignore[arg-type]

    sender = Sender(
        deliveries,
        Renderer(settings.mail_from),
        lambda: Last(settings),
        stopping=stopping,
        wake=asyncio.Event(),
        connections=1,
    )
    await asyncio.wait_for(sender.run(), 5)
    assert states(store) == {"sent": 1, "queued": MAILS - 1}
    assert len(server.kept) == 1


async def test_it_wakes_on_the_hint_and_sends_what_came(server: MailServer) -> None:
    store = await with_people()
    stopping, wake, settings = asyncio.Event(), asyncio.Event(), server.settings()
    sender = Sender(
        MemoryDeliveries(store),
        Renderer(settings.mail_from),
        lambda: Line(settings),
        stopping=stopping,
        wake=wake,
    )
    task = asyncio.create_task(sender.run())
    await asyncio.sleep(0.01)
    await hear(store, started())
    wake.set()
    async with asyncio.timeout(3):
        await server.has(2)
    stopping.set()
    await asyncio.wait_for(task, 3)


async def test_mails_that_are_accepted_together_are_marked_together(server: MailServer) -> None:
    store = await queue_of(MAILS)
    deliveries = MemoryDeliveries(store)
    marked: list[int] = []
    mark = deliveries.sent

    async def counted(letters: Any) -> None:
        marked.append(len(letters))
        await mark(letters)

    deliveries.sent = counted  # type: ignore[method-assign]
    await until_quiet(make(server, deliveries, connections=4))
    assert states(store) == {"sent": MAILS}
    assert sum(marked) == MAILS
    assert max(marked) <= 4, "a connection has at most one mail that is not marked yet"
    assert len(marked) < MAILS, "not each by itself"


async def test_it_gives_way_to_events_for_a_while_and_no_longer(
    server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await queue_of(2)
    consuming = True
    asked = 0

    def told() -> bool:
        nonlocal asked
        asked += 1
        return consuming

    sender = make(server, MemoryDeliveries(store), consuming=told)
    task = asyncio.create_task(sender.run())

    async def asked_three_times() -> bool:
        return asked >= 3

    await eventually(asked_three_times, seconds=10, what="a sender that asks whether events come first")
    assert server.kept == [], "events come first"
    consuming = False
    async with asyncio.timeout(10):
        await server.has(2)
    consuming = True
    monkeypatch.setattr(module, "_YIELD_SECONDS", 0.1)
    await hear(store, started())
    async with asyncio.timeout(10):
        await server.has(3)
    sender._stopping.set()
    await asyncio.wait_for(task, 10)


async def test_without_a_mail_server_everything_stays_in_the_queue() -> None:
    settings = MailServer().settings(smtp_host=None)
    context = WorkerContext(settings, Database("notifications", settings, ()), asyncio.Event())
    task = asyncio.create_task(run(context))
    await asyncio.sleep(0)
    assert not task.done()
    context.stopping.set()
    await asyncio.wait_for(task, 1)
    await context.database.close()
