"""The gate ``nothing_owed``: of what a grantee owes somebody decides before more is paid."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config.programme_files import load_programme
from milepost.clock import SimulatedClock
from milepost.db import Database
from states.gates import nothing_owed
from states.refusals import Refused
from tests.invariants import town_receivable
from tests.invariants.town import SHIPPED, START, Town, programme_text

GATE = {'"appropriation_available",': '"appropriation_available", "nothing_owed",'}


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(START)


def test_a_tranche_waits_until_somebody_decided_of_what_is_owed(
    database: Database, clock: SimulatedClock
) -> None:
    with Town(database, clock, programme=programme_text(**GATE)) as town:
        town.vote()
        project = town.funded()
        town.payment("settled", project=project)
        owed = town_receivable.owed(town, project, 1_000)
        second = town.payments(project)[1]
        town.accept(town.one("SELECT milestone_id FROM payment WHERE id = %s", second))
        with pytest.raises(Refused) as caught:
            town.take("system", "payment.fall_due", second)
        assert [refusal.code for refusal in caught.value.refusals] == ["owed_undecided"]
        first = (town.clock.today() + timedelta(days=20)).isoformat()
        given = {"number": 3, "first_on": first, "decision_no": "D-2"}
        town.take("finance2", "receivable.grant_instalments", owed, **given)
        town.take("system", "payment.fall_due", second)
        assert town.state("payment", second) == "due"


def test_a_shipped_programme_uses_it() -> None:
    """Where large sums go to one grantee over years, what is owed is decided of before the next leaves."""
    gates = {
        path.stem: {gate for tranche in load_programme(path).programme.tranches for gate in tranche.gates}
        for path in SHIPPED
    }
    assert nothing_owed.__name__ in gates["city-key-projects"]
