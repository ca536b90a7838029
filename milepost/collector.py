"""Lets Python's cycle collector wait while a set of steps is decided.

A set makes some hundred thousand objects that all live until it is written. The collector would look at
each of them again and again, for a quarter of the whole time, and find nothing to free: what a set leaves
behind is freed by its reference counts. Between two sets it runs as ever.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_waiting = 0
_was_on = False


@contextmanager
def collector_waits() -> Iterator[None]:
    """No collection until the last of the threads that asked for it is done."""
    global _waiting, _was_on
    with _lock:
        if _waiting == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _waiting += 1
    try:
        yield
    finally:
        with _lock:
            _waiting -= 1
            if _waiting == 0 and _was_on:
                gc.enable()


__all__ = ["collector_waits"]
