"""Lets Python's cycle collector wait while sets of steps are decided.

A set makes some hundred thousand objects that all live until it is written. The collector would look at
each of them again and again, for a quarter of the whole time, and find nothing to free: what a set leaves
behind is freed by its reference counts. Between two sets only what is young is looked at, and everything
once in ``LONGEST``, for the sake of the process's other threads.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

LONGEST = 10.0  # seconds
_lock = Lock()
_waiting = 0
_was_on = False
_last = 0.0


@contextmanager
def collector_waits() -> Iterator[Callable[[], None]]:
    """No collection until the last of the threads that asked for it is done, but where it is given room."""
    global _waiting, _was_on, _last
    with _lock:
        if _waiting == 0:
            _was_on, _last = gc.isenabled(), time.monotonic()
            gc.disable()
        _waiting += 1
    try:
        yield _room
    finally:
        with _lock:
            _waiting -= 1
            if _waiting == 0 and _was_on:
                gc.enable()


def _room() -> None:
    """Between two sets: collect what is young; everything, where nobody did for ``LONGEST``."""
    global _last
    if not _was_on:
        return
    with _lock:
        full = time.monotonic() - _last >= LONGEST
        if full:
            _last = time.monotonic()
    gc.collect(2 if full else 0)


__all__ = ["LONGEST", "collector_waits"]
