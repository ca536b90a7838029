"""What a slice of mails has to say, read in few queries however many, and nothing that must not leave.

Mail is read by whoever reads over a shoulder. So these facts have no account number, no name of an expert,
an evaluator or an objector, and no word that an expert or an objector wrote; a template cannot print what is
not here. An expert hears of a task by its signed link, and where the review is double-blind not by the
project's code.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from milepost.experts.links import code_of, invitation_key, shown_code, signed_link
from milepost.mail import delegation_facts
from milepost.mail.payment_facts import COLUMNS, JOINS, paid_values, shows_payments
from milepost.mail.templates import catalogue
from milepost.queries.reviews import blinded_programmes, reference
from schema.money import Money
from states.labels import choice_label, role_label, said, state_label
from states.reference import spaced
from states.refusals import CATALOGUE

GRANTEE = frozenset({"applicant", "principal_investigator"})
# Whose name stands in mails. Experts, evaluators and supervisors appear by their role alone.
NAMED = GRANTEE | {"programme_officer", "finance_officer"}
# Nouns whose reasons are confidential: written by experts, or about objectors.
SILENT = frozenset({"task", "round", "objection"})
REASON_MAX = 1500

_SQL = f"""
SELECT m.id, m.template, m.context, m.message_id, r.name, r.email, r.locale, r.active,
  coalesce(e.noun, d.noun) AS noun, e.to_state, e.role, e.body, a.name AS actor,
  p.id AS project_id, coalesce(p.code, '') AS code, coalesce(p.title, c.title, '') AS title,
  coalesce(p.unit_name, '') AS unit, p.currency AS project_currency, p.award_minor, p.requested_minor,
  s.number AS milestone, s.title AS milestone_title, s.due_on AS milestone_due,
  t.number AS tranche, y.amount_minor - y.offset_minor AS amount_minor, y.currency, n.opens_on, n.closes_on,
  d.due_on, d.provisional, d.who, o.to_state AS waiting_in,
  u.due_on AS until, u.provisional AS until_provisional, u.who AS until_who,
  own.account_no AS account, own.rests_until, before.account_no AS old_account,
  k.id AS own_task, k.state AS task_state, r.id AS recipient_id, p.programme_id,
  v.reference, v.amount_minor AS owed_minor, v.currency AS owed_currency,
  v.amount_minor - v.received_minor - v.written_off_minor - v.offset_minor
    - v.reserved_minor AS left_minor,
  ARRAY(SELECT DISTINCT g.role FROM role_grant g WHERE g.person_id = m.recipient_id
    AND g.revoked_at IS NULL AND (g.project_id = p.id OR starts_with(p.office_path, g.office_path))) AS roles,
  ARRAY(SELECT account_no FROM payee WHERE project_id = p.id) AS accounts, {COLUMNS},
  {delegation_facts.COLUMNS}
FROM message m
JOIN person r ON r.id = m.recipient_id
LEFT JOIN event e ON e.chain_id = m.chain_id AND e.seq = m.event_seq
LEFT JOIN person a ON a.id = e.actor_id
LEFT JOIN deadline d ON d.id = (m.context ->> 'deadline_id')::uuid
LEFT JOIN event o ON o.chain_id = d.chain_id AND o.seq = d.opened_seq
LEFT JOIN payment y ON y.id = CASE WHEN m.context ? 'payment_id' THEN (m.context ->> 'payment_id')::uuid
  WHEN coalesce(e.noun, d.noun) = 'payment' THEN coalesce(e.subject_id, d.subject_id) END
LEFT JOIN tranche t ON t.id = y.tranche_id
LEFT JOIN milestone s ON coalesce(e.noun, d.noun) = 'milestone'
  AND s.id = coalesce(e.subject_id, d.subject_id)
LEFT JOIN receivable v ON coalesce(e.noun, d.noun) = 'receivable'
  AND v.id = coalesce(e.subject_id, d.subject_id)
LEFT JOIN notice n ON coalesce(e.noun, d.noun) = 'notice' AND n.id = coalesce(e.subject_id, d.subject_id)
LEFT JOIN task k ON coalesce(e.noun, d.noun) = 'task' AND k.id = coalesce(e.subject_id, d.subject_id)
  AND k.expert_id = m.recipient_id
LEFT JOIN payee own ON e.noun = 'payee' AND own.id = e.subject_id
LEFT JOIN payee before ON before.id = (m.context ->> 'old_payee')::uuid
LEFT JOIN call c ON coalesce(e.noun, d.noun) = 'call' AND c.id = coalesce(e.subject_id, d.subject_id)
LEFT JOIN project p ON p.id = coalesce(m.chain_id, d.chain_id, y.project_id)
LEFT JOIN LATERAL (SELECT due_on, provisional, who FROM deadline x WHERE x.subject_id = e.subject_id
  AND x.chain_id = e.chain_id AND x.opened_seq = e.seq ORDER BY due_on LIMIT 1) u ON true
{JOINS}
{delegation_facts.JOINS}
WHERE m.id = ANY(%s)"""


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail before it is put into words: to whom, which template, and the values it may use."""

    id: UUID
    message_id: str
    name: str
    email: str
    locale: str
    active: bool
    template: str
    values: Mapping[str, Any]


def load_letters(
    conn: psycopg.Connection[Any], ids: Sequence[UUID], *, today: date, public_url: str
) -> list[Letter]:
    """The letters of some messages; one query for all of them, one more for each programme under review."""
    cursor = conn.execute(_SQL, (list(ids),))
    names = [column.name for column in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    own = [row for row in rows if row["own_task"] is not None]
    hidden = blinded_programmes(conn, [row["programme_id"] for row in own])
    for row in own:
        if row["programme_id"] in hidden:
            row["code"], row["unit"] = reference(row["own_task"]), ""
    key = invitation_key(conn) if own or any("login_code" in row["context"] for row in rows) else b""
    return [_letter(row, today, public_url, key) for row in rows]


def _link(row: Mapping[str, Any], today: date, public_url: str, key: bytes) -> str:
    """Where the reader goes on: an expert by a link of their own, that opens no log-in by itself."""
    if row["template"] == "bank_exceptions":
        return f"{public_url}/bank"
    if row["noun"] == "delegation":
        return f"{public_url}/delegations"
    if row["own_task"] is None and row["payment_id"] and shows_payments(row["roles"]):
        return f"{public_url}/payments/{row['payment_id']}"
    if row["own_task"] is None:
        return f"{public_url}/projects/{row['project_id']}" if row["project_id"] else public_url
    if row["task_state"] == "taken_away":
        return public_url
    return f"{public_url}/invitations/{signed_link(key, row['own_task'], row['recipient_id'], today)}"


def _letter(row: Mapping[str, Any], today: date, public_url: str, key: bytes) -> Letter:
    locale = row["locale"] if row["locale"] in ("zh", "en") else "zh"
    roles = frozenset(row["roles"])
    reader = {
        "grantee": bool(roles & GRANTEE),
        "officer": "programme_officer" in roles,
        "finance": "finance_officer" in roles,
        "expert": "expert" in roles,
    }
    values = {
        **reader,
        **_about(row, locale),
        **_event(row, locale, grantee=reader["grantee"]),
        **_waiting(row, locale, roles, today),
        "blocked": [_blocked(entry, locale) for entry in row["context"].get("codes", ())],
        **_delegation(row, locale),
        **_seal(row["context"]),
        **_bank(row["context"]),
        "name": one_line(row["name"]),
        "login_code": _login_code(row["context"], key),
        "link": _link(row, today, public_url, key),
    }
    return Letter(
        row["id"],
        row["message_id"],
        row["name"],
        row["email"],
        locale,
        row["active"],
        row["template"],
        values,
    )


def _about(row: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """The project, the milestone, the payment, the notice."""
    money = row["project_currency"]
    return {
        "code": one_line(row["code"]),
        "title": one_line(row["title"]),
        "unit": one_line(row["unit"]),
        "award": _sum(row["award_minor"], money, locale),
        "requested": _sum(row["requested_minor"], money, locale),
        "milestone": "" if row["milestone"] is None else str(row["milestone"]),
        "milestone_title": one_line(row["milestone_title"] or ""),
        "milestone_due": day(row["milestone_due"], locale),
        "tranche": "" if row["tranche"] is None else str(row["tranche"]),
        "amount": _sum(row["amount_minor"], row["currency"], locale),
        "owed": _sum(row["owed_minor"], row["owed_currency"], locale),
        "left": _sum(row["left_minor"], row["owed_currency"], locale),
        "reference": spaced(row["reference"] or ""),
        "paid_on": day(row["settled_on"], locale),
        **paid_values(row, locale),
        "opens": day(row["opens_on"], locale),
        "closes": day(row["closes_on"], locale),
        "account": _last_four(row["account"]),
        "old_account": _last_four(row["old_account"]),
        "rests": day(row["rests_until"], locale),
    }


def _last_four(account_no: str | None) -> str:
    """What of an account number may stand in a mail."""
    return "" if account_no is None else f"…{account_no.replace(' ', '')[-4:]}"


def _event(row: Mapping[str, Any], locale: str, *, grantee: bool) -> dict[str, Any]:
    """Who did what, and the reason they gave, where both may be told to this reader."""
    state, role = row["to_state"] or "", row["role"] or ""
    given: dict[str, Any] = json.loads(bytes(row["body"]))["input"] if row["body"] is not None else {}
    outcome = given.get("outcome") or given.get("finding")
    reason = given.get("reason") or given.get("opinion") or ("" if grantee else given.get("note")) or ""
    if row["noun"] in SILENT or (grantee and role == "supervisor"):
        reason = ""
    named = role in NAMED and row["actor"]
    return {
        "state": state,
        "state_label": said(state_label(row["noun"], state), locale) if state else "",
        "outcome": said(choice_label(outcome), locale) if outcome else "",
        "actor": one_line(row["actor"]) if named else said(role_label(role), locale) if role else "",
        "reason": quoted(without_accounts(str(reason), row["accounts"])),
    }


def _waiting(row: Mapping[str, Any], locale: str, roles: frozenset[str], today: date) -> dict[str, Any]:
    """The deadline a reminder is about, or the one that the event opened."""
    context, due = row["context"], row["due_on"]
    who = (row["who"] if due is not None else row["until_who"]) or []
    until = None if due is not None else row["until"]
    state = f"{row['noun']}.{row['waiting_in']}"
    covered = [offset for offset in context.get("covers", ()) if offset != context.get("days")]
    return {
        "due": day(due, locale),
        "days_left": (due - today).days if due is not None else 0,
        "doing": catalogue(locale).waiting.get(state, state) if due is not None else "",
        "escalated": bool(context.get("escalated")),
        "covered": len(covered),
        "until": day(until, locale),
        "provisional": bool(row["provisional"] or row["until_provisional"]),
        "mine": bool(roles & set(who)),
        "waiting_for": ("、" if locale == "zh" else ", ").join(said(role_label(r), locale) for r in who),
    }


def _delegation(row: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """Who acts for whom, and on which days."""
    found = delegation_facts.delegation_values(row)
    for name in ("delegator", "delegate"):
        found[name] = one_line(found[name] or "")
    return found | {name: day(found[name], locale) for name in ("first_day", "last_day")}


def _seal(context: Mapping[str, Any]) -> dict[str, str]:
    """A day's seal, as it is to be kept outside the office; its day stays as the export names it."""
    return {name: one_line(str(context.get(name, ""))) for name in ("sealed_on", "size", "root")}


def _bank(context: Mapping[str, Any]) -> dict[str, str]:
    """How many exceptions a file of the bank's gave."""
    return {name: one_line(str(context.get(name, ""))) for name in ("number", "bank_file")}


def _login_code(context: Mapping[str, Any], key: bytes) -> str:
    """A one-time code, which is written down in this mail only."""
    return shown_code(code_of(key, UUID(context["login_code"]))) if "login_code" in context else ""


def _blocked(entry: str | Mapping[str, Any], locale: str) -> dict[str, str]:
    """One shut gate in words: a code, or a refusal as ``Refusal.as_json`` writes it."""
    if isinstance(entry, str):
        words = CATALOGUE[entry]
        fact, remedy, who = said(words.fact, locale), said(words.remedy, locale), words.who
        # The figures are not known here; the page that the mail links to shows them.
        fact, remedy = (re.sub(r"\{\w+\}", "…", text) for text in (fact, remedy))
    else:
        fact, remedy, who = entry["fact"][locale], entry["remedy"][locale], tuple(entry["who"])
    join = "、" if locale == "zh" else ", "
    return {
        "fact": one_line(fact),
        "remedy": one_line(remedy),
        "who": join.join(said(role_label(role), locale) for role in who),
    }


# -- values in words -----------------------------------------------------------------------------------------


def day(value: date | None, locale: str) -> str:
    """A day as people write it: 2025年6月1日, 1 June 2025."""
    if value is None:
        return ""
    if locale == "zh":
        return f"{value.year}年{value.month}月{value.day}日"
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def _sum(minor: int | None, currency: str | None, locale: str) -> str:
    return "" if minor is None or currency is None else Money(minor, currency).format(locale)


def one_line(text: str) -> str:
    """The text in one line without control characters, so that it cannot begin a header or a paragraph."""
    printable = "".join(c if unicodedata.category(c) not in ("Cc", "Cf", "Cs") else " " for c in text)
    return " ".join(printable.split())


def quoted(text: str) -> str:
    """What somebody typed, each line marked as quoted, so that it cannot pass for the system's own words."""
    lines = [one_line(line) for line in text[:REASON_MAX].splitlines()]
    more = ["…"] if len(text) > REASON_MAX else []
    return "\n".join(f"> {line}" for line in [*(line for line in lines if line), *more])


# Nine digits and more, in groups or not, with the country and check digits of an IBAN: no date is that long.
_LONG_NUMBER = re.compile(r"(?:[A-Za-z]{2}[0-9]{2})?[ ]?[0-9](?:[  -]?[0-9]){8,}")
_DATES = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def without_accounts(text: str, accounts: Sequence[str]) -> str:
    """The text with the project's account numbers, and whatever looks like one, cut to four digits."""
    for account in sorted(accounts, key=len, reverse=True):
        bare = account.replace(" ", "")
        if not bare:
            continue
        loose = r"[\s-]*".join(map(re.escape, bare))
        text = re.sub(loose, f"…{bare[-4:]}", text, flags=re.IGNORECASE)
    parts, at = [], 0
    for found in _DATES.finditer(text):
        parts += [_masked(text[at : found.start()]), found.group()]
        at = found.end()
    return "".join([*parts, _masked(text[at:])])


def _masked(text: str) -> str:
    return _LONG_NUMBER.sub(lambda found: f"…{found.group()[-4:]}", text)


__all__ = ["Letter", "day", "load_letters", "one_line", "quoted", "without_accounts"]
