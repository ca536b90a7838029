"""What a draw, an invitation and a vacant seat are decided by, read from the pool in one query each."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from config.programmes import Panel
from milepost.cases import person_roles
from milepost.clock import OFFICE_ZONE
from milepost.experts.beacon import CHAINS, PublicValue, check_value, drand_value, figure_text
from milepost.experts.conflicts import BAN_RULE
from milepost.experts.fitness import ABSENT, BANNED, USED, of_year
from milepost.experts.links import invitation_key
from schema.inputs import AnnounceDraw, Succeed
from states.case import Case
from states.commitment import DrandSource, alias_of
from states.draws import committed_of
from states.guards import reviews_as_expert

# How a task that ended without a review is called in a draw's replacement entries (``states.drawing``).
GONE = {"declined": "declined", "recused": "recused", "taken_away": "conflict", "replaced": "absent"}
LEFT = tuple(GONE)

# Everybody who may be drawn on a day: in the pool, with an account, not banned, not away, with work left.
POOL = f"""
SELECT x.person_id::text AS id, x.kinds, x.region, x.yearly_load,
       coalesce((SELECT a.unit_key FROM affiliation a WHERE a.person_id = x.person_id
                  AND (a.from_on IS NULL OR a.from_on <= %(day)s) AND (a.to_on IS NULL OR a.to_on >= %(day)s)
                ORDER BY a.from_on DESC NULLS LAST, a.id LIMIT 1), '') AS institution,
       ARRAY(SELECT f.code FROM expert_field f WHERE f.person_id = x.person_id ORDER BY f.code) AS fields,
       coalesce(u.used, 0) AS used
  FROM expert x JOIN person n ON n.id = x.person_id AND n.active
  LEFT JOIN ({USED} GROUP BY t.expert_id) u ON u.expert_id = x.person_id
 WHERE x.active AND NOT {BANNED} AND NOT {ABSENT}
 ORDER BY x.person_id"""


def region_of(path: str, depth: int) -> str:
    """The first levels of an office's path: /guangxi/liuzhou/yufeng/ is of the region /guangxi/liuzhou/."""
    parts = [part for part in path.split("/") if part][:depth]
    return "/" + "".join(f"{part}/" for part in parts) if parts else ""


def pool_on(conn: psycopg.Connection[Any], day: date, panel: Panel) -> list[dict[str, Any]]:
    """The pool's snapshot on a day, as a draw commits to it."""
    return [
        {
            "id": row["id"],
            "kinds": sorted(row["kinds"]),
            "institution": row["institution"],
            "region": region_of(row["region"], panel.region_depth),
            "fields": list(row["fields"]),
            "capacity": max(0, row["yearly_load"] - row["used"]),
        }
        for row in _rows(conn, POOL, {"day": day, **of_year(day.year)})
    ]


def coded(pool: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The pool with a number in place of each institution: a published record names nobody's employer.

    Institutions are only compared with one another; they are numbered as the pool, by id, meets them.
    """
    numbers: dict[str, str] = {"": ""}
    for row in pool:
        numbers.setdefault(row["institution"], f"u{len(numbers)}")
    return [{**row, "institution": numbers[row["institution"]]} for row in pool]


def draw_salt(conn: psycopg.Connection[Any], draw_id: UUID) -> bytes:
    """A draw's own salt: it follows from the draw's id under the installation's key."""
    return hmac.new(invitation_key(conn), b"draw\0" + draw_id.bytes, hashlib.sha256).digest()


def people_by_alias(conn: psycopg.Connection[Any], salt: bytes | None) -> dict[str, str]:
    """Everybody of the pool by what a draw with that salt calls them."""
    found = conn.execute("SELECT person_id::text FROM expert").fetchall()
    return {alias_of(salt, id): id for (id,) in found}


def _shown(row: Mapping[str, Any], salt: bytes | None, digits: int) -> dict[str, Any]:
    """Somebody of the pool as a record shows them: of their subjects no more than is compared."""
    fields = row["fields"] if not salt else sorted({code[:digits] for code in row["fields"]} - {""})
    return {**row, "id": alias_of(salt, row["id"]), "fields": fields}


def _named(barred: Mapping[str, str], salt: bytes | None) -> dict[str, str]:
    """Who is barred by the draw's names; by which rule is no part of a record that hides who it is."""
    return {alias_of(salt, id): "conflict" if salt else rule for id, rule in barred.items()}


def draw_basis(conn: psycopg.Connection[Any], case: Case) -> dict[str, Any]:
    """The pool, the projects and their conflicts, and what speaks against drawing for them."""
    given: AnnounceDraw = case.input
    review = case.programme.review
    if review is None:
        return {
            "unknown": 0,
            "drawn": [],
            "undescribed": [],
            "pool": [],
            "projects": [],
            "salt": None,
            "previous": None,
            "replaces_void": False,
            "hidden": [],
            "beacon": {},
        }
    rounds = _rows(
        conn,
        """SELECT r.id::text AS round, p.id::text AS id, p.code, p.office_path, d.fields,
                  (SELECT q.draw_id FROM draw_round q
                    WHERE q.round_id = r.id AND q.voided_at IS NULL) AS drawn,
                  (SELECT q.draw_id FROM draw_round q JOIN draw w ON w.id = q.draw_id
                    WHERE q.round_id = r.id AND q.voided_at IS NOT NULL
                    ORDER BY w.announced_at DESC, w.id LIMIT 1) AS before,
                  ARRAY(SELECT t.expert_id::text FROM task t WHERE t.round_id = r.id
                         AND t.state IN ('invited', 'accepted', 'late', 'submitted') ORDER BY 1) AS kept
             FROM round r JOIN project p ON p.id = r.project_id
             JOIN programme_version v ON v.id = p.programme_id
             LEFT JOIN dossier d ON d.project_id = p.id
            WHERE r.id = ANY(%(rounds)s) AND r.state = 'open' AND v.code = %(code)s
              AND starts_with(p.office_path, %(office)s)
            ORDER BY p.code""",
        {"rounds": list(given.rounds), "code": case.programme.code, "office": given.office_path},
    )
    pool = pool_on(conn, case.today, review.panel)
    known = {row["id"] for row in pool}
    barred = conflicts(conn, [UUID(row["id"]) for row in rounds], [UUID(id) for id in known], case.today)
    before = _before(conn, given.replaces)
    # The draws of one line call everybody the same, so that who stays can be followed from record to record.
    salt = before["salt"] if before else draw_salt(conn, case.subject_id)
    digits = review.panel.field_digits
    return {
        "salt": salt,
        "beacon": beacon_of(given, case),
        "committed_at": case.now.astimezone(OFFICE_ZONE).isoformat(timespec="seconds"),
        "unknown": len(set(given.rounds)) - len(rounds),
        "drawn": [row["code"] for row in rounds if row["drawn"]],
        "undescribed": [row["code"] for row in rounds if not row["fields"]],
        "pool": coded(sorted((_shown(row, salt, digits) for row in pool), key=lambda row: row["id"])),
        "projects": [
            {
                "id": row["id"],
                "round": row["round"],
                # A project is always somewhere, if only in the whole.
                "region": region_of(row["office_path"], review.panel.region_depth) or "/",
                "fields": row["fields"] or [],
                "excluded": _named(barred.get(row["id"], {}), salt),
                "kept": [
                    alias_of(salt, id)
                    for id in row["kept"]
                    if id in known and id not in barred.get(row["id"], {})
                ],
            }
            for row in rounds
        ],
        "previous": before,
        "replaces_void": before is not None
        and before["state"] == "void"
        and any(row["before"] == given.replaces for row in rounds),
        # A draw that does not name the one before it for a round would hide it.
        "hidden": [row["code"] for row in rounds if row["before"] not in (None, given.replaces)],
    }


def beacon_of(given: AnnounceDraw, case: Case) -> dict[str, Any]:
    """The round of a public beacon that was named: "quicknet 30000000"; empty for a figure."""
    if given.source_kind != "drand":
        return {}
    name, _, number = given.source_name.partition(" ")
    known = {chain.name: (hash, chain) for hash, chain in CHAINS.items()}
    if name not in known or not number.isdigit():
        return {"problem": f"{given.source_name} ({', '.join(known)})"}
    hash, chain = known[name]
    if chain.appears_s(int(number)) <= case.now.timestamp():
        return {"problem": f"{number} ≤ {chain.first_round_from(case.now)}"}
    return {"chain_hash": hash, "public_key": chain.public_key, "round": int(number)}


def value_of(conn: psycopg.Connection[Any], case: Case) -> dict[str, Any]:
    """The published value in its one exact form, what speaks against it, and who the draw's names are."""
    committed = committed_of(bytes(case.here["committed"]))
    taken = case.now.astimezone(OFFICE_ZONE).isoformat(timespec="seconds")
    try:
        if isinstance(committed.source, DrandSource):
            signature, _, previous = case.input.value.strip().partition(" ")
            value = drand_value(signature, taken, previous.strip())
        else:
            value = PublicValue(figure_text(case.input.value), taken)
    except ValueError as error:
        return {"text": "", "problem": str(error), "signed": {}}
    problems = [f"{finding.zh} {finding.en}" for finding in check_value(committed, value)]
    signed = {
        "taken_at": value.taken_at,
        "signature": value.signature,
        "previous_signature": value.previous_signature,
    }
    people = people_by_alias(conn, case.here["salt"])
    return {"text": value.text, "problem": " ".join(problems), "signed": signed, "people": people}


def _before(conn: psycopg.Connection[Any], id: UUID | None) -> dict[str, Any] | None:
    if id is None:
        return None
    found = _rows(
        conn,
        "SELECT commitment, state, salt, "
        "(convert_from(committed, 'UTF8')::jsonb->>'attempt')::int AS attempt FROM draw WHERE id = %(id)s",
        {"id": id},
    )
    return found[0] if found else None


def conflicts(
    conn: psycopg.Connection[Any], projects: Sequence[UUID], people: Sequence[UUID], day: date
) -> dict[str, dict[str, str]]:
    """Who may not review what: by project the people with the first rule that bars them, all as text.

    Whoever is banned is in no pool, so that bans are no part of it.
    """
    found = _rows(
        conn,
        "SELECT project_id::text AS project, person_id::text AS person, min(rule) AS rule "
        f"FROM review_conflicts(%(projects)s, %(people)s, %(day)s) WHERE rule <> '{BAN_RULE}' "
        "GROUP BY 1, 2 ORDER BY 1, 2",
        {"projects": list(projects), "people": list(people), "day": day},
    )
    barred: dict[str, dict[str, str]] = {}
    for row in found:
        barred.setdefault(row["project"], {})[row["person"]] = row["rule"]
    return barred


def invitee(conn: psycopg.Connection[Any], case: Case) -> dict[str, Any]:
    """Whether the expert who is to be invited is fit for work on this project today."""
    found = _rows(
        conn,
        f"""SELECT x.person_id IS NOT NULL AS pooled, coalesce(x.active, true) AS active,
                  coalesce(x.yearly_load, 0) AS yearly_load,
                  (SELECT max(b.until_on)::text FROM ban b WHERE b.person_id = n.id AND b.lifted_at IS NULL
                     AND %(day)s BETWEEN b.from_on AND b.until_on) AS banned_until,
                  (SELECT max(s.to_on)::text FROM absence s WHERE s.person_id = n.id
                     AND %(day)s BETWEEN s.from_on AND s.to_on) AS absent_until,
                  coalesce((SELECT u.used FROM ({USED} AND t.expert_id = %(expert)s
                    GROUP BY t.expert_id) u), 0) AS load_used,
                  ARRAY(SELECT c.rule FROM review_conflicts(ARRAY[%(project)s], ARRAY[n.id], %(day)s) c
                         WHERE c.rule <> '{BAN_RULE}' ORDER BY 1) AS conflicts
             FROM person n LEFT JOIN expert x ON x.person_id = n.id WHERE n.id = %(expert)s""",
        {
            "day": case.today,
            "project": case.of["id"],
            "expert": case.input.expert_id,
            **of_year(case.today.year),
        },
    )
    return found[0] if found else {"pooled": False, "conflicts": []}


def drawn_for(conn: psycopg.Connection[Any], round_id: UUID) -> list[str]:
    """Who was drawn for a round, successors included, by the draw that stands; nobody where there is none."""
    rows = conn.execute(
        "SELECT s.expert_id::text FROM draw_seat s JOIN draw_round r ON r.draw_id = s.draw_id "
        "AND r.round_id = s.round_id AND r.voided_at IS NULL WHERE s.round_id = %s ORDER BY 1",
        (round_id,),
    ).fetchall()
    return [row[0] for row in rows]


def seat(conn: psycopg.Connection[Any], case: Case) -> dict[str, Any] | None:
    """The seat that is to be filled again: whether it is vacant, and what has changed in the pool since."""
    given: Succeed = case.input
    found = _rows(
        conn,
        """SELECT s.rank, r.project_id::text AS project, t.state, p.office_path,
                  (SELECT array_agg(o.rule) FROM review_conflicts(ARRAY[r.project_id], ARRAY[s.expert_id],
                     %(day)s) o) AS conflicts
             FROM draw_seat s
             JOIN draw_round r ON r.draw_id = s.draw_id AND r.round_id = s.round_id AND r.voided_at IS NULL
             JOIN project p ON p.id = r.project_id
             LEFT JOIN task t ON t.round_id = s.round_id AND t.expert_id = s.expert_id
            WHERE s.draw_id = %(draw)s AND s.round_id = %(round)s AND s.expert_id = %(expert)s""",
        {"draw": case.subject_id, "round": given.round_id, "expert": given.expert_id, "day": case.today},
    )
    if not found:
        return None
    row = found[0]
    review = case.programme.review
    assert review is not None
    salt = case.here["salt"]
    people = people_by_alias(conn, salt)
    gone = alias_of(salt, str(given.expert_id))
    now = {alias_of(salt, each["id"]): each["capacity"] for each in pool_on(conn, case.today, review.panel)}
    pool = [str(each) for each in _committed_ids(conn, case.subject_id)]
    # Whom no invitation could reach any more leaves the seat vacant before there was one.
    roles = person_roles(conn, given.expert_id, UUID(row["project"]), row["office_path"])
    fit = bool(now.get(gone)) and not row["conflicts"] and reviews_as_expert(roles)
    vacant = row["state"] in LEFT or (row["state"] is None and not fit)
    rules = set(row["conflicts"] or ())
    for_a_ban = rules == {BAN_RULE} and row["state"] in (None, "taken_away")
    reason = GONE.get(row["state"] or "", "conflict" if rules else "barred") if not for_a_ban else "barred"
    asked = [UUID(people[name]) for name in pool]
    barred = conflicts(conn, [UUID(row["project"])], asked, case.today)
    return {
        "drawn": True,
        "gone": gone,
        "people": people,
        "at": case.now.astimezone(OFFICE_ZONE).isoformat(timespec="seconds"),
        "vacant": vacant,
        "succeeded": any(e["project"] == row["project"] and e["gone"] == gone for e in case.here["entries"]),
        "project": row["project"],
        "reason": reason,
        "remaining": {id: now.get(id, 0) for id in pool},
        "excluded": _named(barred.get(row["project"], {}), salt),
    }


def _committed_ids(conn: psycopg.Connection[Any], draw_id: UUID) -> list[str]:
    rows = conn.execute(
        "SELECT c->>'id' FROM draw, jsonb_array_elements(convert_from(committed, 'UTF8')::jsonb->'pool') c "
        "WHERE draw.id = %s",
        (draw_id,),
    ).fetchall()
    return [row[0] for row in rows]


def _rows(conn: psycopg.Connection[Any], sql: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, params).fetchall()


__all__ = [
    "GONE",
    "LEFT",
    "coded",
    "conflicts",
    "draw_basis",
    "drawn_for",
    "invitee",
    "pool_on",
    "region_of",
    "seat",
    "value_of",
]
