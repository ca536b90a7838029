"""Guarantee: the sink keeps what it acknowledged, shows copies as copies, and remembers after a kill."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milepost.mail.sink import INDEX, MailSink, SinkError

if TYPE_CHECKING:
    from tests.milepost.mail.conftest import Outbox


def raw(n: int, subject: str = "Hello") -> bytes:
    return f"Message-ID: <{n}@x.invalid>\r\nSubject: {subject}\r\nDate: today\r\n\r\nBody {n}\r\n".encode()


@pytest.fixture(params=["memory", "folder"])
def kept(request: pytest.FixtureRequest, tmp_path: Path, free_port: int) -> MailSink:
    return MailSink(free_port, tmp_path / "mails" if request.param == "folder" else None)


def test_a_mail_can_be_read_as_it_came_and_copies_are_counted(kept: MailSink) -> None:
    with kept:
        for n in (1, 2, 1):
            kept.keep("a@x", (f"r{n}@x",), raw(n, "=?utf-8?b?5L2g5aW9?="))
    assert [(m.message_id, m.copies, m.subject) for m in kept.list()] == [
        ("<1@x.invalid>", 2, "你好"),
        ("<2@x.invalid>", 1, "你好"),
    ]
    assert (len(kept), kept.copies) == (2, 3)
    assert kept.raw("<1@x.invalid>") == raw(1, "=?utf-8?b?5L2g5aW9?=")
    assert kept.read("<2@x.invalid>").get_content() == "Body 2\r\n"
    with pytest.raises(KeyError):
        kept.raw("<../../etc/passwd>")


def test_a_folder_holds_a_file_a_mail_and_is_known_after_a_restart(tmp_path: Path, free_port: int) -> None:
    with MailSink(free_port, tmp_path) as first:
        first.keep("a@x", ("r@x",), raw(1))
        first.keep("a@x", ("r@x",), raw(1))
        first.keep("a@x", ("r@x",), raw(2))
        before = first.list()
    assert len(list(tmp_path.glob("*.eml"))) == 2
    with open(tmp_path / INDEX, "a") as index:
        index.write('{"message_id": "<3@x.inv')
    with MailSink(free_port, tmp_path) as second:
        assert second.list() == before
        second.keep("a@x", ("r@x",), raw(3))
    with MailSink(free_port, tmp_path) as third:
        assert [(m.message_id, m.copies) for m in third.list()] == [
            ("<1@x.invalid>", 2),
            ("<2@x.invalid>", 1),
            ("<3@x.invalid>", 1),
        ]


def test_a_name_that_is_a_path_stays_inside_the_folder(tmp_path: Path, free_port: int) -> None:
    folder = tmp_path / "mails"
    with MailSink(free_port, folder) as sink:
        sink.keep("a@x", ("r@x",), b"Message-ID: <../../../evil>\r\n\r\nx")
        sink.keep("a@x", ("r@x",), b"no header at all")
        sink.keep("a@x", ("r@x",), b"Subject: =?no-such?b?xx?=\r\n\r\nx")
    assert {path.parent for path in tmp_path.rglob("*.eml")} == {folder}
    assert len(sink) == 3


def test_it_holds_tens_of_thousands(free_port: int) -> None:
    sink = MailSink(free_port)
    for n in range(20_000):
        sink.keep("a@x", ("r@x",), raw(n))
    assert len(sink.list()) == 20_000
    assert sink.read("<19999@x.invalid>")["Subject"] == "Hello"


def test_a_port_that_is_taken_is_said_so(free_port: int) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", free_port))
        holder.listen()
        with pytest.raises(SinkError, match=f"port {free_port}"):
            MailSink(free_port).start()


def test_a_sink_that_cannot_keep_a_mail_does_not_take_it(
    outbox: Outbox, tmp_path: Path, free_port: int
) -> None:
    folder = tmp_path / "mails"
    outbox.owe(1)
    with MailSink(free_port, folder) as sink:
        folder.rename(tmp_path / "gone")
        report = outbox.deliver()
        assert (report.sent, report.retried) == (0, 1)
        assert "452" in (outbox.of("p0")[3] or "")
        assert len(sink) == 0
