"""The expert pool in the browser: the list, one entry with its forms, spreadsheets, and experts' own entry.

What somebody may do with an entry is asked of ``milepost.experts.permits`` alone: a form that may not be sent
is not shown, and one that is sent all the same is refused there. Who may not see an entry finds none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from milepost.experts import pool, profile
from milepost.experts.duplicates import DEGREES, REASONS, Pair
from milepost.experts.permits import ExpertError
from milepost.experts.subjects import first_level, subject_label
from milepost.importing.expert_cells import BY_KEY, codes_of
from milepost.queries import experts as reads
from milepost.queries import office
from milepost.queries.sight import Row
from milepost.web.render import page
from milepost.web.visitor import Member, Missing, PoolReader, Typed, Visitor, text_of
from milepost.work.conflicts import take_away_conflicted
from schema.money import Explained
from states.labels import said
from states.step import words

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Words:
    """What codes are called, for the templates."""

    kinds: Any = field(default_factory=lambda: profile.KIND_LABELS)
    ties: Any = field(default_factory=lambda: profile.TIE_LABELS)
    languages: Any = field(default_factory=lambda: profile.LANGUAGE_LABELS)
    changes: Any = field(default_factory=lambda: profile.CHANGE_LABELS)
    reasons: Any = field(default_factory=lambda: {name: text for name, (_, text) in REASONS.items()})
    degrees: Any = field(default_factory=lambda: DEGREES)
    subjects: Any = field(default_factory=first_level)
    subject: Callable[[str], Any] = subject_label
    columns: Any = field(default_factory=lambda: BY_KEY)
    standings: Any = field(
        default_factory=lambda: {
            "available": words("可参评", "Available"),
            "absent": words("暂不便", "Absent"),
            "banned": words("禁评中", "Banned"),
            "retired": words("已退出", "Retired"),
        }
    )


# The list -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PoolPage:
    """The experts that the reader sees, and what was searched for."""

    rows: list[Row]
    next: str | None
    asked: dict[str, str]
    standings: tuple[str, ...]
    may_enrol: bool
    places: Mapping[str, str]
    words: Words = field(default_factory=Words)


@router.get("/experts")
def show_pool(
    visitor: PoolReader,
    search: str = "",
    unit: str = "",
    field: str = "",
    kind: str = "",
    standing: str = "",
    after: str = "",
) -> Response:
    """The pool, as far as the reader's regions reach."""
    asked = {"search": search, "unit": unit, "field": field, "kind": kind, "standing": standing}
    asked = {name: value.strip()[:100] for name, value in asked.items()}
    standings: tuple[str, ...] = reads.STANDINGS
    if not reads.regions_for(visitor.session, visitor.id, "read_review_side"):
        # An administrator keeps accounts; who is banned or absent is not theirs to know.
        standings = ("available", "retired")
    if asked["standing"] not in standings:
        asked["standing"] = ""
    given: dict[str, Any] = {**asked, "after": after[:100]}
    found = reads.expert_list(visitor.session, visitor.id, **given)
    view = PoolPage(found.rows, found.next, asked, standings, may_enrol(visitor), _places(visitor))
    return page(visitor, "experts.html", view)


def _places(visitor: Visitor) -> Mapping[str, str]:
    """What the regions are called, by path; a region without an office of its own has no name."""
    named = office.offices(visitor.session)
    found = {row["path"]: said(words(row["name_zh"], row["name_en"]), visitor.locale) for row in named}
    return {"/": "全境" if visitor.locale == "zh" else "Everywhere", **found}


def may_enrol(visitor: Visitor) -> bool:
    """Whether somebody enrols experts of any region."""
    return bool(reads.regions_for(visitor.session, visitor.id, "enrol"))


@dataclass(frozen=True, slots=True)
class DuplicatesPage:
    """Entries that may be one person."""

    pairs: list[Pair]
    words: Words = field(default_factory=Words)


@router.get("/experts/duplicates")
def show_duplicates(visitor: PoolReader) -> Response:
    """Entries that may be one person, and why; the officer retires one."""
    view = DuplicatesPage(reads.duplicates_for(visitor.session, visitor.id))
    return page(visitor, "expert_duplicates.html", view)


# Enrolling ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewPage:
    """The form for a new expert, with what was typed."""

    typed: dict[str, Any]
    error: str
    regions: list[str]
    words: Words = field(default_factory=Words)


_LINES = ("login", "name", "email", "region", "yearly_load", "title", "phone", "identity_no", "profile")


@router.get("/experts/new")
def show_new(visitor: PoolReader) -> Response:
    """The form for a new expert."""
    return _new(visitor, {"kinds": ["technology"], "languages": ["zh"], "yearly_load": "10"}, "")


def _new(visitor: Visitor, typed: dict[str, Any], error: str) -> Response:
    regions = reads.regions_for(visitor.session, visitor.id, "enrol")
    if not regions:
        raise Missing
    if len(regions) == 1:
        typed = {"region": regions[0], **typed}
    return page(visitor, "expert_new.html", NewPage(typed, error, regions), status=422 if error else 200)


@router.post("/experts")
def enrol(visitor: PoolReader, form: Typed) -> Response:
    """Enrol somebody, with an account where they have none."""
    if not may_enrol(visitor):
        raise Missing
    typed: dict[str, Any] = {name: text_of(form, name) for name in (*_LINES, "fields", "unit", "from_on")}
    typed |= {name: _texts(form, name) for name in ("kinds", "languages")}
    try:
        units = [pool.Unit(typed["unit"], _day(typed["from_on"]))] if typed["unit"] else []
        new = pool.NewExpert(
            **{name: typed[name] for name in _LINES},
            kinds=typed["kinds"],
            languages=typed["languages"],
            fields=codes_of(typed["fields"]),
            units=units,
        )
        done = pool.enrol(visitor.session, new, by=visitor.id)
    except Explained as error:
        return _new(visitor, typed, say(visitor, error))
    alike = "&alike=1" if done.alike else ""
    return RedirectResponse(f"/experts/{done.person_id}?saved=enrol{alike}", 303)


def _texts(form: FormData, name: str) -> list[str]:
    return [value for value in form.getlist(name) if isinstance(value, str)]


def say(visitor: Visitor, error: Explained) -> str:
    """A refusal in the reader's language."""
    return said(words(error.zh, error.en), visitor.locale)


# One entry ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExpertPage:
    """One entry; ``part``: the form that was not taken, ``typed`` what it said, ``error`` why."""

    row: Row
    own: bool
    part: str
    typed: dict[str, Any]
    error: str
    saved: bool
    alike: list[tuple[str, str, list[Any]]]
    offices: list[Row]
    load_max: int
    places: Mapping[str, str]
    words: Words = field(default_factory=Words)


@router.get("/experts/me")
def show_own(visitor: Member) -> Response:
    """One's own entry; who has none is told how to come by one, as long as they hold the role."""
    if not reads.is_expert(visitor.session, visitor.id):
        if "expert" not in visitor.roles:
            raise Missing
        return page(visitor, "expert_none.html")
    return _expert(visitor, visitor.id)


@router.get("/experts/{id}")
def show_expert(visitor: Member, id: UUID) -> Response:
    """One entry, as far as the reader may see it."""
    if id == visitor.id and reads.is_expert(visitor.session, id):
        return RedirectResponse("/experts/me", 303)
    return _expert(visitor, id)


def _expert(
    visitor: Visitor, id: UUID, part: str = "", typed: dict[str, Any] | None = None, error: str = ""
) -> Response:
    row = reads.expert(visitor.session, visitor.id, id)
    if row is None:
        raise Missing
    saved = "saved" in visitor.request.query_params and not error
    alike = []
    if "alike" in visitor.request.query_params and "enrol" in row["sees"]:
        alike = _alike(visitor, row["login"])
    entry = pool.find(visitor.session, id)
    view = ExpertPage(
        row,
        id == visitor.id,
        part,
        typed or {},
        error,
        saved,
        alike,
        office.offices(visitor.session) if "standing" in row["sees"] else [],
        pool.load_given(visitor.session, entry) if entry else 0,
        _places(visitor),
    )
    return page(visitor, "expert.html", view, status=422 if error else 200)


def _alike(visitor: Visitor, login: str) -> list[tuple[str, str, list[Any]]]:
    """Other entries that may be this person, of those that the reader sees."""
    found = []
    for pair in reads.duplicates_for(visitor.session, visitor.id):
        both = [pair.first, pair.second]
        if login in (one.login for one in both):
            other = next(one for one in both if one.login != login)
            labels = [REASONS[reason][1] for reason in pair.reasons]
            found.append((str(other.person_id), f"{other.name} ({other.login})", labels))
    return found


@router.post("/experts/{id}/{part}")
def change(visitor: Member, form: Typed, id: UUID, part: str) -> Response:
    """One of the entry's forms."""
    act = _FORMS.get(part)
    if act is None or reads.expert(visitor.session, visitor.id, id) is None:
        raise Missing
    try:
        act(visitor, id, form)
    except Explained as error:
        typed: dict[str, Any] = {name: text_of(form, name) for name in form}
        typed |= {name: _texts(form, name) for name in ("kinds", "languages")}
        return _expert(visitor, id, part, typed, say(visitor, error))
    # Access ended with the change itself; a review that it bars is taken back now, and the officer told.
    take_away_conflicted(visitor.session, people=[id])
    where = "me" if id == visitor.id else str(id)
    return RedirectResponse(f"/experts/{where}?saved={part}", 303)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ExpertError(
            "day_unreadable",
            f"“{text[:20]}”不是日期。请写成 2025-06-01。",
            f"{text[:20]!r} is not a day. Write it like 2025-06-01.",
        ) from None


def _needed_day(text: str) -> date:
    day = _day(text)
    if day is None:
        raise ExpertError("day_missing", "请填写日期。", "Give the day.")
    return day


def _version(form: FormData) -> int:
    text = text_of(form, "version")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Missing
    return int(text)


def _entry(form: FormData) -> UUID:
    try:
        return UUID(text_of(form, "entry"))
    except ValueError:
        raise Missing from None


def _profile(visitor: Visitor, id: UUID, form: FormData) -> None:
    changes: dict[str, Any] = {name: text_of(form, name) for name in ("title", "phone", "profile")}
    changes["languages"] = _texts(form, "languages")
    pool.revise(visitor.session, id, changes, version=_version(form), by=visitor.id)


def _fields(visitor: Visitor, id: UUID, form: FormData) -> None:
    codes = codes_of(text_of(form, "fields"))
    pool.set_fields(visitor.session, id, codes, version=_version(form), by=visitor.id)


def _standing(visitor: Visitor, id: UUID, form: FormData) -> None:
    changes: dict[str, Any] = {name: text_of(form, name) for name in ("region", "yearly_load", "identity_no")}
    changes["kinds"] = _texts(form, "kinds")
    pool.revise(visitor.session, id, changes, version=_version(form), by=visitor.id)


def _load(visitor: Visitor, id: UUID, form: FormData) -> None:
    changes = {"yearly_load": text_of(form, "yearly_load")}
    pool.revise(visitor.session, id, changes, version=_version(form), by=visitor.id)


def _affiliate(visitor: Visitor, id: UUID, form: FormData) -> None:
    unit = pool.Unit(text_of(form, "unit"), _day(text_of(form, "from_on")), _day(text_of(form, "to_on")))
    pool.affiliate(visitor.session, id, unit, by=visitor.id)


def _end_affiliation(visitor: Visitor, id: UUID, form: FormData) -> None:
    last = _needed_day(text_of(form, "to_on"))
    pool.end_affiliation(visitor.session, _entry(form), to_on=last, by=visitor.id)


def _tie(visitor: Visitor, id: UUID, form: FormData) -> None:
    pool.declare_tie(
        visitor.session,
        id,
        kind=text_of(form, "kind"),
        other_name=text_of(form, "other_name"),
        other_unit=text_of(form, "other_unit"),
        evidence=text_of(form, "evidence"),
        since_on=_day(text_of(form, "since_on")),
        until_on=_day(text_of(form, "until_on")),
        by=visitor.id,
    )


def _absence(visitor: Visitor, id: UUID, form: FormData) -> None:
    first, last = _needed_day(text_of(form, "from_on")), _needed_day(text_of(form, "to_on"))
    reason = text_of(form, "reason")
    pool.set_absence(visitor.session, id, from_on=first, to_on=last, reason=reason, by=visitor.id)


def _ban(visitor: Visitor, id: UUID, form: FormData) -> None:
    years = text_of(form, "years")
    whole = int(years) if years.isascii() and years.isdigit() and len(years) < 4 else 0
    pool.ban(visitor.session, id, years=whole, reason=text_of(form, "reason"), by=visitor.id)


def _retire(visitor: Visitor, id: UUID, form: FormData) -> None:
    reason = text_of(form, "reason")
    pool.retire(visitor.session, id, reason=reason, version=_version(form), by=visitor.id)


def _return(visitor: Visitor, id: UUID, form: FormData) -> None:
    pool.return_to_pool(visitor.session, id, version=_version(form), by=visitor.id)


_FORMS: Mapping[str, Callable[[Visitor, UUID, FormData], None]] = {
    "profile": _profile,
    "fields": _fields,
    "standing": _standing,
    "load": _load,
    "affiliate": _affiliate,
    "end-affiliation": _end_affiliation,
    "tie": _tie,
    "end-tie": lambda visitor, id, form: pool.end_tie(visitor.session, _entry(form), by=visitor.id),
    "absence": _absence,
    "remove-absence": lambda visitor, id, form: pool.remove_absence(
        visitor.session, _entry(form), by=visitor.id
    ),
    "ban": _ban,
    "lift-ban": lambda visitor, id, form: pool.lift_ban(
        visitor.session, _entry(form), reason=text_of(form, "reason"), by=visitor.id
    ),
    "retire": _retire,
    "return": _return,
}
