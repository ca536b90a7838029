"""The words of every mail in Chinese and English, checked at start-up, filled without a way to do harm.

``words/zh*.toml`` and ``words/en*.toml`` hold a subject, what happened and what the reader has to do for each
template, and one frame around them. To add a notification: name a template in a step's ``notify`` and write
it in both files.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from config.programmes import Programme
from states.labels import STATES, every_step
from states.machines import UnknownName

WORDS = Path(__file__).with_name("words")
LOCALES = ("zh", "en")
# Mails that no step notifies of: flows queue them, or the web for who wants to log in.
QUEUED_BY_FLOWS = (
    "deadline_reminder",
    "payment_blocked",
    "panel_short",
    "daily_seal",
    "login_code",
    "bank_exceptions",
    "delegation_begins",
    "delegation_ends",
)
# Every name a template may use; ``milepost.mail.facts`` gives each of them a value.
NAMES = frozenset(
    {
        "actor", "amount", "award", "bank_file", "blocked", "closes", "code", "covered", "days_left",
        "doing", "due", "escalated", "expert", "finance", "grantee", "left", "link", "login_code",
        "milestone", "milestone_due", "milestone_title", "mine", "name", "number", "officer", "opens",
        "outcome", "owed", "provisional", "reason", "reference", "requested", "root", "sealed_on", "size",
        "state", "state_label", "title",
        "tranche", "unit", "until", "waiting_for",
        # Of a delegation.
        "accepted", "delegate", "delegator", "first_day", "last_day", "to_me",
        # Of an account that changed.
        "account", "old_account", "rests",
        # Of a payment that was paid.
        "account_tail", "bank_reference", "capitals", "money_note", "next_payment", "paid_for", "paid_on",
    }
)  # fmt: skip
_FRAME_NAMES = NAMES | {"subject", "happened", "todo"}
_BLANK_LINES = re.compile(r"[ \t]*\n(?:[ \t]*\n)+")


class WordsWrong(ValueError):
    """The words of mails do not fit the product. Says where and what would be right."""


@dataclass(frozen=True, slots=True)
class Words:
    """One template in one language, compiled."""

    subject: Template
    happened: Template
    todo: Template


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All templates of one language, the frame around them, and what is waited for in each state."""

    mails: Mapping[str, Words]
    frame_subject: Template
    frame_body: Template
    waiting: Mapping[str, str]


def _environment() -> ImmutableSandboxedEnvironment:
    # Plain text needs no escaping; what is unsafe in a header or a frame is taken out of the values.
    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)


def _compile(where: str, text: str, names: frozenset[str]) -> Template:
    environment = _environment()
    try:
        unknown = meta.find_undeclared_variables(environment.parse(text)) - names
        template = environment.from_string(text.strip())
    except TemplateSyntaxError as error:
        raise WordsWrong(f"{where}: {error.message}") from error
    if unknown:
        raise WordsWrong(
            f"{where} uses {', '.join(sorted(unknown))}; these names exist: {', '.join(sorted(names))}"
        )
    return template


@lru_cache
def catalogue(locale: str) -> Catalogue:
    """The words of one language. A template that cannot be filled stops here, before any mail."""
    mails: dict[str, Words] = {}
    waiting: dict[str, str] = {}
    frame: dict[str, Template] = {}
    # The language's own file, and one for each area that has many words: en.toml, en_budget.toml, …
    for path in sorted(WORDS.glob(f"{locale}*.toml")):
        found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        said = found.get("mail", {})
        if twice := mails.keys() & said.keys() | waiting.keys() & found.get("waiting", {}).keys():
            raise WordsWrong(f"{path.name}: said elsewhere already: {', '.join(sorted(twice))}")
        for name, parts in said.items():
            where = f"{path.name}: mail.{name}"
            if not {"subject", "happened"} <= set(parts) <= {"subject", "happened", "todo"}:
                raise WordsWrong(f"{where} has subject, happened and perhaps todo, and nothing else")
            compiled = [_compile(f"{where}.{p}", parts.get(p, ""), NAMES) for p in Words.__slots__]
            mails[name] = Words(*compiled)
        waiting |= found.get("waiting", {})
        for name, text in found.get("frame", {}).items():
            frame[name] = _compile(f"{path.name}: frame.{name}", text, _FRAME_NAMES)
    return Catalogue(mails, frame["subject"], frame["body"], waiting)


def template_names() -> frozenset[str]:
    """The templates that exist."""
    return frozenset(catalogue("zh").mails)


def known_template(name: str) -> str:
    """The name, if there is such a template; otherwise an error that lists those that exist."""
    if name not in catalogue("zh").mails:
        raise UnknownName("mail template", name, template_names())
    return name


def check_templates(programmes: Iterable[Programme] = ()) -> None:
    """Every template that a step, a flow or a programme's reminder names exists in both languages.

    Run at start-up. Also checks that every state somebody can be waited for in has its words.
    """
    zh, en = catalogue("zh"), catalogue("en")
    if odd := set(zh.mails) ^ set(en.mails):
        raise WordsWrong(f"zh and en differ in: {', '.join(sorted(odd))}")
    named = {notify.template for step in every_step().values() for notify in step.notify}
    named.update(QUEUED_BY_FLOWS)
    named.update(reminder.template for programme in programmes for reminder in programme.reminders)
    for name in sorted(named):
        known_template(name)
    for locale, words in (("zh", zh), ("en", en)):
        for state in sorted(waiting_states() - set(words.waiting)):
            raise WordsWrong(f"{locale}.toml: waiting has no words for {state!r}")


def waiting_states() -> frozenset[str]:
    """Every "noun.state" that some step leaves by: where a deadline may run."""
    left = {f"{step.noun}.{a}" for step in every_step().values() for a, b in step.pairs() if a and a != b}
    named = {f"{noun}.{state}" for noun, states in STATES.items() for state in states}
    return frozenset(left & named)


def render(locale: str, template: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """The subject in one line and the body of a mail."""
    words = catalogue(locale if locale in LOCALES else "zh")
    mail = words.mails[known_template(template)]
    filled = {
        **values,
        "subject": _one_line(mail.subject.render(values)),
        "happened": mail.happened.render(values).strip(),
        "todo": mail.todo.render(values).strip(),
    }
    body = _BLANK_LINES.sub("\n\n", words.frame_body.render(filled)).strip() + "\n"
    return _one_line(words.frame_subject.render(filled)), body


def _one_line(text: str) -> str:
    return " ".join(text.split())


__all__ = [
    "NAMES", "QUEUED_BY_FLOWS", "Catalogue", "WordsWrong", "catalogue", "check_templates", "known_template",
    "render", "template_names", "waiting_states",
]  # fmt: skip
