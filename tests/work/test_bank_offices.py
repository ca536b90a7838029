"""A batch is of an office, for its people; what is wrong with one batch keeps no other back."""

from __future__ import annotations

from uuid import UUID

import pytest

from milepost.queries import bank
from milepost.queries.sight import find_subject
from milepost.work import batches
from states.refusals import Refused
from tests.invariants import town_bank
from tests.invariants.conftest import Found
from tests.invariants.town import Town, person_id
from tests.work.files_scene import Loop

# One worker, so that what the module is set up with is set up once.
pytestmark = pytest.mark.xdist_group("bank_offices")


@pytest.fixture(scope="module")
def loop(found: Found, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """A town with money and a bank; somebody is finance of another office only."""
    town = found()
    town.vote()
    town.grant("nobody", "finance_officer", "/county/")
    town.clock.set(town_bank.working_day(town))
    return Loop(town, tmp_path_factory.mktemp("offices"))


def make(town: Town, who: str, office: str) -> UUID:
    day = town_bank.working_day(town)
    town.clock.set(day)
    given = {"programme_id": str(town.programme.id), "currency": "CNY", "execution_on": day.isoformat()}
    return town.take(who, "batch.make", None, office_path=office, **given).subject_id


def test_a_batch_takes_what_is_of_its_office_and_is_for_its_people(loop: Loop) -> None:
    town = loop.town
    loop.released()
    with pytest.raises(Refused) as refused:
        make(town, "nobody", "/county/")
    assert [r.code for r in refused.value.refusals] == ["batch_takes_nothing"]
    with pytest.raises(Refused) as refused:
        make(town, "nobody", "/city/")
    assert [r.code for r in refused.value.refusals] == ["not_found"]
    made = make(town, "finance4", "/city/")
    with pytest.raises(Refused) as refused:
        town.take("nobody", "batch.hand_over", made)
    assert [r.code for r in refused.value.refusals] == ["not_found"]
    stranger, colleague = person_id("nobody"), person_id("finance1")
    for reader, sees in ((stranger, False), (colleague, True), (None, True)):
        assert (bank.batch(town.session, made, reader) is not None) == sees
        if reader is not None:
            assert (find_subject(town.session, reader, "batch", made) is not None) == sees
    town.take("finance5", "batch.hand_over", made)
    assert loop.send().sent == [f"{made.hex}.xml"]
    assert bank.files(town.session, stranger) == [] and bank.files(town.session, colleague) != []
    exception = town_bank.bank_exception(town, "open")
    assert find_subject(town.session, stranger, "bank_exception", exception) is None
    assert str(exception) not in {str(row["id"]) for row in bank.exceptions(town.session, stranger)}


def test_a_batch_that_cannot_go_says_why_and_keeps_no_other_back(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = loop.town
    loop.released()
    stuck = loop.batch()

    class Dead(BaseException):
        pass

    def dying(*_: object) -> None:
        raise Dead

    with monkeypatch.context() as patch:
        patch.setattr(batches, "_send", dying)
        with pytest.raises(Dead):
            loop.send()
    # Its file was staged, and somebody has laid hands on it since.
    staged = loop.desk.staged / town.one("SELECT staged_as FROM batch WHERE id = %s", stuck)
    content = staged.read_bytes()
    staged.write_bytes(content + b" ")
    loop.released()
    good = loop.batch()
    report = loop.send()
    assert report.sent == [f"{good.hex}.xml"]
    assert list(report.refused) == [stuck] and "not what batch" in report.refused[stuck]
    assert town.state("batch", stuck) == "written"
    staged.write_bytes(content)
    assert loop.send().sent == [f"{stuck.hex}.xml"]
