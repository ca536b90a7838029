"""Three programmes under review with a mark in every field that blinding is about.

The programmes are double-blind with drawn panels, single-blind with a panel that votes, and open. A mark is a
word of letters and digits that stands nowhere else, or an id, or a score of nine digits, so that it is found
however it was escaped; what is coded in base64 or packed in a zip is opened before it is searched.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any
from uuid import UUID

from config.settings import Settings
from milepost.actions import Actor
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.demo.panels import KINDS, REGIONS, draw_panels, invite_drawn
from milepost.documents import store
from milepost.embedded import EmbeddedPostgres
from milepost.experts import pool, records
from milepost.experts.drafts import Typed, save_draft
from milepost.experts.links import invitation_key, signed_link
from milepost.experts.records import Unit
from milepost.web.app import create_app
from milepost.work.conflicts import take_away_conflicted
from schema.nouns import NOUNS
from tests.builders import FIRST_DAY, PROGRAMMES, World, published
from tests.builders import people as cast
from tests.conftest import _admin
from tests.web.conftest import Site

MOST = 999_999_937
RUBRIC = f"""[[review.rubric]]
code = "novelty"
text = {{ zh = "创新性", en = "Novelty" }}
max = {MOST}

[[review.rubric]]
code = "team"
text = {{ zh = "团队", en = "Team" }}
max = {MOST}

"""
_WORD = re.compile(r"zq[0-9a-z]{3,}zz", re.IGNORECASE)
_ID = re.compile(r"\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b", re.IGNORECASE)
_REFERENCE = re.compile(r"\bR-[0-9A-F]{8}\b")
_NUMBER = re.compile(r"(?<![\w.])\d{5}(?:\d{4}(?:\d\d)?)?(?![\w.])|(?<![\w.])\d\d\.\d\d\d?(?!\w)")
_CODED = re.compile(r"[A-Za-z0-9+/_-]{16,}")


@dataclass(frozen=True, slots=True)
class Secret:
    """What a mark stands for: the kind of field, whose it is, and of which project."""

    kind: str
    owner: UUID | None = None
    project: UUID | None = None
    field: str = ""


def traces(content: str | bytes, depth: int = 2) -> set[str]:
    """Every mark in a text or file, also inside base64, quoted words and zip members."""
    if isinstance(content, bytes):
        if content[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(content)) as packed:
                found = traces(" ".join(packed.namelist()), 0)
                for name in packed.namelist():
                    found |= traces(packed.read(name), depth)
            return found
        content = content.decode("utf-8", "replace")
    found = {word.lower() for word in _WORD.findall(content)}
    found |= {str(UUID(id)) for id in _ID.findall(content)}
    found |= set(_REFERENCE.findall(content)) | set(_NUMBER.findall(content))
    if depth:
        for coded in set(_CODED.findall(content)):
            opened = _opened(coded)
            if b"zq" in opened.lower() or opened[:4] == b"PK\x03\x04":
                found |= traces(opened, depth - 1)
    return found


def _opened(coded: str) -> bytes:
    try:
        return base64.b64decode(coded[: len(coded) // 4 * 4], altchars=b"-_" if "-" in coded else None)
    except (binascii.Error, ValueError):
        return b""


@contextmanager
def fresh_database(server: EmbeddedPostgres, template: str, on: date = FIRST_DAY) -> Iterator[Database]:
    """A migrated database for as long as a scene needs one."""
    name = f"test_{token_hex(6)}"
    with _admin(server) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    database = Database(
        server.url("milepost_app", name), owner_url=server.url("postgres", name), clock=SimulatedClock(on)
    )
    try:
        yield database
    finally:
        database.close()
        with _admin(server) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def programme_file(
    folder: Path, shipped: str, code: str, *, blinding: str, quorum: int, panel: bool = False
) -> Path:
    """A shipped programme with another rubric and blinding; ``panel``: a panel meets and votes."""
    text = (PROGRAMMES / f"{shipped}.toml").read_text(encoding="utf-8")
    head, _, rest = text.partition("[[review.rubric]]")
    head = re.sub(r"(?m)^blinding = .*\n", "", head).replace(f'code = "{shipped}"', f'code = "{code}"', 1)
    head = re.sub(r"(?m)^quorum = .*$", f'quorum = {quorum}\nblinding = "{blinding}"', head)
    head = re.sub(r"(?m)^tie_items = .*\n", "", head)
    if panel:
        head = head.replace("remote_review", "panel_review")
        rest += "\n[review.ballot]\npresent = 2\n"
    path = folder / f"{code}.toml"
    path.write_text(head + RUBRIC + rest[rest.index("[milestones]") :], encoding="utf-8")
    return path


@dataclass
class Marks:
    """Every mark of a scene, and what it stands for."""

    made: dict[str, Secret] = field(default_factory=dict)
    last_score: int = 700_000_001

    def word(self, kind: str, field: str, owner: UUID | None = None, project: UUID | None = None) -> str:
        """A new word for a field."""
        mark = f"zq{field}{len(self.made)}zz"
        return self.put(mark, kind, owner, project, field)

    def put(
        self, mark: str, kind: str, owner: UUID | None = None, project: UUID | None = None, field: str = ""
    ) -> str:
        """Something that is a mark by itself: an id, a number."""
        assert mark not in self.made, (mark, kind, self.made[mark])
        self.made[mark] = Secret(kind, owner, project, field)
        return mark


class MarkedWorld(World):
    """An office whose applications and reviews are marked in every field."""

    def __init__(self, *given: Any, marks: Marks, unit: str, **named: Any) -> None:
        super().__init__(*given, **named)
        self.marks, self.unit = marks, unit

    @property
    def hidden(self) -> bool:
        """Whether experts may not know the applicant."""
        return self.programme.review is not None and self.programme.review.blinding == "double"

    def application(self, name: str) -> UUID:
        """An application that is marked; of a double-blind programme in every field that names somebody."""
        kind = "applicant" if self.hidden else "plain"
        word = self.marks.word
        code, leader = word(kind, f"code{name}").upper(), word(kind, f"leader{name}")
        project_id = self.apply(code, unit_name=self.unit, leader_name=leader, title=f"Batteries {name}")
        of = self.marks.made
        for mark in (code.lower(), leader):
            of[mark] = Secret(kind, None, project_id, of[mark].field)
        team = [
            {"name": word(kind, "member", None, project_id), "unit": word(kind, "munit", None, project_id)},
            {"unit": word(kind, "partner", None, project_id), "part": "unit"},
        ]
        unsuitable = [
            {
                "name": word("unsuitable", "uname", None, project_id),
                "unit": word("unsuitable", "uunit", None, project_id),
            }
        ]
        self.take(
            "applicant",
            "project.describe",
            project_id,
            summary="A new material.",
            fields=["510"],
            team=team,
            unsuitable=unsuitable,
        )
        return project_id

    def scores(self, expert: UUID, project: UUID) -> dict[str, int]:
        """Scores that nobody else gave."""
        found = {}
        for code in ("novelty", "team"):
            self.marks.last_score += 1_234_567
            found[code] = self.marks.last_score
            self.marks.put(str(found[code]), "work", expert, project, "score")
        return found

    def of_task(self, task_id: UUID) -> tuple[Actor, UUID]:
        """Whose task it is, and for which project."""
        expert, project = self.rows("SELECT expert_id, project_id FROM task WHERE id = %s", task_id)[0]
        return Actor(expert), project

    def submit_review(self, task_id: UUID) -> None:
        """Scores and a comment, both marked."""
        expert, project = self.of_task(task_id)
        comment = self.marks.word("work", "comment", expert.id, project)
        self.take(expert, "task.submit", task_id, scores=self.scores(expert.id, project), comment=comment)

    def review_task(self, task_id: UUID, *, percent: int = 80) -> None:
        self.take(self.of_task(task_id)[0], "task.accept", task_id)
        self.submit_review(task_id)

    def leave(self, step: str, task_id: UUID) -> None:
        """Decline or recuse, for a marked reason."""
        expert, project = self.of_task(task_id)
        self.take(expert, step, task_id, reason=self.marks.word("work", "reason", expert.id, project))


@dataclass
class BlindingSite(Site):
    """The site, its three offices, every mark and every subject."""

    marks: Marks = field(default_factory=Marks)
    worlds: dict[str, MarkedWorld] = field(default_factory=dict)
    projects: dict[str, UUID] = field(default_factory=dict)
    readers: dict[str, Actor | None] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, list[str]]:
        """What addresses name otherwise than by id."""
        return {
            "commitment": [row[0] for row in self.world.rows("SELECT commitment FROM draw")],
            "programme_id": [str(row[0]) for row in self.world.rows("SELECT id FROM programme_version")],
            "opens_on": [str(row[0]) for row in self.world.rows("SELECT DISTINCT opens_on FROM notice")],
        }

    def execute(self, sql: str, *params: Any) -> None:
        """Plain rows, as the application's user."""
        with self.database.session() as session:
            session.conn.execute(sql, params)

    def declare(self, expert: Actor, project: UUID) -> None:
        """An expert says that they should not judge an application."""
        self.execute(
            "INSERT INTO tie (id, person_id, kind, project_id, evidence, declared_by, declared_at) "
            "VALUES (gen_random_uuid(), %s, 'declared', %s, 'said so', %s, now())",
            expert.id,
            project,
            expert.id,
        )

    def draft(self, task_id: UUID) -> None:
        """What an expert has typed and not submitted."""
        expert, project = self.worlds["double"].of_task(task_id)
        score = self.marks.put("987650001", "draft", expert.id, project)
        comment = self.marks.word("draft", "draft", expert.id, project)
        with self.database.session() as session:
            typed = Typed({"novelty": score}, comment)
            assert save_draft(session, expert.id, task_id, typed, base=0, tab="t") is not None

    def links(self) -> list[str]:
        """The address of every invitation there ever was, as a mail of today would have it."""
        today = self.world.clock.today()
        with self.database.session() as session:
            key = invitation_key(session.conn)
        rows = self.world.rows("SELECT id, expert_id FROM task ORDER BY id")
        return [f"/invitations/{signed_link(key, task, expert, today)}" for task, expert in rows]

    def subjects(self) -> dict[str, list[str]]:
        """The ids of everything there is, by noun."""
        return {
            noun: [str(row[0]) for row in self.world.rows(f'SELECT id FROM "{noun}" ORDER BY id')]
            for noun in (*NOUNS, "person", "programme_version")
        }


def _experts(site: BlindingSite, actors: dict[str, tuple[Actor, ...]]) -> None:
    """Experts with a mark in every field that is theirs, put into the pool."""
    officer = actors["programme_officer"][0]
    word, later = site.marks.word, FIRST_DAY + timedelta(days=600)
    for number, expert in enumerate(actors["expert"]):
        own = expert.id
        site.marks.put(str(own), "id", own)
        login, name = word("name", "login", own), word("name", "name", own)
        email = f"{word('name', 'mail', own)}@mail.example"
        site.execute(
            "UPDATE person SET login = %s, name = %s, email = %s WHERE id = %s", login, name, email, own
        )
        phone = site.marks.put(f"13{700_000_000 + number * 1_000_003}", "phone", own, None, "phone")
        new = pool.NewExpert(
            login=login,
            name=name,
            # Nobody draws the last two.
            kinds=(KINDS[number % len(KINDS)] if number < 9 else "investment",),
            region="/" if number % 2 else REGIONS[1],
            yearly_load=100,
            title=word("entry", "title", own),
            profile=word("entry", "profile", own),
            phone=phone,
            fields=("510",),
            units=(Unit(word("entry", "unit", own)),),
        )
        with site.database.session() as session:
            pool.enrol(session, new, by=officer.id)
            records.declare_tie(
                session,
                own,
                kind="kin",
                other_name=word("side", "kin", own),
                other_unit=word("side", "kinunit", own),
                evidence=word("side", "evidence", own),
                by=officer.id,
            )
            absence = word("side", "absence", own)
            records.set_absence(session, own, from_on=later, to_on=later, reason=absence, by=officer.id)
    with site.database.session() as session:
        reason = word("side", "ban", actors["expert"][-1].id)
        records.ban(session, actors["expert"][-1].id, years=2, reason=reason, by=officer.id)


def _readers(site: BlindingSite, actors: dict[str, tuple[Actor, ...]]) -> dict[str, Actor | None]:
    """Who reads; of each role of the office one who belongs to the applicant's unit."""
    kin = {
        "officer_conflicted": actors["programme_officer"][1],
        "finance_conflicted": actors["finance_officer"][1],
        "supervisor_conflicted": site.person("monitor", "supervisor", office_path="/"),
        "counsel_conflicted": site.person("jurist", "counsel", office_path="/"),
    }
    for actor in kin.values():
        site.execute(
            "INSERT INTO affiliation (id, person_id, unit_name, unit_key) "
            "VALUES (gen_random_uuid(), %s, %s, '')",
            actor.id,
            site.worlds["double"].unit,
        )
    other = site.person("other", "applicant", office_path="/")
    world = site.worlds["single"]
    world.people = {**world.people, "applicant": (other,)}
    world.apply("OTHER-1", unit_name="Another unit")
    world.people = {**world.people, "applicant": actors["applicant"]}
    return {
        "applicant": actors["applicant"][0],
        "applicant_other": other,
        "principal_investigator": actors["principal_investigator"][0],
        "expert_free": site.person("free", "expert", office_path="/"),
        "expert_banned": site.person("banned", "expert", office_path="/"),
        "finance_officer": actors["finance_officer"][0],
        "counsel": actors["counsel"][0],
        "evaluator": actors["evaluator"][0],
        "administrator": actors["administrator"][0],
        **kin,
        "officer_elsewhere": site.person("elsewhere", "programme_officer", office_path="/neighbour/"),
        "programme_officer": actors["programme_officer"][0],
        "supervisor": actors["supervisor"][0],
        "anonymous": None,
    }


def _mark_ids(site: BlindingSite) -> None:
    """Ids and sums that tell of a review."""
    marks, rows = site.marks.made, site.world.rows
    for id, expert, project, milli in rows("SELECT id, expert_id, project_id, score_milli FROM task"):
        work = Secret("work", expert, project, "task")
        marks[str(id)] = marks[f"R-{str(id)[:8].upper()}"] = work
        _mark_score(marks, milli, work)
    for id, project, milli in rows("SELECT id, project_id, score_milli FROM round"):
        marks[str(id)] = Secret("work", None, project, "round")
        _mark_score(marks, milli, marks[str(id)])
    for noun, kind in (("vote", "work"), ("objection", "objector"), ("review_request", "request")):
        for id, project in rows(f'SELECT id, project_id FROM "{noun}"'):
            marks[str(id)] = Secret(kind, None, project, noun)
    for (id,) in rows("SELECT id FROM draw"):
        marks[str(id)] = Secret("draw", field="draw")


def _mark_score(marks: dict[str, Secret], milli: int | None, of: Secret) -> None:
    if milli is not None:
        for shown in (f"{milli}", f"{milli / 1000:.2f}", f"{milli / 1000:.3f}"):
            marks.setdefault(shown, Secret(of.kind, of.owner, of.project, "score"))


def _double(site: BlindingSite, world: MarkedWorld) -> None:
    """Drawn panels: two rounds with tasks in every state, and projects before, at and after the decision."""
    a, b = (world.application(name) for name in "ab")
    site.projects |= {"a": a, "b": b}
    rounds = []
    for project in (a, b):
        world.bring_to(project, "remote_review")
        rounds.append(world.take("programme_officer", "round.open", project).subject_id)
    draw_panels(world, rounds, title=site.marks.word("draw", "draw"))
    of_a, of_b = (invite_drawn(world, round_id) for round_id in rounds)
    _, accepted, submitted, reopened, _ = of_a
    for task in (accepted, submitted, reopened, *of_b):
        world.take(world.of_task(task)[0], "task.accept", task)
    for task in (submitted, reopened, of_b[4]):
        world.submit_review(task)
    site.draft(accepted)
    told = site.marks.word("work", "reopen", world.of_task(reopened)[0].id, a)
    world.take("programme_officer", "task.reopen", reopened, reason=told)
    world.leave("task.decline", of_b[0])
    world.leave("task.recuse", of_b[1])
    replaced = world.of_task(of_b[2])[0]
    reason = site.marks.word("work", "replace", replaced.id, b)
    world.take("programme_officer", "task.replace", of_b[2], reason=reason)
    # Late: the day for answering has passed, the flow takes the step.
    world.clock.set(world.clock.today() + timedelta(days=12))
    world.take("system", "task.fall_late", of_a[4])
    gone, _ = world.of_task(of_b[3])
    site.declare(gone, b)
    with site.database.session() as session:
        assert take_away_conflicted(session, people=[gone.id]).taken
    site.projects["c"] = c = world.application("c")
    world.bring_to(c, "implementation")
    milestone = world.milestones(c)[0]
    evaluator = world.people["evaluator"][0]
    world.take("programme_officer", "milestone.assign", milestone, evaluator_id=str(evaluator.id))
    content = f"%PDF-1.7 {site.marks.word('applicant', 'paper', None, c)}".encode()
    site.marks.put(sha256(content).hexdigest(), "applicant", None, c, "digest")
    with site.database.session() as session:
        name = f"{site.marks.word('applicant', 'file', None, c)}.pdf"
        stored = store(session, name, content, world.people["applicant"][0].id, 10_000)
    report = site.marks.word("applicant", "report", None, c)
    given = {"report": report, "documents": [stored.sha256], "deliverables": 1}
    world.take("applicant", "milestone.report", milestone, **given)
    world.enter_payee(c)
    site.projects["d"] = d = world.application("d")
    world.bring_to(d, "public_notice")
    notice = world.publish_notice(d)
    words = {name: site.marks.word("objector", name, None, d) for name in ("objector", "contact", "grounds")}
    world.take("programme_officer", "objection.file", notice, **words)
    site.projects["e"] = e = world.application("e")
    world.bring_to(e, "remote_review")
    world.take("programme_officer", "project.decline", e, reason="Not this year.")
    statement = site.marks.word("request", "statement", None, e)
    world.take("applicant", "review_request.file", e, ground="procedure", statement=statement)


def _single(site: BlindingSite, world: MarkedWorld) -> None:
    """A panel that met and voted; another round in the state after its quorum."""
    for name in ("p", "q"):
        site.projects[name] = project = world.application(name)
        world.bring_to(project, "panel_review")
        round_id, tasks = world.open_round(project, experts=3)
        for task in tasks[:2]:
            world.review_task(task)
        if name == "p":
            world.take("programme_officer", "round.score", round_id)
            minutes = site.marks.word("work", "minutes", None, project)
            world.take(
                "programme_officer",
                "round.record_vote",
                round_id,
                present=2,
                in_favour=2,
                against=0,
                minutes=minutes,
            )


def _open(site: BlindingSite, world: MarkedWorld) -> None:
    """A round that was decided, in a programme that hides nobody."""
    site.projects["o"] = project = world.application("o")
    world.bring_to(project, "public_notice")


@contextmanager
def blinding_site(database: Database, password_hash: str, folder: Path) -> Iterator[BlindingSite]:
    """The whole scene, and a reader for each role that matters."""
    actors = dict(cast(database))
    site = BlindingSite(
        world=None,
        app=None,
        password_hash=password_hash,
        minutes=SimulatedClock(date(2030, 1, 1)),  # type: ignore[arg-type]
    )
    marks = site.marks
    files = {
        "double": programme_file(folder, "city-key-projects", "twice-blind", blinding="double", quorum=3),
        "single": programme_file(
            folder, "city-milestone-subsidy", "once-blind", blinding="single", quorum=2, panel=True
        ),
        "open": programme_file(folder, "city-milestone-subsidy", "not-blind", blinding="open", quorum=2),
    }
    for name, file in files.items():
        unit = marks.word("applicant" if name == "double" else "plain", f"unit{name}")
        version = published(database, file)
        site.worlds[name] = MarkedWorld(database, version, actors, name=name, marks=marks, unit=unit)
    site.world = site.worlds["double"]
    site.readers = _readers(site, actors)
    idle = [actor for name, actor in site.readers.items() if name.startswith("expert_") and actor is not None]
    _experts(site, {**actors, "expert": (*actors["expert"], *idle)})
    for name, live in (("double", _double), ("single", _single), ("open", _open)):
        site.worlds[name].vote()
        live(site, site.worlds[name])
    _mark_ids(site)
    a, b = site.projects["a"], site.projects["b"]
    find = "SELECT expert_id FROM task WHERE project_id = %s AND state = %s ORDER BY version LIMIT 1"
    site.readers["expert_fellow"] = Actor(site.world.value(find, a, "accepted"))
    site.readers["expert_gone"] = Actor(site.world.value(find, b, "taken_away"))
    site.execute("UPDATE person SET password_hash = %s WHERE login <> 'system'", password_hash)
    site.app = create_app(database, Settings(data_dir=folder, upload_bytes_max=100_000), clock=site.minutes)
    try:
        yield site
    finally:
        for client in site.open:
            client.close()
