"""The cycle collector runs again once nobody asks it to wait, however the asking ended."""

import gc
import threading

import pytest

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
