"""Payments go to the bank as files and come back as its statement says: once, whatever the bank does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from milepost.actions import perform
from milepost.bank.exceptions import KINDS, said_of
from milepost.bank.files.pain001_reader import Transfer, read_pain001
from milepost.bank.simulated_files import Answer, FileBank, Misbehaviour
from milepost.work import batches
from states.refusals import Refused
from tests.invariants import town_bank
from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.work.files_scene import Loop

Begin = Callable[..., Loop]
# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("bank_files")


@pytest.fixture(scope="module")
def town_with_money(found: Found, tmp_path_factory: pytest.TempPathFactory) -> Begin:
    """A loop: a town of its own, copied from one with money, and a bank of its own."""
    first = found()
    first.vote(10_000_000_000)
    first.close()
    first.database.close()
    name = str(psycopg.conninfo.conninfo_to_dict(first.database.url)["dbname"])

    def make(**told: int) -> Loop:
        return Loop(found(copy_of=name), tmp_path_factory.mktemp("loop"), Misbehaviour(**told))

    return make


@pytest.fixture
def begin(town_with_money: Begin) -> Iterator[Begin]:
    """Begins loops; after the test nothing is wrong in any of them."""
    loops: list[Loop] = []

    def make(**told: int) -> Loop:
        loops.append(town_with_money(**told))
        return loops[-1]

    yield make
    for loop in loops:
        assert faults(loop.town.session.conn) == []


def test_a_batch_goes_and_its_statement_settles_it(begin: Begin) -> None:
    loop = begin()
    payments = loop.released(2, tranches=2)
    batch = loop.batch()
    report = loop.send()
    assert (report.instructed, report.sent) == (4, [f"{batch.hex}.xml"])
    content = (loop.desk.out / report.sent[0]).read_bytes()
    ids = {r.end_to_end_id for r in read_pain001(loop.desk.out / report.sent[0]) if isinstance(r, Transfer)}
    assert ids == {payment.hex for payment in payments}
    assert loop.town.one("SELECT sha256 FROM bank_file WHERE batch_id = %s", batch) == (
        batches.file_digest(loop.desk.out / report.sent[0])
    )
    assert content and loop.send().sent == []
    loop.taken()
    loop.put(*loop.bank.reports(loop.today()))
    loop.read()
    # The bank's report alone moves nothing.
    assert {loop.state(p) for p in payments} == {"instructed"}
    assert loop.town.state("batch", batch) == "answered"
    loop.put(*loop.bank.statements(loop.today()))
    assert loop.read().outcomes == {"settled": 4}
    assert loop.town.state("batch", batch) == "closed"
    assert loop.open() == []


def test_who_makes_a_batch_does_not_hand_it_over_and_a_payment_is_in_one(begin: Begin) -> None:
    loop = begin()
    loop.released()
    made = town_bank.make(loop.town)
    with pytest.raises(Refused) as refused:
        loop.town.take("finance4", "batch.hand_over", made)
    assert [r.code for r in refused.value.refusals] == ["batch_same_person"]
    with pytest.raises(Refused) as refused:
        town_bank.make(loop.town)
    assert [r.code for r in refused.value.refusals] == ["batch_takes_nothing"]
    loop.town.take("finance5", "batch.discard", made, reason="again")
    town_bank.make(loop.town)
    loop.town.take(
        "finance5", "batch.discard", loop.town.one("SELECT id FROM batch WHERE state = 'made'"), reason="x"
    )


def test_what_may_no_longer_be_paid_is_left_out_and_says_why(begin: Begin) -> None:
    loop = begin()
    kept, voided = loop.released(2)
    batch = loop.batch()
    loop.town.take("finance6", "payment.void", voided, reason="a mistake", again=False)
    assert loop.send().instructed == 1
    assert loop.town.one("SELECT left_out FROM batch_payment WHERE payment_id = %s", voided) == "void"
    assert loop.town.one("SELECT number FROM batch WHERE id = %s", batch) == 1
    loop.taken()
    loop.put(*loop.bank.statements(loop.today()))
    loop.read()
    assert loop.state(kept) == "settled"


@pytest.mark.parametrize("gone_after", range(6))
def test_wherever_the_hand_over_dies_the_bank_gets_one_file(
    begin: Begin, gone_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = begin()
    payments = loop.released(2)
    loop.batch()

    class Dead(BaseException):
        pass

    seen = 0

    def dying(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            nonlocal seen
            if seen == gone_after:
                raise Dead
            seen += 1
            return function(*args, **kwargs)

        return call

    # Instruct, stage, write, move, sync, send: before each of them, and after the last.
    with monkeypatch.context() as patch:
        for name in ("perform_many", "hand_over", "_step", "_sync"):
            patch.setattr(batches, name, dying(getattr(batches, name)))
        patch.setattr(os, "rename", dying(os.rename))
        with pytest.raises(Dead):
            loop.send()
        patch.undo()
    # The bank takes whatever it finds, before and after it is caught up.
    loop.taken()
    loop.send()
    loop.taken()
    assert [loop.send().sent, loop.taken()] == [[], []]
    assert len(loop.bank.files()) == 1
    loop.put(*loop.bank.statements(loop.today()))
    loop.read()
    assert {loop.state(p) for p in payments} == {"settled"}
    assert loop.bank.paid(loop.today()) == {p.hex: 400_000 for p in payments}


def test_executed_reply_lost_rejected_late_and_then_the_statement(begin: Begin) -> None:
    loop = begin(lose_reply=1, reject_late=1)
    (payment,) = loop.released()
    loop.batch()
    loop.send()
    loop.taken()
    assert loop.bank.reports(loop.today()) == []
    loop.read()
    assert loop.state(payment) == "instructed"
    statement = loop.bank.statements(loop.today())
    loop.put(*loop.bank.late_reports(loop.today()))
    loop.read()
    # Rejected, says the report; nothing is resent before the statement says so too.
    assert loop.state(payment) == "instructed"
    loop.put(*statement)
    loop.read()
    assert loop.state(payment) == "settled"
    assert loop.open() == ["rejected_but_booked"]
    tranche = loop.town.one("SELECT tranche_id FROM payment WHERE id = %s", payment)
    assert loop.town.one("SELECT count(*) FROM payment WHERE tranche_id = %s", tranche) == 1
    clear(loop, "the bank's report was wrong")


def test_a_rejection_counts_once_the_statement_closed_without_the_payment(begin: Begin) -> None:
    loop = begin(reject=1)
    (payment,) = loop.released()
    loop.batch()
    loop.send()
    loop.taken()
    loop.put(*loop.bank.reports(loop.today()))
    loop.read()
    assert loop.state(payment) == "instructed"
    loop.put(*loop.bank.statements(loop.today()))
    loop.read()
    assert loop.state(payment) == "returned"
    tranche = loop.town.one("SELECT tranche_id FROM payment WHERE id = %s", payment)
    assert loop.town.state("payment", loop.again(tranche)) == "released"
    loop.town.take("finance6", "payment.void", loop.town.one(_LAST, tranche), reason="x", again=False)


_LAST = "SELECT id FROM payment WHERE tranche_id = %s ORDER BY attempt DESC LIMIT 1"


@pytest.mark.parametrize("order", ["debit first", "credit first", "together"])
def test_what_comes_back_days_after_the_settlement_is_returned(begin: Begin, order: str) -> None:
    loop = begin(come_back=1)
    (payment,) = loop.released()
    tranche = loop.town.one("SELECT tranche_id FROM payment WHERE id = %s", payment)
    loop.batch()
    loop.send()
    loop.taken()
    debit = loop.bank.statements(loop.today())
    loop.next_day()
    loop.bank.statements(loop.today())
    loop.next_day()
    credit = loop.bank.statements(loop.today())
    while not any(b"CRDT</CdtDbtInd><Sts>" in answer.content for answer in credit):
        loop.next_day()
        credit = loop.bank.statements(loop.today())
    for some in {
        "debit first": [debit, credit],
        "credit first": [credit, debit],
        "together": [debit + credit],
    }[order]:
        loop.put(*some)
        loop.read()
        if order == "debit first" and some is debit:
            assert loop.state(payment) == "settled"
    assert loop.state(payment) == "returned"
    assert loop.town.one("SELECT paid_minor FROM tranche WHERE id = %s", tranche) == 0
    assert loop.state(loop.town.one(_LAST, tranche)) == "planned"
    assert loop.open() == []


def test_the_same_words_again_split_or_renamed_change_nothing(begin: Begin) -> None:
    loop = begin(split=1, reorder=1, duplicate=1)
    payments = loop.released(4)
    loop.batch()
    loop.send()
    loop.taken()
    answers = loop.bank.statements(loop.today())
    for answer in (*answers, *reversed(answers)):
        loop.put(Answer(f"z-{answer.name}", answer.content))
        report = loop.read()
    assert {loop.state(p) for p in payments} == {"settled"}
    assert report.files[0].known and not report.outcomes
    events = "SELECT count(*) FROM event WHERE step = 'payment.settle' AND subject_id = ANY(%s)"
    assert loop.town.one(events, payments) == 4
    assert loop.open() == []


def test_a_wrong_sum_and_a_second_payment_are_queued_and_nothing_moves(begin: Begin) -> None:
    wrong = begin(wrong_amount=1)
    (payment,) = wrong.released()
    wrong.batch()
    wrong.send()
    wrong.taken()
    wrong.put(*wrong.bank.statements(wrong.today()))
    wrong.read()
    assert (wrong.state(payment), wrong.open()) == ("instructed", ["wrong_amount"])
    clear(wrong, "asked")
    twice = begin(twice=1)
    (payment,) = twice.released()
    twice.batch()
    twice.send()
    twice.taken()
    twice.put(*twice.bank.statements(twice.today()))
    twice.read()
    assert (twice.state(payment), twice.open()) == ("settled", ["paid_twice"])
    clear(twice, "taken back")


def test_a_statement_that_does_not_add_up_waits_for_the_right_one(begin: Begin) -> None:
    loop = begin(wrong_total=1)
    (payment,) = loop.released()
    loop.batch()
    loop.send()
    loop.taken()
    wrong, right = loop.bank.statements(loop.today())
    loop.put(wrong)
    loop.read()
    assert (loop.state(payment), loop.open()) == ("instructed", ["statement_differs"])
    loop.put(right)
    loop.read()
    assert loop.state(payment) == "settled"
    clear(loop, "corrected")


def test_an_entry_under_a_strange_id_is_taken_for_its_likely_payment(begin: Begin) -> None:
    loop = begin()
    (payment,) = loop.released()
    loop.batch()
    loop.send()
    name = next(loop.desk.out.glob("*.xml"))
    strange = "f" * 32
    loop.bank.take(name.read_bytes().replace(payment.hex.encode(), strange.encode()), loop.today())
    loop.put(*loop.bank.statements(loop.today()))
    loop.read()
    assert (loop.state(payment), loop.open()) == ("instructed", ["unknown_payment"])
    row = loop.town.all("SELECT id, likely_id, params FROM bank_exception WHERE state = 'open'")[0]
    assert (row[1], row[2]["why"]) == (payment, "account_and_amount")
    tired = loop.town.people["finance1"].__class__(loop.town.people["finance1"].id)
    for actor, how, note, code in (
        (loop.town.people["officer"], "match", "x", "not_permitted"),
        (loop.town.people["nobody"], "match", "x", "not_found"),
        (tired, "match", "x", "fresh_login_needed"),
        (loop.town.people["finance1"], "match", " ", "input_invalid"),
        (loop.town.people["finance1"], "use", "x", "statement_not_in_doubt"),
    ):
        with pytest.raises(Refused) as refused:
            perform(
                loop.town.session, actor, f"bank_exception.{how}", row[0], {"note": note}, f"{how} {code}"
            )
        assert [r.code for r in refused.value.refusals] == [code]
    loop.town.take("finance1", "bank_exception.match", row[0], note="the bank confirmed it")
    loop.read()
    assert (loop.state(payment), loop.open()) == ("settled", [])
    with pytest.raises(Refused) as refused:
        loop.town.take("finance1", "bank_exception.explain", row[0], note="again")
    assert [r.code for r in refused.value.refusals] == ["wrong_state"]


def test_nothing_more_is_sent_for_a_tranche_the_bank_contradicts(begin: Begin) -> None:
    loop = begin(reject_late=1)
    (payment,) = loop.released()
    tranche = loop.town.one("SELECT tranche_id FROM payment WHERE id = %s", payment)
    loop.batch()
    loop.send()
    loop.taken()
    loop.put(*loop.bank.reports(loop.today()))
    empty = FileBank(loop.desk.folder / "other.sqlite", account=loop.desk.account)
    loop.put(*empty.statements(loop.today()))
    loop.read()
    # Rejected, and a statement closed the day without it: returned, and planned again.
    assert loop.state(payment) == "returned"
    loop.put(*loop.bank.statements(loop.today()))
    loop.read()
    assert loop.open() == ["booked_although_returned"]
    with pytest.raises(Refused) as refused:
        loop.again(tranche)
    assert [r.code for r in refused.value.refusals] == ["bank_doubt"]
    clear(loop, "the payee has sent it back")


def test_files_of_others_and_nonsense_are_queued(begin: Begin) -> None:
    loop = begin()
    other = FileBank(loop.desk.inbox.parent / "o.sqlite", account="999888777")
    loop.put(
        Answer("junk.xml", b"<a/>"),
        Answer(
            "broken.xml",
            b'<?xml version="1.0"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><Bk',
        ),
    )
    loop.put(*other.statements(loop.today()))
    loop.read()
    assert loop.open() == ["account_not_ours", "file_not_known", "file_unreadable"]
    assert not list(loop.desk.inbox.iterdir())
    clear(loop, "thrown away")


def clear(loop: Loop, note: str) -> None:
    """Close what is open."""
    for (id,) in loop.town.all("SELECT id FROM bank_exception WHERE state = 'open'"):
        loop.town.take("finance1", "bank_exception.explain", id, note=note)


def test_every_kind_of_exception_says_what_helps_and_who_in_both_languages() -> None:
    given = dict.fromkeys(
        ("id", "reference", "amount", "reason", "zh", "en", "codes", "day", "name", "statements", "message"),
        "x",
    )
    source = Path(__file__).resolve().parents[2] / "milepost" / "work"
    used = "".join(
        (source / name).read_text("utf-8")
        for name in ("bank_reading.py", "bank_words.py", "reconciliation.py")
    )
    for kind, row in KINDS.items():
        assert f'"{kind}"' in used, kind
        assert row.who == ("finance_officer",)
        said = said_of(kind, given)
        for text in (said.fact, said.remedy):
            assert text.zh and text.en and "{" not in text.zh + text.en
            assert any("\u4e00" <= c <= "\u9fff" for c in text.zh) and text.en.isascii()
