"""Draws computed again, from the bytes committed and the value, against all that rows and events say.

Three things have to agree: the record, which must follow from itself (``milepost.experts.draw_verify``); the
rows by which experts are invited; and the events of the chain, which carry the commitment before the value,
then the hashes of the outcome and of each replacement. Whoever rewrites a draw so that it follows from itself
again still differs from what its events, and with them the seals, put on record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import psycopg
from psycopg.rows import dict_row

from milepost.experts.beacon import figure_text
from milepost.experts.draw_record import Record, write
from milepost.experts.draw_verify import verify
from milepost.experts.published import RECORD_SQL, moment_of, record_of_row
from schema.money import Explained
from states.commitment import names_hash
from states.draws import entry_digest, outcome_digest

_MORE = """SELECT d.source_kind, d.announced_at, d.drawn_at, d.replaces_id::text AS replaces_id, d.reason,
  d.salt, d.source_name, d.source_on::text AS source_on, v.code, v.version,
  b.commitment AS before FROM draw d JOIN programme_version v ON v.id = d.programme_id
  LEFT JOIN draw b ON b.id = d.replaces_id WHERE d.id = %(id)s"""
_EVENTS = """SELECT step, actor_id, at, convert_from(body, 'UTF8')::jsonb AS body FROM event
  WHERE subject_id = %(id)s ORDER BY subject_seq"""
_ROUNDS = """SELECT project_id::text AS project, round_id, voided_at FROM draw_round WHERE draw_id = %(id)s"""
_SEATS = """SELECT r.project_id::text, draw_alias(d.salt, s.expert_id), s.entry, s.rank FROM draw_seat s
  JOIN draw d ON d.id = s.draw_id
  LEFT JOIN draw_round r ON r.draw_id = s.draw_id AND r.round_id = s.round_id WHERE s.draw_id = %(id)s"""


@dataclass(frozen=True, slots=True)
class DrawFault:
    """One thing about a draw that is not as it should be."""

    code: str
    where: str
    zh: str
    en: str


def check_draws(conn: psycopg.Connection[Any]) -> Iterator[DrawFault]:
    """Whatever is wrong with any draw, one draw at a time; a draw of a city takes seconds."""
    # The ids first, so that no more than one draw is in memory.
    ids = [row[0] for row in conn.execute("SELECT id FROM draw ORDER BY announced_at, id").fetchall()]
    for id in ids:
        row = _rows(conn, f"{RECORD_SQL} WHERE d.id = %(id)s", id)[0]
        for code, zh, en in _faults(conn, row):
            yield DrawFault(code, str(id), f"抽取 {id}：{zh}", f"Draw {id}: {en}")


_Told = tuple[str, str, str]


def _faults(conn: psycopg.Connection[Any], row: dict[str, Any]) -> Iterator[_Told]:
    try:
        record = record_of_row(row)
        published = write(record)
    except (ValueError, UnicodeError) as unreadable:
        yield ("draw_unreadable", f"承诺内容无法读取（{unreadable}）。", f"it cannot be read ({unreadable}).")
        return
    if sha256(bytes(row["committed"])).hexdigest() != row["commitment"]:
        yield (
            "draw_differs",
            "承诺不是所存字节的哈希。",
            "the commitment is not the hash of the bytes that are kept.",
        )
    for finding in verify(published):
        yield "draw_differs", finding.zh, finding.en
    more = _rows(conn, _MORE, row["id"])[0]
    events = _rows(conn, _EVENTS, row["id"])
    yield from _columns(row, more, record)
    yield from _on_record(row, record, events)
    yield from _seats(conn, row, record)


def _columns(row: dict[str, Any], more: dict[str, Any], record: Record) -> Iterator[_Told]:
    """What stands beside the committed bytes is what they say."""
    fixed = record.committed
    previous = (fixed.previous.commitment, fixed.previous.reason) if fixed.previous else (None, None)
    pairs: list[tuple[str, object, object]] = [
        ("draw", fixed.draw, str(row["id"])),
        ("names", fixed.names, names_hash(more["salt"])),
        ("programme", f"{fixed.programme}:{fixed.programme_version}", f"{more['code']}:{more['version']}"),
        ("committed_at", fixed.committed_at, moment_of(more["announced_at"])),
        ("previous", previous, (more["before"], more["reason"] if more["before"] else None)),
    ]
    if record.value is not None:
        pairs.append(("taken_at", record.value.taken_at, moment_of(more["drawn_at"])))
    if more["source_kind"] == "figure":
        named = _figure(fixed.source)
        pairs.append(("source", named, (more["source_name"], more["source_on"])))
    for name, committed, stored in pairs:
        if committed != stored:
            yield (
                "draw_row_differs",
                f"{name} 存为 {stored}，承诺内容为 {committed}。",
                f"{name} is stored as {stored} and was committed as {committed}.",
            )
    if (row["value"] is None) != (not row["panels"]):
        yield (
            "draw_row_differs",
            "有评审组而无数值，或相反。",
            "there are panels without a value, or the reverse.",
        )


def _figure(source: Any) -> tuple[str, str] | None:
    """A figure's words and day; None for a beacon, which has neither."""
    day = getattr(source, "published_on", None)
    return (source.zh, day) if day is not None else None


def _on_record(row: dict[str, Any], record: Record, events: list[dict[str, Any]]) -> Iterator[_Told]:
    """The events carry the commitment, the value and the hashes of what the steps computed."""
    by_step: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        by_step.setdefault(event["step"], []).append(event)
    kept = row["panels"] or {}
    outcome = [outcome_digest(row["value"], kept.get("panels", []))] if row["value"] is not None else []
    for step, digests in (
        ("draw.announce", [record.commitment]),
        ("draw.conclude", outcome),
        ("draw.succeed", [entry_digest(entry) for entry in row["entries"] or ()]),
    ):
        told = [digest for event in by_step.get(step, ()) for digest in event["body"].get("digests", ())]
        if told != digests:
            yield (
                "draw_event_differs",
                f"与事件 {step} 所载的哈希不符。",
                f"it is not what the events {step} put on record.",
            )
    for event in by_step.get("draw.conclude", ()):
        if record.value is not None and not _same_value(event["body"]["input"]["value"], row, record):
            yield (
                "draw_event_differs",
                "数值不是当时填入的数值。",
                "the value is not the one that was entered.",
            )
    there = [event["actor_id"] for event in by_step.get("draw.witness", ())]
    if there != ([row["witness_id"]] if row["witness_id"] else []):
        yield (
            "draw_event_differs",
            "在场的监督人员与事件所载不符。",
            "the supervisor who was present is not the one on record.",
        )


def _same_value(entered: str, row: dict[str, Any], record: Record) -> bool:
    assert record.value is not None
    if record.value.signature:
        return entered.strip().partition(" ")[0] == record.value.signature
    try:
        return figure_text(entered) == row["value"]
    except Explained:
        return False


def _seats(conn: psycopg.Connection[Any], row: dict[str, Any], record: Record) -> Iterator[_Told]:
    """The seats that people are invited to are those of the panels and the entries, no more and no fewer."""
    rounds = _rows(conn, _ROUNDS, row["id"])
    if sorted(each["project"] for each in rounds) != sorted(p.id for p in record.committed.projects):
        yield (
            "draw_rounds_differ",
            "所涉评审轮次与承诺的项目不符。",
            "its rounds are not those of the projects that were committed.",
        )
    if any((each["voided_at"] is not None) != (row["state"] == "void") for each in rounds):
        yield (
            "draw_rounds_differ",
            "评审轮次的效力与抽取的状态不符。",
            "some of its rounds stand and the draw does not, or the reverse.",
        )
    follows = {
        (panel.project, member, 0, rank)
        for panel in record.panels
        for rank, member in enumerate(panel.members, start=1)
    } | {
        (entry.project, successor, number, rank)
        for number, entry in enumerate(record.replacements, start=1)
        for rank, successor in enumerate(entry.successors, start=1)
    }
    stored = {tuple(seat) for seat in conn.execute(_SEATS, {"id": row["id"]}).fetchall()}
    for project, expert, *_ in sorted(stored - follows, key=str):
        yield (
            "draw_seat_differs",
            f"项目 {project} 的席位有 {expert}，而不是抽取所得的位置。",
            f"{expert} has a seat for project {project} that does not follow from the draw.",
        )
    for project, expert, *_ in sorted(follows - stored, key=str):
        yield (
            "draw_seat_differs",
            f"项目 {project} 的席位缺少 {expert}。",
            f"{expert} was drawn for project {project} and has no such seat.",
        )


def _rows(conn: psycopg.Connection[Any], sql: str, id: Any) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, {"id": id}).fetchall()


__all__ = ["DrawFault", "check_draws"]
