"""What a guard sees: the facts about one subject, loaded once under the lock, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from config.programmes import Programme

NAMESPACE = uuid5(NAMESPACE_URL, "milepost")
SYSTEM_ID = uuid5(NAMESPACE, "person:system")

Row = Mapping[str, Any]


@dataclass(slots=True)
class Case:
    """One subject with its project, its programme, the actor's roles here, the input, and the day.

    ``subject`` is None where the step creates it. ``facts`` holds what guards asked for by name
    (``milepost.cases`` knows how each is read). ``input`` is None while nothing was typed yet, as when
    buttons are computed: a guard about input then has nothing to object to. ``acting`` is the delegation by
    which the actor acts for another.
    """

    noun: str
    subject_id: UUID
    subject: Row | None
    project: Row | None
    programme: Programme
    actor_id: UUID
    roles: frozenset[str]
    now: datetime
    today: date
    request_id: str = ""
    input: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    role: str = ""
    acting: Row | None = None

    @property
    def state(self) -> str:
        """Where the subject stands; the empty string before it exists."""
        return self.subject["state"] if self.subject is not None else ""

    @property
    def version(self) -> int:
        """How many events the subject has had."""
        return self.subject["version"] if self.subject is not None else 0

    @property
    def here(self) -> Row:
        """The subject's row; a step that needs it is never offered before it exists."""
        assert self.subject is not None
        return self.subject

    @property
    def of(self) -> Row:
        """The project's row, for subjects that belong to one."""
        assert self.project is not None
        return self.project

    def new_id(self, tag: object) -> UUID:
        """An id that follows from the request, so that the same request makes the same row."""
        return uuid5(NAMESPACE, f"{self.actor_id}:{self.request_id}:{tag}")


@dataclass(frozen=True, slots=True)
class Follow:
    """A step that follows from another in the same transaction, taken by the system."""

    step: str
    subject_id: UUID
    input: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tell:
    """A mail to one person; ``email``: at that address, which need not be theirs any more."""

    template: str
    person_id: str
    email: str = ""
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Change:
    """What a step leaves behind besides the state: columns, rows, and the steps that follow.

    ``digests``: SHA-256 in hex of what the step itself fixed, for the event to put on record; ``computed``:
    sums and days that it found by itself, by name. ``tell``: mails besides those of the step's row.
    ``context``: what its mails say more than the event does.
    """

    set: dict[str, Any] = field(default_factory=dict)
    project: dict[str, Any] = field(default_factory=dict)
    insert: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    update: list[tuple[str, UUID, dict[str, Any]]] = field(default_factory=list)
    follow: list[Follow] = field(default_factory=list)
    digests: tuple[str, ...] = ()
    tell: list[Tell] = field(default_factory=list)
    context: dict[str, str] = field(default_factory=dict)
    computed: dict[str, int | str] = field(default_factory=dict)


def account_id(kind: str, owner_id: UUID, currency: str) -> UUID:
    """The account of a kind, an owner and a currency; known without looking it up."""
    return uuid5(NAMESPACE, f"account:{kind}:{owner_id}:{currency}")


def chain_of_programme(code: str) -> UUID:
    """The chain that calls and appropriations of all versions of a programme share."""
    return uuid5(NAMESPACE, f"programme:{code}")


def chain_of_account(number: str) -> UUID:
    """The chain of what the bank says of our account and of no project."""
    return uuid5(NAMESPACE, f"bank account:{number}")
