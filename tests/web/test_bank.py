"""Finance sees what is with the bank and clears up what does not fit; nobody else does."""

from __future__ import annotations

from uuid import uuid4

import pytest

from config.programmes import Text
from milepost.bank.simulated_files import FileBank, Misbehaviour, write_answers
from milepost.reports.payment_words import left_out_said
from milepost.work.batches import carry_on
from milepost.work.reconciliation import reconcile_folder
from states.case import SYSTEM_ID
from tests.web.conftest import Site
from tests.work.files_scene import desk_in


def test_an_exception_is_shown_in_words_and_cleared_up_once(site: Site, tmp_path) -> None:  # type: ignore[no-untyped-def]
    desk = desk_in(tmp_path)
    other = FileBank(tmp_path / "books.sqlite", Misbehaviour(), account="999888777")
    write_answers(desk.inbox, other.statements(site.world.clock.today()))
    reconcile_folder(site.world.database, desk, by=SYSTEM_ID)
    assert carry_on(site.world.database, desk).sent == []
    finance, supervisor = site.the("finance_officer"), site.the("supervisor")
    shown = finance.get("/bank").text
    assert 'data-kind="account_not_ours"' in shown and "statements of other accounts" in shown
    id = shown.split('id="bank_exception-')[1].split('"')[0]
    way = f"/steps/bank_exception.explain/{id}"
    assert way in shown and way not in supervisor.get("/bank").text
    # Nothing is offered that no exception of this kind allows.
    assert "bank_exception.match" not in shown and "bank_exception.use" not in shown
    assert f"bank_exception-{id}" in finance.get("/").text
    for reader, note, status in (
        (supervisor, "mine", 403),
        (finance, " ", 422),
        (finance, "it was the bureau's", 303),
        (finance, "again", 409),
    ):
        answer = reader.client.post(
            way,
            data={"csrf": reader.csrf(), "note": note, "request_id": f"{status}", "expected_version": "1"},
        )
        assert answer.status_code == status, (note, answer.status_code)
    assert f"bank_exception-{id}" not in finance.get("/").text
    assert "it was the bureau" in finance.get("/bank").text
    assert finance.get(f"/bank/batches/{uuid4()}").status_code == 404


@pytest.mark.parametrize("why", ["void", "binding_broken", "payment_on_hold, on_hold", "bank_doubt"])
def test_why_a_payment_was_left_out_is_said_in_words(why: str) -> None:
    told = left_out_said(why)
    assert not any(code in told.zh + told.en for code in why.split(", ")) or why == "void"
    assert told.zh != told.en and "{" not in told.zh + told.en
    assert left_out_said("the wrong day") == Text(zh="the wrong day", en="the wrong day")


@pytest.mark.parametrize("role", ["finance_officer", "programme_officer", "applicant"])
def test_only_finance_is_offered_a_batch(site: Site, role: str) -> None:
    assert (site.the(role).get("/steps/batch.make").status_code == 200) == (role == "finance_officer")
