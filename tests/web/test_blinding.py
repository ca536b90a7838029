"""What is confidential appears to nobody else: in no page, refusal, header, file name or answer of the API.

Every route that exists is read by every role, with the ids of everything there is and of what is not there,
in both languages; what comes back is opened and searched for every mark that this reader may not see.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from itertools import product
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

from milepost.actions import Actor
from milepost.cli.app import app
from milepost.decisions import PARENT
from milepost.embedded import EmbeddedPostgres
from milepost.evidence.export import export_evidence
from milepost.mail.outbox import deliver_due
from milepost.mail.sending import MailSettings
from milepost.mail.sink import MailSink
from milepost.work.reminders import send_reminders
from milepost.work.sealing import seal
from schema.nouns import NOUNS
from states.labels import every_step
from tests.web.blinding_scene import MOST, BlindingSite, Secret, blinding_site, fresh_database, traces
from tests.web.conftest import Reader, Site
from tests.web.direct import sweep
from tests.web.test_access import routes

pytestmark = pytest.mark.xdist_group("blinding")

NATURAL = {
    "projects": "project",
    "tasks": "task",
    "payments": "payment",
    "people": "person",
    "experts": "person",
    "programmes": "programme_version",
    "rankings": "programme_version",
    "matching": "programme_version",
    "draws": "draw",
    "bank": "batch",
    "receivables": "receivable",
    "public": "notice",
}
"""What the id in an address is an id of, by the address's first word."""
WORDS = {
    "year": ("2025", "1999"),
    "kind": ("order", "voucher", "advice", "love"),
    "ending": ("csv", "xlsx", "exe"),
    "stage": ("remote_review", "panel_review", "nothing"),
}
"""What else stands in addresses. A route with a part that nothing fills is an error: it is not tried."""
CLOSED = ("a", "b", "c", "d", "e")
"""The projects with which the second officer has a conflict of interest."""


@pytest.fixture(scope="module")
def scene(
    server: EmbeddedPostgres, template: str, password_hash: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BlindingSite]:
    folder: Path = tmp_path_factory.mktemp("blinding")
    with fresh_database(server, template) as database, blinding_site(database, password_hash, folder) as site:
        yield site


def addresses(site: BlindingSite) -> Iterator[str]:
    """Every address of every route that is read: right ids, ids of other kinds, ids of nothing."""
    subjects = site.subjects()
    nowhere = str(uuid4())
    one_each = [ids[0] for ids in subjects.values() if ids] + [nowhere]
    digest = site.world.value("SELECT sha256 FROM document LIMIT 1")
    for name, _ in sorted(routes(site.app), key=lambda route: route[0]):
        method, path = name.split(" ")
        if method != "GET":
            continue
        if path == "/invitations/{token}":
            yield from site.links()
            continue
        if path in ("/go/{noun}/{id}", "/api/v1/{noun}/{subject_id}/available"):
            for noun in NOUNS:
                ids = subjects[noun] if noun == "task" or "go" not in path else subjects[noun][:3]
                for id in (*ids, nowhere, subjects["person"][0]):
                    yield path.replace("{noun}", noun).replace("{id}", id).replace("{subject_id}", id)
        elif path == "/{noun}/{id}/documents/{digest}":
            for noun in NOUNS:
                for id in (*subjects[noun][:2], nowhere):
                    for wanted in (digest, "0" * 64):
                        yield f"/{noun}/{id}/documents/{wanted}"
        elif path.startswith("/steps/"):
            yield from _step_pages(site, path, subjects, nowhere)
        else:
            parts = re.findall(r"{(\w+)(?::\w+)?}", path)
            ids = [*subjects[_noun_of(path)], *one_each] if "id" in parts else []
            fill = {**site.named, **WORDS, "digest": [digest], "id": list(dict.fromkeys(ids))}
            # What is no id of that kind is tried once; what is, with everything else an address may say.
            kin = len(ids) - len(one_each) if ids else 1
            for values in product(*(fill[part] for part in parts)):
                id = values[parts.index("id")] if ids else ""
                first = all(v == fill[part][0] for part, v in zip(parts, values, strict=True) if part != "id")
                if first or not ids or id in fill["id"][:kin]:
                    yield re.sub(r"{\w+(?::\w+)?}", "{}", path).format(*values)
    yield from _asking(site)


def _noun_of(path: str) -> str:
    """What an address is of: by its first word, which is the noun in the plural unless it is told above."""
    word = path.removeprefix("/api/v1").split("/")[1]
    return NATURAL.get(word) or word.removesuffix("s")


def _step_pages(site: BlindingSite, path: str, subjects: dict[str, list[str]], nowhere: str) -> Iterator[str]:
    tried = [str(site.projects[which]) for which in ("a", "c", "d", "e", "p")]
    for number, (name, step) in enumerate(every_step().items()):
        if "{subject_id}" not in path:
            yield f"/steps/{name}"
            continue
        over = step.noun if step.source else PARENT[step.noun]
        ids = tried if over == "project" else subjects[over] if over else []
        turn = number % len(ids) if ids else 0
        yield from (f"/steps/{name}/{id}" for id in ([*ids, *ids][turn : turn + 2] if ids else [nowhere]))


def _asking(site: BlindingSite) -> Iterator[str]:
    """Questions that a list answers: they may not answer what the list does not show."""
    for project in site.projects.values():
        yield f"/projects/{project}?before=9"
    yield "/experts?standing=banned"
    yield "/experts?kind=finance"
    yield "/projects?search=zq"
    yield "/api/v1/projects?search=zq"


GRANTEES = ("applicant", "principal_investigator")
OFFICE = ("programme_officer", "supervisor")
KIN = ("officer_conflicted", "supervisor_conflicted")
"""Of the office, and of the unit that applies: to them its reviews are closed, and others are not."""
BESIDE = ("finance_officer", "finance_conflicted", "counsel", "counsel_conflicted")
"""Of the office, and with no part in reviews."""
PERSON = ("id", "name", "entry", "side", "phone")


@dataclass
class Rules:
    """Which mark which reader may see, and where."""

    site: BlindingSite
    role: str
    actor: Actor | None
    closed: frozenset[UUID]
    of_closed: frozenset[str]
    neighbours: frozenset[UUID]

    def may(self, secret: Secret, path: str) -> bool:
        """Whether a mark may stand in what comes from an address."""
        if path.startswith("/public/"):
            # A draw's record, which anybody can recompute, knows no expert, not even by id.
            if path.startswith("/public/draws"):
                return (secret.kind, secret.field) == ("draw", "draw")
            # The law wants the unit and the leader of what is proposed named, and nobody who judged it.
            return secret.kind == "applicant" and secret.field[:4] in ("unit", "lead", "code")
        role, own = self.role, self.actor is not None and secret.owner == self.actor.id
        if own or secret.kind == "plain":
            return True
        if role in OFFICE:
            return secret.kind != "draft" and (secret.kind != "phone" or role == "programme_officer")
        if secret.kind in PERSON:
            return self._person(secret, path)
        if secret.kind in ("work", "unsuitable") and role not in GRANTEES:
            return role in KIN and secret.project not in self.closed
        if secret.kind in ("request", "unsuitable"):
            return role in GRANTEES
        if secret.kind == "draw":
            return role in KIN
        if secret.kind == "applicant":
            if role == "evaluator":
                return secret.project in (None, self.site.projects["c"])
            return role in (*GRANTEES, *KIN, *BESIDE)
        return False

    def _person(self, secret: Secret, path: str) -> bool:
        if self.role in KIN:
            shown = secret.kind != "phone" or self.role == "officer_conflicted"
            return shown and not traces(path) & self.of_closed
        if self.role == "officer_elsewhere":
            return path.startswith("/experts") and secret.owner in self.neighbours
        if self.role == "administrator":
            return path.startswith(("/people", "/experts")) and secret.kind not in ("side", "phone")
        return False


def rules_for(site: BlindingSite, role: str, actor: Actor | None) -> Rules:
    closed = frozenset(site.projects[name] for name in CLOSED)
    of_closed = {str(id) for id in closed}
    for noun, kept in NOUNS.items():
        if kept.of_project and noun != "project":
            rows = site.world.rows(f'SELECT id FROM "{noun}" WHERE project_id = ANY(%s)', list(closed))
            of_closed |= {str(row[0]) for row in rows}
    region = "SELECT person_id FROM expert WHERE region = '/neighbour/'"
    neighbours = frozenset(row[0] for row in site.world.rows(region))
    return Rules(site, role, actor, closed, frozenset(of_closed), neighbours)


def leaks(rules: Rules, paths: Sequence[str], locale: str = "en") -> list[str]:
    """Every mark that came back and may not have: the address, the field, whose it is."""
    marks, found = rules.site.marks.made, []
    for path, answer in zip(paths, sweep(rules.site, rules.actor, paths, locale), strict=True):
        asked = traces(path, 0)
        for mark in sorted((traces(str(answer.headers), 0) | traces(answer.content)) - asked):
            secret = marks.get(mark)
            if secret is not None and not rules.may(secret, path):
                found.append(f"{path} {answer.status_code}: {secret.kind}.{secret.field} {mark}")
        hidden = [m for m in asked if m in marks and not rules.may(marks[m], path)]
        if hidden and answer.status_code not in ((303, 401, 404) if rules.actor is None else (404,)):
            found.append(f"{path} {answer.status_code}: answered")
    return found


@pytest.mark.parametrize("role", [
    "applicant", "applicant_other", "principal_investigator", "expert_fellow", "expert_gone", "expert_free",
    "finance_officer", "counsel", "evaluator", "administrator", "officer_conflicted", "officer_elsewhere",
    "programme_officer", "supervisor", "anonymous",
    "supervisor_conflicted", "finance_conflicted", "counsel_conflicted",
])  # fmt: skip
def test_no_route_shows_a_reader_what_is_hidden_from_them(scene: BlindingSite, role: str) -> None:
    actor = scene.readers[role]
    assert leaks(rules_for(scene, role, actor), list(addresses(scene))) == []


def test_who_holds_a_link_and_has_not_logged_in_learns_nothing_from_it(scene: BlindingSite) -> None:
    """Links of every task, whatever became of it: one answer for all of them, by page and by form."""
    links = scene.links()
    states = {row[0] for row in scene.world.rows("SELECT state FROM task")}
    assert {"accepted", "submitted", "declined", "recused", "replaced", "taken_away", "late"} <= states
    rules, answers = rules_for(scene, "anonymous", None), set()
    with scene.anonymous().client as client:
        for link in links:
            for answer in (
                client.get(link, headers={"accept-language": "en"}),
                client.get(f"{link}?sent=1", headers={"accept-language": "en"}),
                *(
                    client.post(
                        f"{link}/{what}", data={"csrf": client.cookies["milepost-before"], "code": "x"}
                    )
                    for what in ("code", "enter")
                ),
            ):
                told = f"{answer.status_code} {answer.headers} {answer.text}".replace(link, "LINK")
                shown = traces(told) & scene.marks.made.keys()
                assert [scene.marks.made[m] for m in shown if not rules.may(scene.marks.made[m], link)] == []
                answers.add(re.sub(r"set-cookie[^,]*", "", told))
    assert len(answers) == 4, "a page before and after a code was asked for, and two posts"


@contextmanager
def _reading(scene: BlindingSite, actor: Actor | None, locale: str = "en") -> Iterator[Reader]:
    reader = scene.anonymous() if actor is None else scene.reader(actor, locale)
    with reader.client:
        yield reader


def test_the_marks_are_found_where_they_may_be(scene: BlindingSite) -> None:
    """The search finds something: an officer and an expert see most of what the others do not."""
    seen: dict[str, set[str]] = {}
    for role in ("programme_officer", "expert_fellow"):
        with _reading(scene, scene.readers[role]) as reader:
            pages = ["/", "/experts", *(f"/projects/{id}" for id in scene.projects.values())]
            pages += [f"/{kind}/{id}" for kind in ("tasks", "experts") for id in _own(scene, role, kind)]
            seen[role] = set().union(*(traces(reader.get(page).text) for page in pages))
    made = scene.marks.made
    for role, kinds in (
        ("programme_officer", {"name", "entry", "side", "phone", "work", "objector", "applicant", "id"}),
        ("expert_fellow", {"draft", "work"}),
    ):
        assert kinds <= {made[mark].kind for mark in seen[role] & made.keys()}, role
    scores = {mark for mark, secret in made.items() if secret.field == "score"}
    assert len(seen["programme_officer"] & scores) > 10
    assert traces(base64.b64encode(b"a zqname1zz word")) == {"zqname1zz"}


def _own(scene: BlindingSite, role: str, kind: str) -> list[str]:
    ids = scene.subjects()["task" if kind == "tasks" else "person"]
    return ids if (role == "expert_fellow") == (kind == "tasks") else []


@pytest.mark.parametrize("role", ["applicant", "officer_conflicted", "expert_fellow", "administrator"])
def test_pages_hide_the_same_in_chinese(scene: BlindingSite, role: str) -> None:
    actor = scene.readers[role]
    rules = rules_for(scene, role, actor)
    pages = [path for path in addresses(scene) if not path.startswith(("/api/", "/steps/", "/go/"))]
    assert leaks(rules, pages, "zh") == []


def test_refusals_of_steps_say_nothing_that_is_hidden(scene: BlindingSite) -> None:
    """Steps that are not possible are tried all the same, by page, by call and in a batch."""
    rows = scene.world.rows(
        "SELECT id, expert_id, state FROM task WHERE project_id = %s", scene.projects["b"]
    )
    for role in ("applicant", *KIN, "expert_fellow", "expert_gone", "expert_free"):
        actor = scene.readers[role]
        assert actor is not None
        rules = rules_for(scene, role, actor)
        tried = [
            ("task", str(id), f"task.{step}") for id, *_ in rows for step in ("submit", "accept", "replace")
        ]
        tried += [
            ("project", str(scene.projects["a"]), f"project.{step}") for step in ("conclude_remote_review",)
        ]
        tried += [("project", str(scene.projects["d"]), "project.conclude_notice")]
        with _reading(scene, actor) as reader:
            csrf = reader.csrf()
            for noun, id, step in tried:
                given = {"scores": {"novelty": MOST + 1}, "comment": "c"} if step == "task.submit" else {}
                key = {"idempotency-key": f"{role}:{step}:{id}"}
                orders = [{"subject_id": id, "request_id": f"b:{id}", "input": given}]
                for answer in (
                    reader.api("POST", f"/{noun}/{id}/steps/{step}", json=given, headers=key),
                    reader.api("POST", f"/steps/{step}/batch", json={"orders": orders}),
                    reader.client.post(f"/steps/{step}/{id}", data={"csrf": csrf, "request_id": "p"}),
                ):
                    found = traces(f"{answer.headers} {answer.text}") - {id}
                    made = scene.marks.made
                    shown = [m for m in found if m in made and not rules.may(made[m], "-")]
                    assert shown == [], (role, step, answer.text[:500])
                    assert '"receipt"' not in answer.text, "nothing here is possible"


def test_forbidden_and_missing_are_the_same_answer(scene: BlindingSite) -> None:
    """Status, headers and content, whether something is there or not."""
    nowhere = str(uuid4())
    for role in ("applicant_other", "expert_free", "officer_elsewhere", *KIN, "applicant"):
        actor = scene.readers[role]
        rules = rules_for(scene, role, actor)
        with _reading(scene, actor) as reader:
            for noun, ids in scene.subjects().items():
                for id in ids[:: max(1, len(ids) // 4)]:
                    secret = scene.marks.made.get(id)
                    if secret is None or rules.may(secret, "-") or noun == "person":
                        continue
                    for path in (
                        f"/go/{noun}/{id}",
                        f"/api/v1/{noun}/{id}/available",
                        f"/tasks/{id}",
                        f"/draws/{id}",
                    ):
                        answers = [reader.get(p) for p in (path, path.replace(id, nowhere))]
                        there, missing = ((a.status_code, dict(a.headers), a.text) for a in answers)
                        assert there == missing and there[0] == 404, (role, path)


def test_every_mail_says_only_what_its_reader_may_know(scene: BlindingSite, free_port: int) -> None:
    """Everything that was owed and everything that is reminded of, as it goes over the wire."""
    world = scene.world
    scene.execute("UPDATE person SET email = login || '@mail.example' WHERE email = ''")
    world.clock.advance(timedelta(days=60))
    with scene.database.session() as session:
        send_reminders(session)
    settings = MailSettings("127.0.0.1", free_port, starttls=False)
    with MailSink(free_port):
        while asyncio.run(deliver_due(scene.database, settings, limit=2000)).sent:
            pass
    by_person = {actor.id: role for role, actor in scene.readers.items() if actor is not None}
    rows = world.rows("SELECT recipient_id, raw, template FROM message WHERE raw IS NOT NULL")
    assert len(rows) > 100
    made, wrong = scene.marks.made, []
    for person, raw, template in rows:
        role = by_person.get(person) or _role_of(scene, person)
        rules = rules_for(scene, role, Actor(person))
        parsed = message_from_bytes(bytes(raw), policy=policy.default)
        told = f"{parsed.items()} {parsed.get_content()}"
        for mark in traces(told) | traces(bytes(raw)):
            if mark in made and not rules.may(made[mark], "mail"):
                wrong.append(f"{role} {template}: {made[mark].kind}.{made[mark].field}")
            # Not even officers read over a shoulder who reviewed, or who objected.
            if (mark in made and made[mark].kind in ("entry", "side", "objector")) or "comment" in mark:
                wrong.append(f"{role} {template}: {mark}")
    assert wrong == []


def _role_of(scene: BlindingSite, person: UUID) -> str:
    return str(scene.world.value("SELECT min(role) FROM role_grant WHERE person_id = %s", person))


def test_spreadsheets_hold_nothing_of_who_made_them(scene: BlindingSite) -> None:
    """The properties of a file, its members' names and its name in the header."""
    with _reading(scene, scene.readers["programme_officer"]) as reader:
        version = scene.worlds["single"].published.id
        for path in ("/experts/sheets/pool.xlsx", f"/rankings/{version}/panel_review/sheet.xlsx"):
            answer = reader.get(path)
            assert answer.status_code == 200, path
            assert not traces(str(answer.headers)) & scene.marks.made.keys()
            with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
                for name in packed.namelist():
                    inside = packed.read(name)
                    if name.startswith("docProps/"):
                        assert not traces(inside) & scene.marks.made.keys(), name
                    assert b"comments" not in name.encode()


def _commanded(scene: BlindingSite, login: str, *words: str) -> str:
    """What a command says to somebody."""
    env = {"MILEPOST_DATABASE_URL": scene.database.url, "MILEPOST_OWNER_URL": scene.database.owner_url}
    done = CliRunner().invoke(app, [*words, "--as", login], env=env)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output


_TASKS = "SELECT id FROM task WHERE project_id = ANY(%s) AND (expert_id = %s) = %s ORDER BY id LIMIT 1"


def test_the_command_line_hides_the_same_from_who_it_acts_for(scene: BlindingSite) -> None:
    """What waits, a subject, and why it waits, for people and for programs."""
    world, marks = scene.world, scene.marks.made
    ids = [scene.projects[name] for name in "acd"]
    codes = [row[0] for row in world.rows("SELECT code FROM project WHERE id = ANY(%s)", ids)]
    for role in ("applicant", "expert_fellow", "expert_gone", *KIN, "finance_officer"):
        actor = scene.readers[role]
        assert actor is not None
        rules = rules_for(scene, role, actor)
        login = world.value("SELECT login FROM person WHERE id = %s", actor.id)
        # One of their own, if they have any, and one of somebody else.
        found = (world.rows(_TASKS, ids, actor.id, own) for own in (True, False))
        tasks = [str(id) for rows in found for (id,) in rows]
        for verb in (("show", "--json"), ("why",)):
            missing = _commanded(scene, login, *verb, "NO-SUCH")
            for name in (*codes, *tasks):
                told = _commanded(scene, login, *verb, name)
                shown = [marks[m] for m in traces(told) - traces(name) - {login} if m in marks]
                # Of one's own task the round has an id, which names nobody.
                wrong = [s for s in shown if not rules.may(s, name) and s.field != "round"]
                assert wrong == [], (role, verb, name)
                if role.startswith("expert") and name in codes:
                    assert told == missing
        waiting = traces(_commanded(scene, login, "todo", "--json")) - {login}
        assert [marks[m] for m in waiting if m in marks and not rules.may(marks[m], "-")] == [], role


def test_an_evidence_bundle_names_no_expert_and_says_that_it_is_confidential(
    scene: BlindingSite, tmp_path: Path
) -> None:
    """It is whole, so that it can be checked; experts are ids in it."""
    with scene.database.session() as session:
        seal(session)
    for name in ("a", "d"):
        made = export_evidence(scene.database, scene.projects[name], tmp_path / f"{name}.zip")
        assert made.report.ok
        found = {
            scene.marks.made[mark].kind for mark in traces(made.path.read_bytes()) & scene.marks.made.keys()
        }
        assert "work" in found and not found & {"name", "side", "phone", "draft"}
        with zipfile.ZipFile(made.path) as packed:
            assert "Confidential" in packed.read("README.txt").decode()


def test_account_numbers_are_whole_for_finance_and_the_applicant_only(scene: BlindingSite) -> None:
    project = scene.projects["c"]
    number = "6222000011112222"
    for role, actor in scene.readers.items():
        if actor is None:
            continue
        with _reading(scene, actor) as reader:
            pages = (f"/projects/{project}", f"/api/v1/projects/{project}", "/", "/api/v1/work")
            shown = any(number in reader.get(page).text for page in pages)
        assert shown == (role in ("finance_officer", "finance_conflicted", "applicant")), role


def test_the_grantee_reads_reasons_meant_for_them_and_not_the_offices_own(site: Site) -> None:
    world = site.world
    project_id = world.project_at("implementation")
    world.take("programme_officer", "project.place_hold", project_id, reason="for-the-grantee")
    world.take("supervisor", "project.flag_integrity", project_id, reason="for-the-office")
    page = site.the("applicant").get(f"/projects/{project_id}").text
    assert "for-the-grantee" in page
    assert "for-the-office" not in page
    assert "for-the-office" in site.the("supervisor").get(f"/projects/{project_id}").text
