"""From a letter to a mail: text and HTML from one template, in the recipient's language and time zone.

A template is a subject line and paragraphs of plain text; lines that begin with "- " form a list. Rule: a
line with a placeholder that has no value is left out, so that a text says what is known and nothing more.
Values are made one line each and escaped, so that a name can add neither a header nor markup.
"""

import html
import textwrap
import tomllib
import unicodedata
from collections.abc import Mapping
from email.utils import format_datetime, parseaddr
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from string import Template as Text
from typing import Any, Final

from services.notifications.domain.messages import Role, Template
from services.notifications.letters import Letter
from services.notifications.mime import BadAddress, document, header, mailbox
from services.notifications.moments import Moments
from services.notifications.smtp import Mail

_DEFAULT: Final = "en"
_WIDTH: Final = 76
_P: Final = '<p style="margin:0 0 16px">'
_UL: Final = '<ul style="margin:0 0 16px;padding-left:20px">'

Values = Mapping[str, str]


class Renderer:
    """Writes mails from one sender."""

    def __init__(self, mail_from: str) -> None:
        name, address = parseaddr(mail_from)
        try:
            self._from, self._sender = mailbox(_one_line(name), address)
        except BadAddress:
            raise ValueError("MENTORING_MAIL_FROM is not an address") from None
        if not self._sender.isascii():
            raise ValueError("MENTORING_MAIL_FROM needs an ASCII address")
        self._domain = self._sender.rpartition("@")[2]

    def mail(self, letter: Letter) -> Mail:
        """The finished mail. Raises BadAddress."""
        notification, recipient = letter.notification, letter.recipient
        to, address = mailbox(_one_line(recipient.full_name), recipient.email or "")
        language = _language(recipient.language)
        subject, text, markup = write(language, template_file(letter), values_of(letter, language))
        headers = [
            f"From: {self._from}",
            f"To: {to}",
            header("Subject", subject),
            f"Date: {format_datetime(letter.now)}",
            f"Message-ID: <{notification.id}@{self._domain}>",
            "Auto-Submitted: auto-generated",
            f"Content-Language: {language}",
            f"X-Mentoring-Notification: {notification.id}",
            f"X-Mentoring-Template: {notification.template}",
            f"X-Mentoring-About: {notification.about_id}",
        ]
        return Mail(self._sender, address, document(headers, notification.id, text, markup))


def template_file(letter: Letter) -> str:
    """The name of the text: the template's, and for the end of a pair also the reason's."""
    notification = letter.notification
    if notification.template is Template.PAIR_ENDED:
        return f"{notification.template}-{notification.facts['reason']}"
    return str(notification.template)


def values_of(letter: Letter, language: str) -> dict[str, str]:
    """What the placeholders stand for; an empty value for what is not known or does not apply."""
    phrases, facts, recipient = _phrases(language), letter.notification.facts, letter.recipient
    moments = Moments(phrases["date"], recipient.time_zone)
    partner_role = str(letter.role.partner) if letter.role else "unknown"
    partner = letter.partner  # without name and zone when unknown or erased
    partner_name = _one_line(partner.full_name) if partner else ""
    values = {
        "given_name": recipient.given_name or recipient.full_name,
        "partner": partner_name or phrases["partner"][partner_role],
        "partner_role": phrases["role"][partner_role],
        "aims": phrases["aims"][partner_role],
        "programme": (letter.programme.name if letter.programme else None) or phrases["programme"],
        "reasons": " ".join(f"{reason.rstrip('.')}." for reason in facts.get("reasons", ())),
        "next": _next(letter, phrases),
        "until": moments.moment(facts.get("expires_at")),
        "until_short": moments.short(facts.get("expires_at")),
        "ended_on": moments.day(facts.get("ended_at")),
        "before": moments.moment(facts.get("before")),
    }
    starts_at, minutes = facts.get("starts_at"), facts.get("minutes")
    if letter.session is not None:
        starts_at, minutes = letter.session.starts_at.isoformat(), letter.session.minutes
    values |= {
        "when": moments.span(starts_at, minutes),
        "when_short": moments.short(starts_at),
        "partner_when": "",
        "minutes": str(minutes or ""),
    }
    if partner is not None and moments.differ(partner.time_zone, starts_at):
        values["partner_when"] = Moments(phrases["date"], partner.time_zone).span(starts_at, minutes)
    values = {name: _one_line(value) for name, value in values.items()}
    values["footer"] = Text(phrases["footer"]).substitute(values)
    return values


def _next(letter: Letter, phrases: Mapping[str, Any]) -> str:
    """What the end of a pair means for the recipient. It never tells the mentor what became of the mentee, nor a peer
    what became of the other."""
    facts = letter.notification.facts
    if letter.role is None or "requeue" not in facts:
        return ""
    which = facts["reason"] if letter.role is Role.MENTOR else facts["requeue"]
    return str(phrases["next"][letter.role.value][which])


def write(language: str, name: str, values: Values) -> tuple[str, str, str]:
    """Subject, plain text and HTML."""
    subject_line, _, body = _read(language, f"{name}.txt").partition("\n")
    subject = _filled(subject_line.removeprefix("Subject: "), values) or name
    plain, markup = [], []
    for block in body.strip().split("\n\n"):
        lines = block.split("\n")
        if lines[0].startswith("- "):
            items = [line for line in lines if _filled(line, values)]
            if items:
                plain.append("\n".join(_wrapped(_filled(line, values) or "", "  ") for line in items))
                entries = "".join(_item(line.removeprefix("- "), values) for line in items)
                markup.append(f"{_UL}{entries}</ul>")
        elif (paragraph := _filled(" ".join(lines), values)) is not None:
            plain.append(_wrapped(paragraph))
            markup.append(f"{_P}{html.escape(paragraph)}</p>")
    plain.append("-- \n" + _wrapped(values["footer"]))
    page = Text(_layout()).substitute(
        language=html.escape(language),
        subject=html.escape(subject),
        body="\n".join(markup),
        footer=html.escape(values["footer"]),
    )
    return subject, "\n\n".join(plain) + "\n", page


def _item(line: str, values: Values) -> str:
    label, colon, rest = line.partition(": ")
    label, rest = (html.escape(Text(part).substitute(values)) for part in (label, rest))
    return f"<li><strong>{label}:</strong> {rest}</li>" if colon else f"<li>{label}</li>"


def _filled(line: str, values: Values) -> str | None:
    """The line with its values, or None when one of them is missing."""
    text = Text(line)
    if any(not values[name] for name in text.get_identifiers()):
        return None
    return text.substitute(values)


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _one_line(value: str) -> str:
    """Without control characters and line breaks: they could end a header or begin a list."""
    kept = (" " if unicodedata.category(char)[0] in "CZ" else char for char in value)
    return " ".join("".join(kept).split())


@cache
def _templates() -> Traversable:
    return files("services.notifications") / "templates"


@cache
def _language(wanted: str | None) -> str:
    """The best language that there are texts in: the tag, its first part, English."""
    for tag in (wanted or _DEFAULT, (wanted or _DEFAULT).split("-")[0]):
        if tag.replace("-", "").isalnum() and (_templates() / tag / "phrases.toml").is_file():
            return tag
    return _DEFAULT


@cache
def _read(language: str, name: str) -> str:
    return (_templates() / language / name).read_text(encoding="utf-8")


@cache
def _phrases(language: str) -> dict[str, Any]:
    return tomllib.loads(_read(language, "phrases.toml"))


@cache
def _layout() -> str:
    return (_templates() / "layout.html").read_text(encoding="utf-8")
