"""What a flow works on: one database, bank and mail server for the process; and whether Prefect watches.

``serve`` and the replay bind what they have opened. A Prefect worker binds nothing: the first flow opens
what the environment's settings name. Without Prefect (``without_prefect``) the same tasks run as plain
functions: money does not wait for whoever observes it.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from config.settings import Settings, load_settings
from milepost.bank.desk import Desk, desk_of
from milepost.bank.port import BankPort
from milepost.bank.simulated import SimulatedBank
from milepost.db import Database
from milepost.mail.outbox import MailSettings, mail_settings
from milepost.runtime import open_database

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Bound:
    """What the flows of this process work on. ``data_dir`` None: nothing is exported to files."""

    database: Database
    bank: BankPort
    mail: MailSettings
    data_dir: Path | None
    desk: Desk | None = None
    """Where payments go as files; None: one by one to the bank."""


_bound: Bound | None = None
_plain: ContextVar[bool] = ContextVar("plain", default=False)


def bind(
    database: Database,
    settings: Settings,
    *,
    bank: BankPort | None = None,
    mail: MailSettings | None = None,
    data_dir: Path | None = None,
) -> Bound:
    """Let the flows of this process work on a database; the bank is the simulated one unless given."""
    global _bound
    _bound = Bound(
        database,
        bank or SimulatedBank(database),
        mail or mail_settings(settings),
        data_dir or settings.data_dir,
        desk_of(settings),
    )
    return _bound


def unbind() -> None:
    """Forget what was bound; the next flow opens what the settings name."""
    global _bound
    _bound = None


@contextmanager
def binding(database: Database, settings: Settings, **given: Any) -> Iterator[Bound]:
    """Bound for a while."""
    global _bound
    before = _bound
    try:
        yield bind(database, settings, **given)
    finally:
        _bound = before


def bound() -> Bound:
    """What is bound; else opened as the settings say, and closed with the process."""
    if _bound is not None:
        return _bound
    settings = load_settings()
    stack = ExitStack()
    # Whoever serves brings the database up to date; a worker only uses it.
    database = stack.enter_context(open_database(settings, migrated=False))
    atexit.register(stack.close)
    return bind(database, settings)


@contextmanager
def without_prefect() -> Iterator[None]:
    """Tasks called inside run as plain functions: no server is asked or told."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def slice_task(
    name: str,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """A Prefect task over one slice of the subjects, which ``without_prefect`` turns into a plain function.

    Every task here may run twice, so it is tried again once when the database or the network gave way.
    """

    def make(body: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        watched: Task[P, Coroutine[Any, Any, R]] = task(
            name=name,
            retries=1,
            retry_delay_seconds=2,
            cache_policy=NO_CACHE,
            persist_result=False,
            log_prints=False,
        )(body)

        @wraps(body)
        async def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if _plain.get():
                return await body(*args, **kwargs)
            return await watched(*args, **kwargs)

        return run

    return make


__all__ = ["Bound", "bind", "binding", "bound", "slice_task", "unbind", "without_prefect"]
