"""One connection to the mail server, and the three ways in which a mail can go wrong.

* :class:`Refused`, permanent: the server will never take *this* mail for *this* recipient.
* :class:`Refused`, not permanent: it may take it later. Also when the connection breaks in mid-mail, where
  nobody can know whether the mail was taken; it is sent again with the same Message-ID.
* :class:`ServerDown`: nothing is wrong with the mail; the server cannot be reached, or refuses all of ours.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

import aiosmtplib

from shared.runtime.settings import Settings

COMMAND_SECONDS: Final = 20.0
CONTENT_SECONDS: Final = 300.0
"""How long the server may take to accept a mail. Giving up early would not stop it, only make a duplicate
(RFC 5321, 4.5.3.2.6 asks for ten minutes)."""
_FAREWELL_SECONDS: Final = 1.0


class Refused(Exception):
    """This mail was not taken. ``code`` holds no words of the server, which could name the recipient."""

    def __init__(self, code: str, *, permanent: bool) -> None:
        super().__init__(code)
        self.code = code
        self.permanent = permanent


class ServerDown(Exception):
    """No mail can be sent now."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Mail:
    """A finished mail: envelope and bytes."""

    sender: str
    recipient: str
    content: bytes


class Line:
    """One SMTP connection, opened when needed and reused. For one task at a time."""

    def __init__(self, settings: Settings) -> None:
        password = settings.smtp_password
        self._client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            username=settings.smtp_username,
            password=password.get_secret_value() if password else None,
            local_hostname=settings.mail_from.rpartition("@")[2].rstrip(">") or "localhost",
            timeout=COMMAND_SECONDS,
        )

    async def send(self, mail: Mail) -> None:
        """Hand one mail over. Returns once the server has said that it took it."""
        try:
            while True:
                reused = self._client.is_connected
                if not reused:
                    await self._connect()
                try:
                    await self._envelope(mail)
                    break
                except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError):
                    self._client.close()
                    if not reused:
                        raise Refused("smtp-disconnected", permanent=False) from None
                    # The server has hung up on an idle connection; nothing of this mail was said yet.
            await self._content(mail)
        except BaseException as error:
            # Unless the server has just said no, its answers may be out of step with our questions.
            if isinstance(error, Refused):
                await self._reset()
            else:
                self._client.close()
            raise

    async def _connect(self) -> None:
        try:
            await self._client.connect()
            if self._client.is_ehlo_or_helo_needed:
                await self._client.ehlo()
        except aiosmtplib.SMTPResponseException as error:
            raise ServerDown(f"smtp-{error.code}") from None
        except (OSError, TimeoutError, aiosmtplib.SMTPException) as error:
            raise ServerDown(type(error).__name__) from None

    async def _envelope(self, mail: Mail) -> None:
        utf8 = not mail.recipient.isascii()
        encoding, options = ("utf-8", ["SMTPUTF8", "BODY=8BITMIME"]) if utf8 else ("ascii", [])
        try:
            if utf8 and not self._client.supports_extension("smtputf8"):
                raise Refused("address-needs-smtputf8", permanent=True)
            await self._client.mail(mail.sender, options=options, encoding=encoding)
            await self._client.rcpt(mail.recipient, encoding=encoding)
        except aiosmtplib.SMTPSenderRefused as error:
            if 500 <= error.code < 600:  # all mails have this sender, so it is not this mail that is refused
                raise ServerDown(f"smtp-{error.code}") from None
            raise _refused(error) from None
        except aiosmtplib.SMTPRecipientRefused as error:
            raise _refused(error) from None
        except aiosmtplib.SMTPResponseException as error:
            raise ServerDown(f"smtp-{error.code}") from None
        except ValueError:
            raise Refused("address-invalid", permanent=True) from None

    async def _content(self, mail: Mail) -> None:
        try:
            await self._client.data(mail.content, timeout=CONTENT_SECONDS)
        except aiosmtplib.SMTPResponseException as error:
            raise _refused(error) from None
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError):
            raise Refused("smtp-no-answer", permanent=False) from None

    async def _reset(self) -> None:
        """Clear the envelope for the next mail; hang up if that fails too."""
        if not self._client.is_connected:
            return
        try:
            await self._client.rset()
        except (OSError, TimeoutError, aiosmtplib.SMTPException):
            self._client.close()

    async def close(self) -> None:
        """Say goodbye, shortly."""
        with contextlib.suppress(OSError, TimeoutError, aiosmtplib.SMTPException):
            if self._client.is_connected:
                await asyncio.wait_for(self._client.quit(), _FAREWELL_SECONDS)
        self._client.close()


def _refused(error: aiosmtplib.SMTPResponseException) -> Refused:
    return Refused(f"smtp-{error.code}", permanent=500 <= error.code < 600)
