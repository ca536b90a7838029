"""The cycle collector runs again once nobody asks it to wait, however the asking ended."""

import gc
import threading
import weakref

import pytest

from milepost import collector
from milepost.collector import collector_waits


def test_the_collector_waits_and_runs_again() -> None:
    assert gc.isenabled()
    with collector_waits():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_it_runs_again_after_a_failure() -> None:
    with pytest.raises(ValueError), collector_waits():
        raise ValueError
    assert gc.isenabled()


def test_it_waits_for_the_last_thread_that_asked() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with collector_waits():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with collector_waits():
        thread.start()
        assert inside.wait(10)
    assert not gc.isenabled()
    leave.set()
    thread.join()
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with collector_waits():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


class Ring:
    """Refers to itself: only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


def test_between_two_sets_it_frees_what_is_young() -> None:
    with collector_waits() as collect:
        young = weakref.ref(Ring())
        assert young() is not None
        collect()
        assert young() is None


def test_of_a_long_call_it_frees_everything_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Ring()
    gc.collect()  # it is old now
    seen = weakref.ref(ring)
    del ring
    with collector_waits() as collect:
        collect()
        assert seen() is not None
        monkeypatch.setattr(collector, "LONGEST", 0.0)
        collect()
        assert seen() is None
