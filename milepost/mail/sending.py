"""Hands mails to a server over a few kept connections, and says of each what became of it.

What a server's answer means is decided here and nowhere else: a recipient or a content refused for good ends
a mail, everything else lets it wait, and a server that cannot be talked to is nobody's fault in particular.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

import aiosmtplib
from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from config.settings import Settings
from milepost.mail.compose import envelope_sender

CONNECTIONS = 4
IMPLICIT_TLS_PORT = 465
# Answers about the log-in and about the service as such: no mail of ours will fare better for now.
_NOT_FOR_US = frozenset({421, 530, 534, 535, 538})


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Where mail goes and in whose name. The password does not print itself."""

    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    starttls: bool = True
    sender: str = "Milepost <milepost@localhost>"
    public_url: str = "http://127.0.0.1:8800"
    timeout_seconds: float = 30.0


def mail_settings(settings: Settings) -> MailSettings:
    """The office's server, or the built-in sink where none is set."""
    if settings.smtp_host is None:
        return MailSettings(
            host="127.0.0.1",
            port=settings.mail_sink_port,
            starttls=False,
            sender=settings.sender,
            public_url=settings.base_url,
        )
    password = settings.smtp_password
    return MailSettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_username,
        password=password.get_secret_value() if password else None,
        starttls=settings.smtp_starttls,
        sender=settings.sender,
        public_url=settings.base_url,
    )


@dataclass(frozen=True, slots=True)
class Ready:
    """A mail that can go: its bytes, its address, how often it was tried before."""

    id: UUID
    address: str
    raw: bytes
    attempts: int


Fate = Literal["sent", "later", "dead", "server_down"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a mail. ``server_down`` says nothing about the mail: it was not even offered."""

    id: UUID
    fate: Fate
    attempts: int
    error: str = ""


Report = Callable[[Outcome], Awaitable[None]]


class _Down(Exception):
    """The server takes nothing from us for now."""


class Postman:
    """Up to four connections to one server, opened when needed and kept until the end of the round."""

    def __init__(self, settings: MailSettings) -> None:
        self.settings = settings
        self.sender = envelope_sender(settings.sender)
        self.down = ""
        self._idle: list[SMTP] = []

    async def __aenter__(self) -> Postman:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._idle:
            with suppress(SMTPException, OSError):
                await client.quit(timeout=5)
            client.close()
        self._idle.clear()

    async def carry(self, mails: Sequence[Ready], report: Report, *, may_go_on: Callable[[], bool]) -> None:
        """Offer each mail once and report it. Stops early, without a word, when ``may_go_on`` says so."""
        left = deque(mails)
        lines = min(CONNECTIONS, -(-len(mails) // 8))
        async with asyncio.TaskGroup() as group:
            for _ in range(lines):
                group.create_task(self._line(left, report, may_go_on))
        if self.down:
            for mail in left:
                await report(Outcome(mail.id, "server_down", mail.attempts, self.down))

    async def _line(self, left: deque[Ready], report: Report, may_go_on: Callable[[], bool]) -> None:
        """One connection's work: mail after mail until none is left."""
        client: SMTP | None = self._idle.pop() if self._idle else None
        while left and may_go_on():
            mail = left.popleft()
            try:
                client, outcome = await self._deliver(client, mail)
            except _Down as down:
                # Others may still be connected: a server that limits connections is not down.
                left.appendleft(mail)
                self.down = str(down)
                return
            self.down = ""
            await report(outcome)
        if client is not None:
            self._idle.append(client)

    async def _deliver(self, client: SMTP | None, mail: Ready) -> tuple[SMTP, Outcome]:
        """Offer one mail. A kept connection that proves dead before the content is replaced once."""
        kept = client is not None and client.is_connected
        if client is None or not client.is_connected:
            client = await self._connect()
        try:
            await client.mail(self.sender)
            await client.rcpt(mail.address)
        except SMTPResponseException as refused:
            return await self._refused(client, mail, refused, kept)
        except (SMTPException, OSError) as error:
            client.close()
            if kept:
                return await self._deliver(None, mail)
            return client, Outcome(mail.id, "later", mail.attempts + 1, _said(error))
        return client, await self._content(client, mail)

    async def _refused(
        self, client: SMTP, mail: Ready, refused: SMTPResponseException, kept: bool
    ) -> tuple[SMTP, Outcome]:
        if refused.code in _NOT_FOR_US or (isinstance(refused, SMTPSenderRefused) and refused.code >= 500):
            client.close()
            if kept and refused.code == 421:
                # It has had enough of this connection, as servers do after so many mails.
                return await self._deliver(None, mail)
            raise _Down(_said(refused))
        await _reset(client)
        for_good = isinstance(refused, SMTPRecipientRefused) and refused.code >= 500
        return client, Outcome(mail.id, "dead" if for_good else "later", mail.attempts + 1, _said(refused))

    async def _content(self, client: SMTP, mail: Ready) -> Outcome:
        """From here on a lost answer may mean a delivered mail: it goes again, under the same Message-ID."""
        try:
            await client.data(mail.raw)
        except SMTPDataError as refused:
            await _reset(client)
            for_good = refused.code >= 500 and refused.code not in _NOT_FOR_US
            return Outcome(mail.id, "dead" if for_good else "later", mail.attempts + 1, _said(refused))
        except (SMTPException, OSError) as error:
            client.close()
            return Outcome(mail.id, "later", mail.attempts + 1, _said(error))
        return Outcome(mail.id, "sent", mail.attempts + 1)

    async def _connect(self) -> SMTP:
        settings = self.settings
        implicit = settings.port == IMPLICIT_TLS_PORT
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=implicit,
            start_tls=settings.starttls and not implicit,
            username=settings.username,
            password=settings.password,
            # The name of this machine is nobody's business, and looking it up may take seconds.
            local_hostname=self.sender.rpartition("@")[2],
            timeout=settings.timeout_seconds,
        )
        try:
            await client.connect()
        except (SMTPException, OSError, UnicodeError) as error:
            raise _Down(_said(error)) from error
        return client


async def _reset(client: SMTP) -> None:
    """Make the connection ready for the next mail, or close it."""
    try:
        await client.rset()
    except (SMTPException, OSError):
        client.close()


def _said(error: Exception) -> str:
    """An error in one line: the server's own words with their code."""
    if isinstance(error, SMTPResponseException):
        text = f"{error.code} {error.message}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())[:500]


__all__ = ["CONNECTIONS", "Fate", "MailSettings", "Outcome", "Postman", "Ready", "mail_settings"]
