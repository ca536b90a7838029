"""Several clients at once, each with a connection of its own, as threads of one process or as processes."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from bench.office import LATER
from bench.release import Waiting
from milepost.clock import SimulatedClock
from milepost.db import Database, Session

Take = Callable[[Session, Waiting], None]
Kind = Literal["threads", "processes"]
_WAIT_S = 120
# So many of each client's share go before the clock runs: by then statements are prepared, programmes read.
WARM = 4


def rate(url: str, take: Take, work: Sequence[Sequence[Waiting]], kind: Kind) -> float:
    """Steps a second when each client does its share, from the moment that all are connected."""
    start, end = _barriers(kind, len(work) + 1)
    make = threading.Thread if kind == "threads" else multiprocessing.get_context("fork").Process
    clients = [make(target=_client, args=(url, take, share, start, end)) for share in work]
    for client in clients:
        client.start()
    start.wait(_WAIT_S)
    began = time.perf_counter()
    end.wait(_WAIT_S)
    took = time.perf_counter() - began
    for client in clients:
        client.join()
    return sum(len(share) - WARM for share in work) / took


def _barriers(kind: Kind, parties: int) -> tuple[threading.Barrier, threading.Barrier]:
    if kind == "threads":
        return threading.Barrier(parties), threading.Barrier(parties)
    context = multiprocessing.get_context("fork")
    return context.Barrier(parties), context.Barrier(parties)


def _client(
    url: str, take: Take, share: Sequence[Waiting], start: threading.Barrier, end: threading.Barrier
) -> None:
    database = Database(url, clock=SimulatedClock(LATER), pool_size=1)
    try:
        with database.session() as session:
            for payment in share[:WARM]:
                take(session, payment)
            start.wait(_WAIT_S)
            for payment in share[WARM:]:
                take(session, payment)
            end.wait(_WAIT_S)
    except BaseException:
        start.abort()
        end.abort()
        raise
    finally:
        database.close()
