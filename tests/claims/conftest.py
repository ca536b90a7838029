"""A town whose grantees claim costs; one database for a module."""

from __future__ import annotations

from tests.invariants.conftest import Found, found

__all__ = ["Found", "found"]
