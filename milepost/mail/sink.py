"""A mail server that keeps what it is given and sends nothing on: where no real server is set, and in tests.

One mail is kept per Message-ID, with the number of times it came: that is how copies of one notice show.
With a folder every mail is a file that a mail program opens, and an index tells what is there, so that a
sink that was killed knows on its next start what it had. Faults can be switched on while it runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import EmailMessage
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

from aiosmtpd.controller import Controller

INDEX = "index.jsonl"


class SinkError(Exception):
    """The sink cannot listen or cannot keep what it gets."""


@dataclass(frozen=True, slots=True)
class SinkMail:
    """One mail as it came in; ``copies`` is how often. ``date`` is what its header says."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    date: str
    copies: int


@dataclass(slots=True)
class Faults:
    """What goes wrong from now on, for tests. Addresses are compared as they are given."""

    drop_after_data: int = 0
    """So many mails are kept, and the connection drops before the answer."""

    refuse: set[str] = field(default_factory=set)
    """Recipients refused for good (550)."""

    defer: set[str] = field(default_factory=set)
    """Recipients put off for now (451)."""

    reject_content: int = 0
    """So many mails are refused for good after their content (554)."""

    defer_content: int = 0
    """So many mails are put off after their content (451)."""

    refuse_sender: bool = False
    """Every sender is refused (530)."""

    mails_per_connection: int = 0
    """After so many mails a connection is told to go (421); 0: never."""

    slow_seconds: float = 0.0
    """How long each mail takes to be answered."""


class MailSink:
    """Listens on a port of this machine; 0 is any free one.

    Mails stay in memory, or in ``folder`` where one is named.
    """

    def __init__(self, port: int = 0, folder: Path | None = None) -> None:
        self.port, self.folder = port, folder
        self.faults = Faults()
        self._mails: dict[str, SinkMail] = {}
        self._raw: dict[str, bytes] = {}
        self._lock = Lock()
        self._controller: Controller | None = None

    def start(self) -> None:
        """Listen. What the folder holds from earlier is there again."""
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._mails = {mail.message_id: mail for mail in self._indexed(self.folder)}
        try:
            listening = socket.create_server(("127.0.0.1", self.port), backlog=100)
        except OSError as error:
            raise SinkError(f"the mail sink cannot listen on port {self.port}: {error}") from error
        self.port = listening.getsockname()[1]
        self._controller = _OnSocket(_Handler(self), listening)
        self._controller.start()

    def stop(self) -> None:
        """Stop listening; what came in stays readable."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def __enter__(self) -> MailSink:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __len__(self) -> int:
        return len(self._mails)

    @property
    def copies(self) -> int:
        """How often something came in, copies counted."""
        with self._lock:
            return sum(mail.copies for mail in self._mails.values())

    def list(self) -> list[SinkMail]:
        """Every mail in the order of its first copy."""
        with self._lock:
            return list(self._mails.values())

    def raw(self, message_id: str) -> bytes:
        """The bytes of a mail, as its first copy brought them. KeyError where there is none."""
        if self.folder is None:
            return self._raw[message_id]
        if message_id not in self._mails:
            raise KeyError(message_id)
        return (self.folder / _file_name(message_id)).read_bytes()

    def read(self, message_id: str) -> EmailMessage:
        """A mail, parsed. KeyError where there is none."""
        parsed = message_from_bytes(self.raw(message_id), policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def keep(self, sender: str, recipients: tuple[str, ...], raw: bytes) -> SinkMail:
        """Keep a mail that came in: the first copy's bytes, and a count."""
        # The old policy leaves headers as they are, which is three times as fast as the new one.
        headers = message_from_bytes(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
        # A mail without an id is told from others by its content.
        message_id = str(headers["Message-ID"] or f"<{sha256(raw).hexdigest()}@sink.invalid>")
        subject, date = _decoded(headers["Subject"] or ""), str(headers["Date"] or "")
        fresh = SinkMail(message_id, sender, recipients, subject, date, 1)
        with self._lock:
            before = self._mails.get(message_id)
            mail = fresh if before is None else replace(before, copies=before.copies + 1)
            if self.folder is not None:
                self._file(self.folder, mail, raw)
            elif before is None:
                self._raw[message_id] = raw
            self._mails[message_id] = mail
        return mail

    @staticmethod
    def _file(folder: Path, mail: SinkMail, raw: bytes) -> None:
        """The mail's file first, then its line in the index: a line never points to nothing."""
        if mail.copies == 1:
            path = folder / _file_name(mail.message_id)
            beside = path.with_suffix(".part")
            beside.write_bytes(raw)
            os.replace(beside, path)
        row = {name: getattr(mail, name) for name in SinkMail.__slots__}
        with open(folder / INDEX, "a", encoding="utf-8") as index:
            index.write(json.dumps(row, ensure_ascii=False) + "\n")

    @staticmethod
    def _indexed(folder: Path) -> Iterator[SinkMail]:
        """What the index knows, a line a copy; a last line that a kill cut short is passed over."""
        path = folder / INDEX
        if not path.exists():
            return
        whole, torn = [], False
        with open(path, encoding="utf-8") as index:
            for line in index:
                try:
                    row = json.loads(line)
                except ValueError:
                    torn = True
                    continue
                whole.append(line if line.endswith("\n") else line + "\n")
                yield SinkMail(**{**row, "recipients": tuple(row["recipients"])})
        if torn:
            path.write_text("".join(whole), encoding="utf-8")


class _OnSocket(Controller):
    """aiosmtpd on a socket that listens already, so that a port that is taken is known at once."""

    def __init__(self, handler: _Handler, listening: socket.socket) -> None:
        super().__init__(
            handler, hostname="127.0.0.1", port=listening.getsockname()[1], ident="Milepost sink"
        )
        self._listening = listening

    def _create_server(self) -> Awaitable[asyncio.AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._listening)


class _Handler:
    """What aiosmtpd asks at each stage of a mail."""

    def __init__(self, sink: MailSink) -> None:
        self.sink = sink

    async def handle_EHLO(
        self, server: Any, session: Any, envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        # In one piece: line by line, a greeting waits 40 ms for the acknowledgement of its first line.
        session.host_name = hostname
        return ["\r\n".join(responses)]

    async def handle_MAIL(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.sink.faults.refuse_sender:
            return "530 5.7.0 Authentication required"
        session.mails = getattr(session, "mails", 0) + 1
        if 0 < self.sink.faults.mails_per_connection < session.mails:
            return "421 4.7.0 Too many mails in one connection"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.sink.faults.refuse:
            return "550 5.1.1 No such mailbox"
        if address in self.sink.faults.defer:
            return "451 4.3.0 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        faults = self.sink.faults
        if faults.slow_seconds:
            await asyncio.sleep(faults.slow_seconds)
        if faults.reject_content > 0:
            faults.reject_content -= 1
            return "554 5.6.0 Content refused"
        if faults.defer_content > 0:
            faults.defer_content -= 1
            return "451 4.3.0 Try again later"
        try:
            self.sink.keep(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.original_content)
        except OSError as error:
            return f"452 4.3.1 Cannot keep it: {error.strerror}"
        if faults.drop_after_data > 0:
            faults.drop_after_data -= 1
            server.transport.abort()
        return "250 OK"


def _decoded(header: str) -> str:
    """A header's value in plain letters; one that cannot be read stays as it came."""
    try:
        return str(make_header(decode_header(header.replace("\r\n", ""))))
    except (ValueError, LookupError, HeaderParseError):
        return header


def _file_name(message_id: str) -> str:
    """A name that no Message-ID can make into a path of its own."""
    return f"{sha256(message_id.encode()).hexdigest()[:40]}.eml"


__all__ = ["Faults", "MailSink", "SinkError", "SinkMail"]
