"""What a flow runs on: the database, the bank and the mail server of this process.

``serve`` and the replay bind theirs once. A Prefect worker binds nothing: each flow run then opens what the
settings name, and closes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from config.settings import Settings, load_settings
from milepost.bank.port import BankPort
from milepost.bank.simulated import Behaviour, SimulatedBank
from milepost.db import Database
from milepost.mail.sending import MailSettings, mail_settings
from milepost.runtime import open_database


@dataclass(frozen=True, slots=True)
class Office:
    """The installation as flows see it."""

    database: Database
    settings: Settings
    bank: BankPort
    mail: MailSettings


_bound: list[Office] = []


def office_of(
    database: Database, settings: Settings, *, bank: BankPort | None = None, mail: MailSettings | None = None
) -> Office:
    """An installation with the bank and the mail server that the settings name, unless told otherwise."""
    return Office(
        database,
        settings,
        bank or SimulatedBank(database, Behaviour()),
        mail or mail_settings(settings),
    )


@contextmanager
def bind(office: Office) -> Iterator[Office]:
    """Flows of this process run on this installation until the block ends."""
    _bound.append(office)
    try:
        yield office
    finally:
        _bound.remove(office)


@contextmanager
def here() -> Iterator[Office]:
    """The installation bound in this process, or one opened from the settings for this once."""
    if _bound:
        yield _bound[-1]
        return
    settings = load_settings()
    with open_database(settings) as database:
        yield office_of(database, settings)


def told(report: Any) -> dict[str, Any]:
    """A report as the run's result: counts that people read in the log of runs."""
    if report is None:
        return {}
    return asdict(report) if is_dataclass(report) and not isinstance(report, type) else dict(report)
