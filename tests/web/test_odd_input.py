"""No address and no input breaks a page or the API: what cannot be read is refused, whoever sends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import cycle
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from milepost.decisions import PARENT
from states.labels import every_step
from tests.web.conftest import Site
from tests.web.test_access import routes

WORDS = ("after", "search", "state", "year", "programme", "office", "call", "places", "budget", "done")
# A character that no text has, numbers beyond what is kept, days that are none, keys of pages that are none.
ODD = ("\0", "2147483648", "99999999999999999999", "0", "-1", "2025-02-30", "～", "~", "²", "x" * 300, "zzz")
GIVEN: tuple[Any, ...] = (
    *(None, 5, 1.5, True, 10**30, "", "x", "a\0b", "\ud800", "2025-02-30", "9999-12-31"),
    *([], [None], [5], ["\ud800"], ["0" * 64], [["x"]], [{"x": 1}], {}, {"a": 1}, {"\ud800": 1}, "JPY", "/"),
)


def places(site: Site) -> dict[str, str]:
    """One subject of each noun that is easily had."""
    world = site.world
    project, payment = world.payment_at("settled")
    finance, officer = "finance_officer", "programme_officer"
    purse = world.value("SELECT id FROM appropriation LIMIT 1")
    owed = {"ground": "surplus", "legal_basis": "x", "decision_no": "y", "due_on": "2099-01-01"}
    made = {
        "project": project,
        "payment": payment,
        "appropriation": purse,
        "budget_change": world.take(
            finance, "budget_change.increase", purse, amount_minor=5, reason="r"
        ).subject_id,
        "receivable": world.take(
            officer, "receivable.establish", project, amount_minor=100, **owed
        ).subject_id,
    }
    for noun in ("milestone", "payee", "round", "task", "notice"):
        made[noun] = world.value(f'SELECT id FROM "{noun}" WHERE project_id = %s LIMIT 1', project)
    return {noun: str(id) for noun, id in made.items()}


def addresses(site: Site, ids: dict[str, str]) -> Iterator[str]:
    """Every address that is read, with odd words in it and behind it."""
    odd = cycle(ODD)
    steps = cycle(sorted(every_step()))
    for name, _ in sorted(routes(site.app), key=lambda pair: pair[0]):
        method, path = name.split(" ")
        if method != "GET":
            continue
        for id in (*dict.fromkeys((ids["project"], ids["payment"])), "zzz"):
            filled = path.replace("{step}", next(steps)).replace("{noun}", "payment")
            for part in ("{id}", "{subject_id}", "{grant_id}", "{programme_id}"):
                filled = filled.replace(part, id)
            filled = filled.replace("{ending}", "csv").replace("{kind}", "order")
            for part in ("{digest}", "{year}", "{stage}", "{token}", "{opens_on}", "{commitment}"):
                filled = filled.replace(part, quote(next(odd), safe=""))
            words = "&".join(f"{word}={quote(next(odd), safe='')}" for word in WORDS)
            yield f"{filled}?{words}"


def inputs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each step with odd things in each of its fields, and with files where it asks for none."""
    odd = cycle(GIVEN)
    for name, step in sorted(every_step().items()):
        for _ in range(2):
            given = {field: next(odd) for field in (*step.input.model_fields, "documents")}
            yield name, {**given, "documents": next(odd)}


def test_odd_words_are_refused_and_break_nothing(site: Site) -> None:
    ids = places(site)
    readers = cycle([site.the("finance_officer"), site.the("programme_officer"), site.the("supervisor")])
    broken = [path for path in addresses(site, ids) if next(readers).get(path).status_code >= 500]
    for name, given in inputs():
        step = every_step()[name]
        noun = step.noun if step.source else PARENT[step.noun]
        if noun is not None and noun not in ids:
            continue
        path = f"/{noun}/{ids[noun]}/steps/{name}" if noun else f"/steps/{name}"
        headers = {"idempotency-key": uuid4().hex, "content-type": "application/json"}
        answer = next(readers).api("POST", path, content=json.dumps(given), headers=headers)
        broken += [f"{name} {given!r}"] if answer.status_code >= 500 else []
    assert broken == []


def test_what_could_be_neither_shown_nor_counted_is_refused(site: Site) -> None:
    """A sum in a currency that nobody knows would break every page that shows it."""
    programme = str(site.world.published.id)
    finance = site.the("finance_officer")
    vote = {"programme_id": programme, "fiscal_year": 2026, "amount_minor": 5, "currency": "CNY"}
    batch = {"programme_id": programme, "currency": "CNY", "execution_on": "2025-03-10"}
    for step, given in (
        ("appropriation.propose", {**vote, "currency": "ABC"}),
        ("appropriation.propose", {**vote, "office_path": "/cit"}),
        ("batch.make", {**batch, "currency": "JPY"}),
        ("batch.make", {**batch, "released_until": "9999-12-31"}),
    ):
        answer = finance.api("POST", f"/steps/{step}", json=given, headers={"idempotency-key": uuid4().hex})
        assert answer.status_code == 422, (step, given, answer.text)
        assert [r["code"] for r in answer.json()["refusals"]] == ["input_invalid"]
    assert finance.get("/appropriations").status_code == 200
