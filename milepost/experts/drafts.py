"""What an expert has typed of a review, kept as it was typed, right or wrong. Nothing typed is lost.

A draft is no evidence and nobody but its expert ever reads it. Each browser tab names itself and says which
revision its text grew from. A tab that saves over what another tab saved meanwhile wins, and what the other
had typed is kept beside it, for the expert to look at and take back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from milepost.db import Session
from milepost.queries.reviews import MINE, OPEN
from schema.money import Explained

CHARACTERS_MAX = 100_000
SCORE_MAX = 200
TAB_MAX = 64


class DraftTooLong(Explained):
    """More than a draft holds; a review itself may have far less."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form: for each criterion what was typed, be it no number at all, and the comment."""

    scores: Mapping[str, str] = field(default_factory=dict)
    comment: str = ""

    @property
    def blank(self) -> bool:
        """Whether nothing was typed."""
        return not self.comment.strip() and not any(score.strip() for score in self.scores.values())


@dataclass(frozen=True, slots=True)
class Draft:
    """What was saved last, by which tab, and at which version of the task."""

    typed: Typed
    revision: int
    tab: str
    sequence: int
    task_version: int
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """What a tab had typed when another was saved over it."""

    id: UUID
    typed: Typed
    saved_at: datetime


@dataclass(frozen=True, slots=True)
class Saved:
    """The revision that stands now; ``kept``: another version was put aside."""

    revision: int
    kept: bool = False


def typed_from(scores: Mapping[str, str], comment: str, codes: Iterable[str]) -> Typed:
    """What was typed as it can be kept: one kind of line end, no NUL, the rubric's own criteria only."""
    known = {code: _clean(scores.get(code, "")) for code in codes}
    typed = Typed({code: text for code, text in known.items() if text}, _clean(comment))
    longest = max((len(text) for text in typed.scores.values()), default=0)
    if len(typed.comment) > CHARACTERS_MAX or longest > SCORE_MAX:
        raise DraftTooLong(
            "draft_too_long",
            f"内容过长：意见至多保存 {CHARACTERS_MAX} 字，每项评分至多 {SCORE_MAX} 字。请缩短。",
            f"This is too long: comments up to {CHARACTERS_MAX} characters and scores up to {SCORE_MAX} are "
            "kept. Shorten it.",
        )
    return typed


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")


def read_draft(session: Session, person_id: UUID, task_id: UUID) -> Draft | None:
    """A person's own draft of a task; nobody else's."""
    row = session.conn.execute(
        "SELECT content, revision, tab, saved_at FROM draft WHERE task_id = %s AND person_id = %s",
        (task_id, person_id),
    ).fetchone()
    if row is None:
        return None
    content = row[0]
    return Draft(
        _typed(content), row[1], row[2], content.get("sequence", 0), content.get("version", 0), row[3]
    )


def kept_versions(session: Session, person_id: UUID, task_id: UUID, besides: Typed) -> list[Kept]:
    """What was put aside, the latest first; each text once, and not what stands in the form anyway."""
    found = session.conn.execute(
        "SELECT id, content, saved_at FROM draft_kept WHERE task_id = %s AND person_id = %s "
        "ORDER BY saved_at DESC, id",
        (task_id, person_id),
    ).fetchall()
    shown: list[Kept] = []
    for id, content, saved_at in found:
        typed = _typed(content)
        if typed != besides and all(typed != other.typed for other in shown):
            shown.append(Kept(id, typed, saved_at))
    return shown


def _typed(content: Mapping[str, Any]) -> Typed:
    return Typed(content.get("scores", {}), content.get("comment", ""))


def save_draft(
    session: Session,
    person_id: UUID,
    task_id: UUID,
    typed: Typed,
    *,
    base: int,
    tab: str,
    sequence: int = 0,
    aside: bool = False,
) -> Saved | None:
    """Save what was typed; None where the person does not write this task now, and then nothing is saved.

    ``base`` is the revision the text grew from, ``tab`` who typed it, ``sequence`` the tab's own count of
    saves: what it sent earlier and arrives later changes nothing. ``aside``: text found in a browser after
    a crash, which never replaces what was saved since, but is kept beside it.
    """
    with session.conn.transaction():
        version = _writable(session, person_id, task_id)
        if version is None:
            return None
        now = read_draft(session, person_id, task_id)
        if now is not None and _adds_nothing(now, typed, version, tab, sequence):
            return Saved(now.revision)
        row = {
            "scores": dict(typed.scores),
            "comment": typed.comment,
            "sequence": sequence,
            "version": version,
        }
        other = now is not None and now.revision > base and now.tab != tab
        if now is not None and other and aside:
            _keep(session, person_id, task_id, row, tab)
            return Saved(now.revision, kept=True)
        putting_aside = now is not None and other and not now.typed.blank
        if now is not None and putting_aside:
            _keep(session, person_id, task_id, _content(now), now.tab)
        return Saved(_write(session, person_id, task_id, row, tab), kept=putting_aside)


def _adds_nothing(now: Draft, typed: Typed, version: int, tab: str, sequence: int) -> bool:
    """Whether it stands there already, or was overtaken by what the same tab sent after it."""
    overtaken = now.tab == tab and 0 < sequence < now.sequence
    return overtaken or (now.typed == typed and now.task_version == version)


def take_back(session: Session, person_id: UUID, task_id: UUID, kept_id: UUID, *, tab: str) -> Saved | None:
    """Put a kept version into the form again; what stands there now is kept in its place."""
    with session.conn.transaction():
        version = _writable(session, person_id, task_id)
        found = session.conn.execute(
            "SELECT content FROM draft_kept WHERE id = %s AND task_id = %s AND person_id = %s",
            (kept_id, task_id, person_id),
        ).fetchone()
        if version is None or found is None:
            return None
        now = read_draft(session, person_id, task_id)
        if now is not None and not now.typed.blank:
            _keep(session, person_id, task_id, _content(now), now.tab)
        row = {**found[0], "sequence": 0, "version": version}
        return Saved(_write(session, person_id, task_id, row, tab))


def _writable(session: Session, person_id: UUID, task_id: UUID) -> int | None:
    """The task's version, where the person writes it now; it is locked, so that saves come one by one."""
    row = session.conn.execute(
        f"SELECT s.version FROM task s JOIN project p ON p.id = s.project_id WHERE s.id = %(id)s AND {MINE} "
        "AND s.state = ANY(%(open)s) FOR NO KEY UPDATE OF s",
        {"id": task_id, "actor": person_id, "today": session.clock.today(), "open": list(OPEN)},
    ).fetchone()
    return int(row[0]) if row else None


def _content(draft: Draft) -> dict[str, Any]:
    return {"scores": dict(draft.typed.scores), "comment": draft.typed.comment}


def _keep(session: Session, person_id: UUID, task_id: UUID, content: Mapping[str, Any], tab: str) -> None:
    session.conn.execute(
        "INSERT INTO draft_kept (id, task_id, person_id, content, tab, saved_at) "
        "VALUES (%s, %s, %s, %s, %s, %s)",
        (uuid4(), task_id, person_id, Jsonb(dict(content)), tab[:TAB_MAX], session.clock.now()),
    )


def _write(session: Session, person_id: UUID, task_id: UUID, content: Mapping[str, Any], tab: str) -> int:
    row = session.conn.execute(
        "INSERT INTO draft (task_id, person_id, content, revision, tab, saved_at) "
        "VALUES (%s, %s, %s, 1, %s, %s) "
        "ON CONFLICT (task_id) DO UPDATE SET content = EXCLUDED.content, revision = draft.revision + 1, "
        "tab = EXCLUDED.tab, saved_at = EXCLUDED.saved_at RETURNING revision",
        (task_id, person_id, Jsonb(dict(content)), tab[:TAB_MAX], session.clock.now()),
    ).fetchone()
    assert row is not None, "an upsert gives its row back"
    return int(row[0])


__all__ = [
    "CHARACTERS_MAX",
    "Draft",
    "DraftTooLong",
    "Kept",
    "Saved",
    "Typed",
    "kept_versions",
    "read_draft",
    "save_draft",
    "take_back",
    "typed_from",
]
