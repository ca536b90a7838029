"""Every noun can be brought to every one of its states by steps alone; the tests of promises rest on that."""

from __future__ import annotations

import pytest

from tests.invariants.checks import faults
from tests.invariants.conftest import Found
from tests.invariants.town import Town


@pytest.fixture(scope="module")
def town(found: Found) -> Town:
    made = found()
    made.vote(10_000_000_000)
    return made


def test_every_state_of_every_noun_is_reached_by_steps(town: Town) -> None:
    machines = town.programme.compiled.machines
    for noun, machine in machines.items():
        for state in machine.states:
            assert town.state(noun, town.stand(noun, state)) == state
    assert faults(town.session.conn) == []
