"""The mail sink keeps what it accepts, and misbehaves on demand."""

import asyncio
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from deploy.local import Mailbox, MailSink, PortInUse
from deploy.local import servers as servers_module
from deploy.local.ports import free_port


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[MailSink]:
    running = MailSink.start(tmp_path / "mail")
    yield running
    running.stop()


def _message(message_id: str, occasion: str = "o-1") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "mentoring@localhost"
    message["To"] = "ada@example.org"
    message["Subject"] = "Grüße"
    message["Message-ID"] = message_id
    message["X-Mentoring-Occasion"] = occasion
    message.set_content("Hello.\n")
    return message


def _send(sink: MailSink, message: EmailMessage) -> None:
    with smtplib.SMTP(sink.host, sink.port, timeout=10) as client:
        client.send_message(message)


def test_messages_are_kept_counted_and_found(sink: MailSink) -> None:
    for message_id, occasion in (("<1@x>", "a"), ("<2@x>", "b"), ("<1@x>", "a")):
        _send(sink, _message(message_id, occasion))
    reader = Mailbox(sink.directory)  # as another program would
    assert reader.count() == 3
    assert reader.duplicates() == {"<1@x>": 2}
    assert [mail.header("Subject") for mail in reader.by_message_id("<2@x>")] == ["Grüße"]
    assert len(reader.by_header("X-Mentoring-Occasion", "a")) == 2
    assert reader.messages()[0].recipients == ["ada@example.org"]


def test_numbers_go_on_after_a_restart(sink: MailSink) -> None:
    _send(sink, _message("<1@x>"))
    sink.stop()
    again = MailSink.start(sink.directory, sink.port)
    try:
        _send(again, _message("<2@x>"))
    finally:
        again.stop()
    assert [mail.message_id for mail in sink.messages()] == ["<1@x>", "<2@x>"]


def test_it_refuses_for_a_while(sink: MailSink) -> None:
    sink.behave("refuse", times=1)
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        _send(sink, _message("<1@x>"))
    assert refusal.value.smtp_code == 451
    _send(sink, _message("<1@x>"))
    assert sink.count() == 1


def test_it_rejects_for_good(sink: MailSink) -> None:
    sink.behave("reject")
    with pytest.raises(smtplib.SMTPDataError) as refusal:
        _send(sink, _message("<1@x>"))
    assert refusal.value.smtp_code == 550


@pytest.mark.parametrize(("mode", "kept"), [("drop", 0), ("drop_after", 1)])
def test_it_hangs_up(sink: MailSink, mode: str, kept: int) -> None:
    sink.behave(mode, times=1)  # type: ignore[arg-type]
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
        _send(sink, _message("<1@x>"))
    assert sink.count() == kept


async def test_it_is_slow(sink: MailSink) -> None:
    sink.behave("slow", seconds=0.3, times=1)
    sending = asyncio.create_task(asyncio.to_thread(_send, sink, _message("<1@x>")))
    await asyncio.wait([sending], timeout=0.1)
    assert sink.count() == 0
    await sending
    assert sink.count() == 1


def test_a_taken_port_fails_loudly(sink: MailSink, tmp_path: Path) -> None:
    with pytest.raises(PortInUse):
        MailSink.start(tmp_path / "other", sink.port)


async def test_a_port_that_is_taken_after_it_was_found_free(
    sink: MailSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = free_port()
    found = [free, sink.port]
    monkeypatch.setattr(servers_module, "free_port", found.pop)
    servers = servers_module.Servers(tmp_path)
    await servers._start_mail(servers_module.ServerOptions())
    try:
        assert (servers.mail.port, servers.mail.running) == (free, True)
    finally:
        await servers.mail.stop()
