"""Guarantee: every mail that is owed arrives at least once under one Message-ID, or is visibly given up;
no mail waits for another, and nothing a server does loses one."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from config.settings import Settings
from milepost.clock import SimulatedClock
from milepost.mail import outbox as module
from milepost.mail.outbox import MailSettings, dead_letters, mail_settings, pause_after, queue, requeue
from milepost.mail.sink import MailSink
from states.machines import UnknownName

if TYPE_CHECKING:
    from tests.milepost.mail.conftest import Outbox

MINUTE = timedelta(minutes=1)


def ids_owed(outbox: Outbox) -> set[str]:
    return {row[0] for row in outbox.rows("SELECT message_id FROM message")}


def test_every_mail_that_is_due_arrives_once_under_its_stored_id(outbox: Outbox, sink: MailSink) -> None:
    outbox.owe(25)
    done: list[int] = []
    report = outbox.deliver(progress=done.append)
    assert (report.sent, report.retried, report.dead, report.left, report.next_at) == (25, 0, 0, 0, None)
    assert sum(done) == 25
    assert {mail.message_id for mail in sink.list()} == ids_owed(outbox)
    assert sink.copies == 25
    assert {mail.recipients for mail in sink.list()} == {(f"p{n}@example.invalid",) for n in range(25)}
    assert outbox.deliver().sent == 0, "a second round finds nothing to do"
    stored = outbox.rows("SELECT message_id, raw, state, attempts, sent_at FROM message")
    assert all(bytes(raw) == sink.raw(id) for id, raw, *_ in stored)
    assert {row[2:] for row in stored} == {("sent", 1, outbox.database.clock.now())}


def test_a_round_takes_no_more_than_its_limit_and_says_what_is_left(outbox: Outbox, sink: MailSink) -> None:
    outbox.owe(7)
    report = outbox.deliver(limit=3)
    assert (report.sent, report.left, report.next_at) == (3, 4, outbox.database.clock.now())
    assert outbox.deliver().sent == 4


def test_a_mail_is_not_sent_before_its_time(outbox: Outbox, sink: MailSink) -> None:
    outbox.owe(2)
    outbox.change(
        "UPDATE message SET next_attempt_at = next_attempt_at + interval '1 hour' WHERE source = 'test:p0'"
    )
    assert outbox.deliver().sent == 1
    outbox.database.clock.advance(timedelta(hours=1))  # type: ignore[attr-defined]
    assert outbox.deliver().sent == 1


def test_a_connection_dropped_after_the_content_makes_a_second_copy_of_the_same_mail(
    outbox: Outbox, sink: MailSink, clock: SimulatedClock
) -> None:
    outbox.owe(3)
    sink.faults.drop_after_data = 1
    report = outbox.deliver()
    assert (report.sent, report.retried, report.next_at) == (2, 1, clock.now() + MINUTE)
    assert len(sink) == 3, "the mail arrived, though nobody heard so"
    before = {mail.message_id: sink.raw(mail.message_id) for mail in sink.list()}
    clock.advance(MINUTE)
    assert outbox.deliver().sent == 1
    assert sorted(mail.copies for mail in sink.list()) == [1, 1, 2]
    assert {mail.message_id: sink.raw(mail.message_id) for mail in sink.list()} == before
    assert set(before) == ids_owed(outbox)


def test_a_server_that_is_down_leaves_everything_queued_and_uses_nothing_up(
    outbox: Outbox, free_port: int, clock: SimulatedClock
) -> None:
    outbox.owe(5)
    for round in range(1, 40):
        report = outbox.deliver()
        assert (report.sent, report.retried, report.dead, report.left) == (0, 5, 0, 0)
        assert report.next_at == clock.now() + pause_after(min(round, 9))
        clock.set(report.next_at)
    assert outbox.states() == {"queued": 5}
    assert outbox.of("p0")[2] == module.ATTEMPTS_BY_OUTAGE
    (error,) = {row[0] for row in outbox.rows("SELECT last_error FROM message")}
    assert str(free_port) in error
    with MailSink(free_port) as sink:
        assert outbox.deliver().sent == 5
        assert sink.copies == 5


def test_a_server_that_refuses_us_as_a_whole_costs_no_mail_its_life(
    outbox: Outbox, sink: MailSink, clock: SimulatedClock
) -> None:
    outbox.owe(4)
    sink.faults.refuse_sender = True
    report = outbox.deliver()
    assert (report.sent, report.dead) == (0, 0)
    assert outbox.states() == {"queued": 4}
    assert "530" in (outbox.of("p0")[3] or "")
    sink.faults.refuse_sender = False
    clock.advance(MINUTE)
    assert outbox.deliver().sent == 4


def test_a_recipient_refused_for_good_is_dead_at_once_and_holds_up_nobody(
    outbox: Outbox, sink: MailSink
) -> None:
    outbox.owe(30)
    sink.faults.refuse = {"p0@example.invalid", "p17@example.invalid"}
    report = outbox.deliver()
    assert (report.sent, report.retried, report.dead) == (28, 0, 2)
    letters = dead_letters(outbox.database)
    assert {letter.email for letter in letters} == sink.faults.refuse
    assert all("550" in letter.error and letter.attempts == 1 for letter in letters)


def test_a_dead_letter_goes_out_again_to_the_corrected_address_under_its_old_id(
    outbox: Outbox, sink: MailSink
) -> None:
    outbox.owe(1)
    sink.faults.refuse = {"p0@example.invalid"}
    outbox.deliver()
    (letter,) = dead_letters(outbox.database)
    outbox.change("UPDATE person SET email = 'right@example.org' WHERE login = 'p0'")
    assert outbox.deliver().sent == 0, "a dead letter waits for somebody"
    assert requeue(outbox.database, [letter.id, uuid4()]) == 1
    assert outbox.deliver().sent == 1
    (mail,) = sink.list()
    assert (mail.message_id, mail.recipients) == (letter.message_id, ("right@example.org",))
    assert sink.read(mail.message_id)["To"].addresses[0].addr_spec == "right@example.org"
    assert dead_letters(outbox.database) == []


@pytest.mark.parametrize("fault", ["defer", "defer_content"])
def test_a_mail_put_off_waits_twice_as_long_each_time_and_is_dead_in_the_end(
    outbox: Outbox, sink: MailSink, clock: SimulatedClock, fault: str
) -> None:
    outbox.owe(1)
    setattr(sink.faults, fault, {"p0@example.invalid"} if fault == "defer" else 99)
    pauses = []
    for _ in range(module.ATTEMPTS_MAX - 1):
        report = outbox.deliver()
        assert (report.retried, report.dead) == (1, 0)
        assert report.next_at is not None
        pauses.append(report.next_at - clock.now())
        clock.advance(pauses[-1] - timedelta(seconds=1))
        assert outbox.deliver().retried == 0, "not before its time"
        clock.advance(timedelta(seconds=1))
    assert pauses[:8] == [MINUTE * n for n in (1, 2, 4, 8, 16, 32, 64, 128)]
    assert set(pauses[8:]) == {timedelta(hours=4)}
    report = outbox.deliver()
    assert (report.retried, report.dead, report.next_at) == (0, 1, None)
    (letter,) = dead_letters(outbox.database)
    assert letter.attempts == module.ATTEMPTS_MAX and "451" in letter.error


def test_a_content_refused_for_good_is_dead_at_once(outbox: Outbox, sink: MailSink) -> None:
    outbox.owe(2)
    sink.faults.reject_content = 1
    report = outbox.deliver()
    assert (report.sent, report.dead) == (1, 1)
    assert "554" in dead_letters(outbox.database)[0].error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("email = ''", "no mail address"),
        ("email = 'nobody'", "is not a mail address"),
        ("email = E'a@example.org\\r\\nRCPT TO:<b@example.org>'", "is not a mail address"),
        ("email = 'a@example.org, b@example.org'", "is not a mail address"),
        ("email = 'a@example.org>'", "is not a mail address"),
        ("active = false", "disabled"),
    ],
)
def test_whoever_cannot_be_written_to_is_a_dead_letter_and_the_rest_goes_out(
    outbox: Outbox, sink: MailSink, change: str, said: str
) -> None:
    outbox.owe(3)
    outbox.change(f"UPDATE person SET {change} WHERE login = 'p1'")
    report = outbox.deliver()
    assert (report.sent, report.dead) == (2, 1)
    assert said in dead_letters(outbox.database)[0].error
    assert sink.copies == 2


def test_a_mail_that_cannot_be_put_into_words_keeps_no_other_back(outbox: Outbox, sink: MailSink) -> None:
    outbox.owe(9)
    broken = ('{"payment_id": "no id"}', '{"codes": ["no_such_code"]}', '{"codes": 7}')
    for n, context in enumerate(broken):
        outbox.change("UPDATE message SET context = %s WHERE source = %s", context, f"test:p{n}")
    outbox.change("UPDATE message SET template = 'no_such' WHERE source = 'test:p3'")
    report = outbox.deliver()
    assert (report.sent, report.retried) == (5, 4)
    assert all("cannot be put into words" in (outbox.of(f"p{n}")[3] or "") for n in range(4))


def test_a_server_that_ends_connections_after_some_mails_costs_no_attempts(
    outbox: Outbox, sink: MailSink
) -> None:
    outbox.owe(40)
    sink.faults.mails_per_connection = 3
    assert outbox.deliver().sent == 40
    assert outbox.rows("SELECT DISTINCT attempts FROM message") == [(1,)]
    assert sink.copies == 40


def test_two_who_deliver_at_once_send_each_mail_once(outbox: Outbox, sink: MailSink) -> None:
    outbox.owe(200)
    with ThreadPoolExecutor(2) as pool:
        reports = [future.result() for future in [pool.submit(outbox.deliver) for _ in range(2)]]
    assert sum(report.sent for report in reports) == 200
    assert sink.copies == 200


def test_a_slow_server_does_not_make_two_processes_send_the_same_mail(
    outbox: Outbox, sink: MailSink, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When most of a lease is used up, what is left of the slice is left for a later round."""
    outbox.owe(6)
    sink.faults.slow_seconds = 0.05

    def time_passes(_: int) -> None:
        clock.advance(timedelta(minutes=4))

    report = outbox.deliver(progress=time_passes)
    assert 0 < report.sent < 6
    assert report.left == 0 or report.next_at is not None
    sink.faults.slow_seconds = 0
    clock.advance(timedelta(minutes=30))
    assert report.sent + outbox.deliver().sent == 6
    assert sink.copies == 6


_CHILD = """
import asyncio, sys
from datetime import datetime
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.mail.outbox import MailSettings, deliver_due

url, port, at = sys.argv[1:]
database = Database(url, clock=SimulatedClock(datetime.fromisoformat(at)))
settings = MailSettings("127.0.0.1", int(port), starttls=False)
print(asyncio.run(deliver_due(database, settings, limit=1000)).sent)
database.close()
"""


def test_a_delivery_killed_at_any_moment_loses_no_mail_and_invents_none(
    outbox: Outbox, sink: MailSink, clock: SimulatedClock, free_port: int, database_urls: Any
) -> None:
    outbox.owe(150)
    sink.faults.slow_seconds = 0.004
    root = Path(__file__).resolve().parents[3]

    def child() -> subprocess.Popen[bytes]:
        clock.advance(timedelta(hours=1))
        command = [sys.executable, "-c", _CHILD, database_urls.app, str(free_port), clock.now().isoformat()]
        return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE)

    for killed_at in (1, 70):
        process = child()
        deadline = time.monotonic() + 30
        while len(sink) < killed_at and process.poll() is None:
            assert time.monotonic() < deadline, "the child delivers nothing"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
    assert outbox.states()["queued"] > 0
    process = child()
    assert process.wait(60) == 0
    process.communicate()
    assert outbox.states() == {"sent": 150}
    assert {mail.message_id for mail in sink.list()} == ids_owed(outbox)
    assert sink.copies - len(sink) <= 2 * 40, "no more comes twice than was under way"


def test_what_a_dead_process_had_taken_is_due_again_when_its_lease_ends(
    outbox: Outbox, sink: MailSink, clock: SimulatedClock
) -> None:
    outbox.owe(3)
    batch = module._take(outbox.database, outbox.settings, 3)
    assert len(batch.ready) == 3
    report = outbox.deliver()
    assert (report.sent, report.left, report.next_at) == (0, 0, batch.lease_ends)
    clock.set(batch.lease_ends)
    assert outbox.deliver().sent == 3
    assert {mail.message_id: sink.raw(mail.message_id) for mail in sink.list()} == {
        f"<{ready.id}@milepost.invalid>": ready.raw for ready in batch.ready
    }


def test_owing_the_same_mail_twice_owes_it_once(outbox: Outbox) -> None:
    people = [person.id for person in outbox.people(3)]
    with outbox.database.session() as session:

        def owe(source: str) -> int:
            return queue(
                session.conn,
                source=source,
                recipient_ids=people,
                template="payment_blocked",
                context={"codes": []},
                now=outbox.database.clock.now(),
            )

        assert [owe("a"), owe("a"), owe("b")] == [3, 0, 3]
        first = outbox.rows("SELECT id, message_id FROM message ORDER BY id")
    assert len({row[1] for row in first}) == 6
    assert all(message_id == f"<{id}@milepost.invalid>" for id, message_id in first)


def test_a_mail_that_nobody_could_write_is_refused_when_it_is_queued(outbox: Outbox) -> None:
    (person,) = outbox.people(1)
    with outbox.database.session() as session:
        given = {"source": "x", "recipient_ids": [person.id], "now": outbox.database.clock.now()}
        with pytest.raises(UnknownName, match="deadline_reminder"):
            queue(session.conn, template="reminder", context={}, **given)
        with pytest.raises(ValueError, match="badly formed"):
            queue(session.conn, template="payment_blocked", context={"payment_id": "x"}, **given)
    assert outbox.states() == {}


def test_without_a_server_of_its_own_an_office_mails_to_the_sink(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = mail_settings(Settings(mail_sink_port=8826, public_url="https://g.example"))
    assert (sink.host, sink.port, sink.starttls, sink.public_url) == (
        "127.0.0.1",
        8826,
        False,
        "https://g.example",
    )
    server = mail_settings(
        Settings(smtp_host="mail.example", smtp_username="u", smtp_password="secret-word")  # type: ignore[arg-type]
    )
    assert (server.host, server.port, server.starttls, server.password) == (
        "mail.example",
        587,
        True,
        "secret-word",
    )
    assert "secret-word" not in repr(server)


def test_a_server_without_tls_gets_nothing_where_tls_is_asked_for(
    outbox: Outbox, sink: MailSink, free_port: int
) -> None:
    outbox.owe(1)
    outbox.settings = MailSettings("127.0.0.1", free_port, username="u", password="pass-word", starttls=True)
    report = asyncio.run(module.deliver_due(outbox.database, outbox.settings))
    assert (report.sent, report.retried) == (0, 1)
    error = outbox.of("p0")[3] or ""
    assert "STARTTLS" in error.upper() and "pass-word" not in error
    assert len(sink) == 0
