"""The towns of the tests of promises, for tests of the same engine from other sides."""

from tests.invariants.conftest import found

__all__ = ["found"]
