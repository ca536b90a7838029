"""Towns for the tests of the loop with the bank."""

from __future__ import annotations

from tests.invariants.conftest import found as found
