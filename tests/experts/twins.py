"""Two offices compared: what one reader gets of each, byte by byte, but for ids, hashes and tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email import message_from_bytes, policy

from milepost.actions import Actor
from milepost.mail.compose import compose
from milepost.mail.facts import load_letters
from milepost.mail.sending import MailSettings
from milepost.mail.templates import render
from tests.web.conftest import Site
from tests.web.direct import sweep

_TOKENS = re.compile(
    r"[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|"
    r'name="csrf" value="[^"]*"|set-cookie[^,]*|milepost-before=[^;]*'
)


def even(text: str) -> str:
    """A text with ids by their order of appearance, and without hashes and tokens."""
    names: dict[str, str] = {}
    return _TOKENS.sub(lambda found: names.setdefault(found[0], f"<{len(names)}>"), text)


def told(site: Site, actor: Actor | None, paths: Sequence[str]) -> dict[str, str]:
    """What comes back from each address, evened."""
    found = {}
    for path, answer in zip(paths, sweep(site, actor, paths), strict=True):
        headers = [pair for pair in answer.headers if pair[0] not in ("set-cookie", "content-length")]
        found[f"{len(found)} {even(path)}"] = even(f"{answer.status_code}\n{headers}\n{answer.text}")
    return found


def apart(
    sites: Sequence[Site], actors: Sequence[Actor | None], paths: Sequence[Sequence[str]], role: str
) -> list[str]:
    """What tells two sites apart for one reader: pages and mails."""
    seen = [told(site, actor, some) for site, actor, some in zip(sites, actors, paths, strict=True)]
    found = [
        f"{role} {path}: {where(seen[0].get(path, ''), seen[1].get(path, ''))}"
        for path in dict.fromkeys((*seen[0], *seen[1]))
        if seen[0].get(path) != seen[1].get(path)
    ]
    sent = [mails(site, actor) for site, actor in zip(sites, actors, strict=True)]
    return found + ([] if sent[0] == sent[1] else [f"{role}: mails {_first(*sent)}"])


def mails(twin: Site, actor: Actor | None) -> list[str]:
    """Every mail to somebody in the order in which it was owed, as it goes over the wire."""
    if actor is None:
        return []
    settings = MailSettings("127.0.0.1", 9)
    with twin.database.session() as session:
        owed = session.conn.execute(
            "SELECT id, created_at, next_attempt_at, context - 'subject' - 'deadline_id' FROM message "
            "WHERE recipient_id = %s ORDER BY created_at, template, id",
            (actor.id,),
        ).fetchall()
        today = session.clock.today()
        letters = {
            letter.id: letter
            for letter in load_letters(
                session.conn, [row[0] for row in owed], today=today, public_url=settings.public_url
            )
        }
    found = []
    for id, created, due, context in owed:
        letter = letters[id]
        subject, body = render(letter.locale, letter.template, letter.values)
        raw = compose(
            message_id=letter.message_id,
            sender=settings.sender,
            name=letter.name,
            address="reader@mail.example",
            subject=subject,
            body=body,
            locale=letter.locale,
            at=created,
        )
        parsed = message_from_bytes(raw, policy=policy.default)
        found.append(even(f"{created} {due} {context} {parsed.items()} {parsed.get_content()}"))
    return sorted(found)


def _first(one: list[str], other: list[str]) -> str:
    odd = sorted(set(one) ^ set(other))
    return f"{len(one)} / {len(other)}: {odd[0][:400] if odd else ''}"


def where(one: str, other: str) -> str:
    at = next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )
    return f"{one[max(0, at - 60) : at + 60]!r} / {other[max(0, at - 60) : at + 60]!r}"
