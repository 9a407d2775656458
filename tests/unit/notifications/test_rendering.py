"""What the mails say: names, times in the reader's own zone, and nothing that does not belong there."""

import email
import email.policy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from services.notifications.domain.messages import Notification, Occasion, Role, Template, Trace
from services.notifications.domain.people import Contact, ContactState
from services.notifications.domain.reminders import Programme, SessionPlan, SessionStatus
from services.notifications.letters import Letter, collect
from services.notifications.mime import BadAddress
from services.notifications.rendering import Renderer
from shared.contracts.pairs import EndReason, Requeue
from tests.unit.notifications.support import MENTEE, MENTOR, hear, messages, person, session, world
from tests.unit.notifications.support import programme as programme_heard

NOW = datetime(2026, 3, 27, 9, 0, tzinfo=UTC)
START = datetime(2026, 3, 30, 8, 0, tzinfo=UTC)
FACTS: dict[str, Any] = {
    "starts_at": START.isoformat(),
    "minutes": 60,
    "before": NOW.isoformat(),
    "expires_at": START.isoformat(),
    "reasons": ["what one teaches the other wants to learn"],
    "started_at": NOW.isoformat(),
    "ended_at": NOW.isoformat(),
    "reason": "left",
    "requeue": "queued",
    "session_id": "session-1",
}
ADA = Contact("a", 1, ContactState.ACTIVE, "Ada", "Lovelace", "ada@example.org", "Europe/Berlin", "en")
BOB = Contact("b", 1, ContactState.ACTIVE, "Bob", "O'Neil", "bob@example.org", "America/New_York", "en")


def letter(
    template: Template = Template.SESSION_BOOKED,
    *,
    to: Contact = ADA,
    partner: Contact | None = BOB,
    role: Role | None = Role.MENTEE,
    programme: Programme | None = None,
    session: SessionPlan | None = None,
    **facts: Any,
) -> Letter:
    occasion = Occasion(to.person_id, template, "about-1", "p", role, None, FACTS | facts)
    notification = Notification.of(occasion, "notification-1", NOW, Trace("c")).decided(to, None, NOW)
    return Letter("acme", NOW, notification, to, None, role, partner, programme, session)


def mail(of: Letter) -> EmailMessage:
    message = email.message_from_bytes(
        Renderer("mentoring@example.org").mail(of).content, policy=email.policy.default
    )
    assert isinstance(message, EmailMessage)
    return message


def text(of: Letter, kind: str = "plain") -> str:
    body = mail(of).get_body((kind,))
    assert body is not None
    content: str = body.get_content()
    return " ".join(content.split())


@pytest.mark.parametrize("template", list(Template))
@pytest.mark.parametrize("known", [True, False])
def test_every_text_can_be_written_with_much_or_little_known(template: Template, known: bool) -> None:
    programme = Programme("p", 1, "Leadership", 24, 3) if known else None
    facts: dict[str, Any] = {} if known else {"before": None, "reasons": []}
    of = letter(
        template,
        partner=BOB if known else None,
        role=Role.MENTOR if known else None,
        programme=programme,
        **facts,
    )
    for kind in ("plain", "html"):
        assert "Ada" in text(of, kind)
        assert "$" not in text(of, kind)
        assert ("Leadership" in text(of, kind)) == known
    assert "$" not in mail(of)["Subject"]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("reason", list(EndReason))
@pytest.mark.parametrize("requeue", list(Requeue))
def test_every_end_has_words_for_both_sides(role: Role, reason: EndReason, requeue: Requeue) -> None:
    words = text(letter(Template.PAIR_ENDED, role=role, reason=str(reason), requeue=str(requeue)))
    assert ("left the organisation" in words) == (reason is EndReason.LEFT)
    wanted = "peer" if role is Role.PEER else "mentor"
    on_the_list = f"on the list for a new {wanted}, with priority" in words and "not on the list" not in words
    assert on_the_list == (role is not Role.MENTOR and requeue is Requeue.QUEUED)
    if role is Role.PEER:
        assert "mentor " not in words
        assert "mentee" not in words
    if role is Role.MENTOR:
        assert "list" not in words, "what becomes of the mentee is the mentee's own business"


async def test_mails_about_sessions_call_nobody_a_mentor_who_is_a_peer() -> None:
    """Who the two are is known from the programme only; the mail's words follow, as soon as it is heard of."""
    store = world()
    for known in (person(MENTOR), person(MENTEE), session()):
        await hear(store, known)
    for told, role in ((None, None), (programme_heard(matching={"form": "peer"}), Role.PEER)):
        if told is not None:
            await hear(store, told)
        async with store.uow() as uow:
            letters = await collect(uow, [each.id for each in messages(store)])
        assert [each.role for each in letters] == [role, role]
        for each in letters:
            words = text(replace(each, partner=None))
            assert "mentor " not in words
            assert "mentee" not in words
            assert ("your peer" in words) == (role is Role.PEER)


def test_the_words_of_a_no_fault_end_are_the_same_for_both_and_name_nobody_as_its_cause() -> None:
    def words(role: Role) -> str:
        full = text(letter(Template.PAIR_ENDED, role=role, reason="no-fault", partner=None))
        return full.replace("your mentor", "X").replace("your mentee", "X").split("not every pair fits.")[0]

    assert words(Role.MENTOR) == words(Role.MENTEE)
    assert "nobody is told who" in words(Role.MENTOR)


def test_times_are_in_the_readers_own_zone_which_is_named_and_in_the_partners_where_it_differs() -> None:
    words = text(letter())
    assert "Monday 30 March 2026, 10:00 to 11:00, Europe/Berlin (UTC+02:00)" in words
    assert "For Bob O'Neil: Monday 30 March 2026, 04:00 to 05:00, America/New York (UTC-04:00)" in words
    assert "For Bob" not in text(letter(partner=replace(BOB, time_zone="Europe/Paris")))


@pytest.mark.parametrize(
    ("moment", "zone", "written"),
    [
        (
            "2026-03-28T09:00:00+00:00",
            "Europe/Berlin",
            "Saturday 28 March 2026, 10:00 to 11:00, Europe/Berlin (UTC+01:00)",
        ),
        (
            "2026-03-29T09:00:00+00:00",
            "Europe/Berlin",
            "Sunday 29 March 2026, 11:00 to 12:00, Europe/Berlin (UTC+02:00)",
        ),
        (
            "2026-03-29T00:30:00+00:00",
            "Europe/Berlin",
            "Sunday 29 March 2026, 01:30 to 03:30, Europe/Berlin (UTC+01:00)",
        ),
        (
            "2026-10-25T00:30:00+00:00",
            "Europe/Berlin",
            "Sunday 25 October 2026, 02:30 to 02:30, Europe/Berlin (UTC+02:00)",
        ),
        (
            "2028-02-29T18:00:00+00:00",
            "Asia/Kolkata",
            "Tuesday 29 February 2028, 23:30 to 00:30 the next day, Asia/Kolkata (UTC+05:30)",
        ),
        ("2026-06-01T12:00:00+00:00", "UTC", "Monday 1 June 2026, 12:00 to 13:00, UTC"),
    ],
)
def test_clock_changes_leap_days_and_odd_zones(moment: str, zone: str, written: str) -> None:
    assert written in text(letter(to=replace(ADA, time_zone=zone), starts_at=moment))


def test_a_request_for_feedback_names_session_and_partner_once_they_are_known() -> None:
    plan = SessionPlan("session-1", 1, "p", "b", "a", SessionStatus.COMPLETED, START, 45, NOW, None, False)
    facts: dict[str, Any] = {"starts_at": None, "minutes": None}
    known = text(letter(Template.FEEDBACK_REQUEST, session=plan, **facts))
    assert "you have met Bob O'Neil" in known
    assert "10:00 to 10:45" in known
    unknown = text(letter(Template.FEEDBACK_REQUEST, role=None, partner=None, **facts))
    assert "you have met your partner" in unknown
    assert "The session:" not in unknown


def test_a_partner_who_was_forgotten_has_no_name() -> None:
    assert "your session with your mentor is booked" in text(letter(partner=Contact.erased("b", 2)))


def test_people_without_a_name_are_written_to_all_the_same() -> None:
    words = text(
        letter(
            to=replace(ADA, given_name="", family_name=""),
            partner=replace(BOB, given_name=" ", family_name=""),
        )
    )
    assert "your session with your mentor is booked" in words
    assert "Hello" not in words


def test_a_name_adds_neither_headers_nor_markup_nor_lines() -> None:
    evil = replace(
        BOB, given_name="Eve\r\nBcc: all@example.org\n\n- Item: $minutes", family_name="<b>\u2028x</b>\x00"
    )
    to = replace(ADA, given_name="Ada\r\nBcc: all@example.org", family_name='"<script>, x')
    written = mail(letter(to=to, partner=evil))
    assert written["Bcc"] is None
    assert [a.addr_spec for a in written["To"].addresses] == ["ada@example.org"]
    page = text(letter(to=to, partner=evil), "html")
    assert "<b>x" not in page
    assert "<script>" not in page
    assert "$minutes" in page
    assert text(letter(partner=evil)).count("60 minutes") == 1


@pytest.mark.parametrize(
    "address", ["a,b@example.org", "<a>@example.org", "a;@x", "a@b,c", "@x", "a@", '"a@b', "a@é" + "x" * 70]
)
def test_an_address_that_no_header_can_hold_is_said_to_be_bad(address: str) -> None:
    with pytest.raises(BadAddress):
        Renderer("mentoring@example.org").mail(letter(to=replace(ADA, email=address)))


@pytest.mark.parametrize(
    ("language", "used"), [("en", "en"), ("en-GB", "en"), ("pt-BR", "en"), (None, "en"), ("..", "en")]
)
def test_a_language_without_texts_falls_back_to_english(language: str | None, used: str) -> None:
    assert mail(letter(to=replace(ADA, language=language)))["Content-Language"] == used


def test_the_mail_is_plain_ascii_on_the_wire_whatever_the_names() -> None:
    content = (
        Renderer("Mentoring <m@example.org>").mail(letter(partner=replace(BOB, given_name="Łukasz"))).content
    )
    assert content.isascii()
    assert max(map(len, content.splitlines())) < 998


def test_a_date_is_the_business_time_of_sending() -> None:
    assert mail(letter())["Date"].datetime - NOW == timedelta()


def test_a_sender_that_is_no_address_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="MENTORING_MAIL_FROM"):
        Renderer("nobody")
