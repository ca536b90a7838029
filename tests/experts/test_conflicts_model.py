"""Random pools and teams, judged by the database and by a model in Python: the same conflicts, pair by pair.

The model was written from what the rules say, for one expert and one application at a time, and shares
nothing with the SQL. Few names and units make namesakes, colleagues and relatives meet all the time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.embedded import EmbeddedPostgres
from milepost.experts.conflicts import conflicts_of
from tests.chance import examples
from tests.invariants.conftest import drop_database, new_database
from tests.invariants.forge import Conn

DAY = date(2025, 3, 3)
SINCE = date(2022, 3, 3)
NAMES = ("王伟", "李娜", "张敏")
UNITS = ("甲大学", "乙研究所", "丙公司")
HASHES = ("1" * 64, "2" * 64)
DAYS = (date(2021, 1, 1), date(2022, 3, 2), date(2022, 3, 3), date(2024, 6, 1))
ENDED = ("withdrawn", "declined", "lapsed", "terminated", "revoked")


@dataclass(frozen=True)
class Party:
    part: str
    name: str | None
    unit: str | None
    person: int | None = None
    identity: str | None = None


@dataclass(frozen=True)
class Project:
    call: int
    state: str
    award: bool
    filed_on: date
    filed_by: int | None
    parties: tuple[Party, ...]


@dataclass(frozen=True)
class Person:
    name: str
    identity: str | None
    works: tuple[tuple[str, date | None], ...]
    staff: bool


@dataclass(frozen=True)
class Tie:
    person: int
    kind: str
    name: str | None
    to: int | None
    unit: str | None
    project: int | None
    until: date | None
    ended: bool


@dataclass
class Town:
    persons: list[Person] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)


# The model ----------------------------------------------------------------------------------------------


def is_same(town: Town, who: int, party: Party) -> bool:
    """Whether a person is the human being whom an application names; an unsuitable expert is not of it."""
    person = town.persons[who]
    if party.part == "unsuitable":
        return False
    if party.person == who or (party.identity and party.identity == person.identity):
        return True
    named = party.part in ("leader", "member") and party.name == person.name
    return named and party.unit is not None and party.unit in [unit for unit, _ in person.works]


def is_fellow(a: Party, b: Party) -> bool:
    """Whether two applications name the same human being."""
    if a.person is not None and a.person == b.person:
        return True
    if a.identity and a.identity == b.identity:
        return True
    return bool(a.name and a.unit and (a.name, a.unit) == (b.name, b.unit))


def means(town: Town, tie: Tie, party: Party) -> bool:
    """Whether a tie names somebody, or the unit, of an application."""
    if party.part == "unsuitable":
        return False
    if tie.to is not None and is_same(town, tie.to, party):
        return True
    if tie.name is None:
        return tie.to is None and tie.unit is not None and tie.unit == party.unit
    elsewhere = tie.unit is not None and party.unit is not None and tie.unit != party.unit
    another = tie.to is not None and party.person is not None and tie.to != party.person
    return tie.name == party.name and not elsewhere and not another


def is_meant(town: Town, tie: Tie, who: int) -> bool:
    """Whether a tie that somebody else declared names this person."""
    if tie.to is not None:
        return tie.to == who
    person = town.persons[who]
    units = [unit for unit, _ in person.works]
    return tie.name == person.name and (tie.unit is None or not units or tie.unit in units)


def is_behind(town: Town, tie: Tie, party: Party) -> bool:
    """Whether who declared a tie stands behind an application: by account, where a name was declared."""
    if tie.to is not None:
        return is_same(town, tie.person, party)
    return party.part != "unsuitable" and party.person == tie.person


def expected(town: Town, project_no: int, who: int) -> set[str]:
    project, person = town.projects[project_no], town.persons[who]
    found = set[str]()
    inside = [party for party in project.parties if party.part != "unsuitable"]
    for party in inside:
        for unit, left in person.works:
            if unit == party.unit and (left is None or left >= SINCE):
                found.add("same_unit")
    own = [
        number
        for number, other in enumerate(town.projects)
        if other.filed_by == who or any(is_same(town, who, party) for party in other.parties)
    ]
    if project_no in own:
        found.add("own_application")
    for number in own:
        other = town.projects[number]
        live = other.state not in ENDED and not other.award
        if number != project_no and other.call == project.call and live:
            found.add("own_competing_application")
        running = other.award and other.state not in (*ENDED, "closed_passed")
        if number == project_no or not (running or other.filed_on >= SINCE):
            continue
        mine = [party for party in other.parties if is_same(town, who, party)]
        fellows = [p for p in other.parties if mine and p.part in ("leader", "member") and p not in mine]
        people = [p for p in inside if p.part in ("leader", "member")]
        if any(is_fellow(a, b) for a in fellows for b in people):
            found.add("co_applicant")
    for tie in town.ties:
        late = tie.kind == "collaborator" and tie.until is not None and tie.until < SINCE
        if tie.ended:
            continue
        if tie.person == who and tie.project == project_no:
            found.add(tie.kind)
        if late:
            continue
        if tie.person == who and any(means(town, tie, party) for party in inside):
            found.add(tie.kind)
        if is_meant(town, tie, who) and any(is_behind(town, tie, party) for party in inside):
            found.add(tie.kind)
    for party in project.parties:
        if party.part != "unsuitable" or party.name != person.name:
            continue
        units = [unit for unit, _ in person.works]
        if party.unit is None or not units or party.unit in units:
            found.add("named_unsuitable")
    if person.staff:
        found.add("department_staff")
    return found


# Random towns -------------------------------------------------------------------------------------------

maybe = st.booleans()
names, units = st.sampled_from(NAMES), st.sampled_from(UNITS)
numbers = st.integers(0, 4)


@st.composite
def parties(draw: st.DrawFn) -> tuple[Party, ...]:
    unit = draw(units)
    found = [Party("unit", None, unit), Party("leader", draw(names), unit)]
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.integers(0, 3)) == 0:
            found.append(Party("unsuitable", draw(names), draw(st.none() | units)))
        else:
            person = draw(st.none() | numbers)
            identity = draw(st.none() | st.sampled_from(HASHES))
            found.append(Party("member", draw(names), draw(st.none() | units), person, identity))
    return tuple(dict.fromkeys(found))


projects = st.builds(
    Project,
    call=st.integers(0, 1),
    state=st.sampled_from(("application", "remote_review", "implementation", "closed_passed", "declined")),
    award=maybe,
    filed_on=st.sampled_from(DAYS),
    filed_by=st.none() | st.none() | numbers,
    parties=parties(),
)
persons = st.builds(
    Person,
    name=names,
    identity=st.none() | st.sampled_from(HASHES),
    works=st.lists(st.tuples(units, st.none() | st.sampled_from(DAYS)), max_size=2).map(tuple),
    staff=st.integers(0, 9).map(lambda n: n == 0),
)


@st.composite
def ties(draw: st.DrawFn) -> Tie:
    way = draw(st.sampled_from(("name", "name and unit", "account", "unit", "project")))
    return Tie(
        person=draw(numbers),
        kind=draw(st.sampled_from(("kin", "collaborator", "supervisor", "economic", "declared"))),
        name=draw(names) if way.startswith("name") else None,
        to=draw(numbers) if way == "account" else None,
        unit=draw(units) if way.endswith("unit") else None,
        project=draw(st.integers(0, 3)) if way == "project" else None,
        until=draw(st.none() | st.sampled_from(DAYS)),
        ended=draw(st.integers(0, 4)) == 0,
    )


towns = st.builds(
    Town,
    persons=st.lists(persons, min_size=5, max_size=5),
    projects=st.lists(projects, min_size=4, max_size=4),
    ties=st.lists(ties(), max_size=6),
)


@pytest.fixture(scope="module")
def owner(server: EmbeddedPostgres, template: str) -> Iterator[Conn]:
    """The owner with triggers put aside: thousands of rows that no step ever wrote, rolled back each time."""
    name = new_database(server, template)
    with psycopg.connect(server.url("postgres", name)) as conn:
        yield conn
        conn.rollback()
    drop_database(server, name)


def settle(conn: Conn, town: Town) -> tuple[list[UUID], list[UUID]]:
    """Write a town as rows: projects and people by number."""
    conn.execute("SET LOCAL session_replication_role = replica")
    people, works = [uuid4() for _ in town.persons], [uuid4() for _ in town.projects]
    calls, programme = [uuid4(), uuid4()], uuid4()

    def who(number: int | None) -> UUID | None:
        return None if number is None else people[number]

    def many(sql: str, rows: list[tuple[object, ...]]) -> None:
        with conn.cursor() as cursor:
            cursor.executemany(sql, rows)

    many(
        "INSERT INTO person (id, login, name, email, locale) VALUES (%s, %s, %s, '', 'zh')",
        [(id, str(id), p.name) for id, p in zip(people, town.persons, strict=True)],
    )
    many(
        "INSERT INTO expert (person_id, kinds, region, yearly_load, identity_hash, version, updated_at) "
        "VALUES (%s, '[\"finance\"]', '/', 1, %s, 1, '2020-01-01')",
        [(id, p.identity) for id, p in zip(people, town.persons, strict=True)],
    )
    many(
        "INSERT INTO affiliation (id, person_id, unit_name, unit_key, to_on) "
        "VALUES (%s, %s, %s, compared(%s), %s)",
        [
            (uuid4(), id, unit, unit, left)
            for id, p in zip(people, town.persons, strict=True)
            for unit, left in p.works
        ],
    )
    many(
        "INSERT INTO role_grant (id, person_id, role, office_path, granted_at) "
        "VALUES (%s, %s, 'supervisor', '/', '2020-01-01')",
        [(uuid4(), id) for id, p in zip(people, town.persons, strict=True) if p.staff],
    )
    many(
        "INSERT INTO project (id, code, title, programme_id, programme_code, call_id, office_path, "
        "unit_name, leader_name, requested_minor, currency, award_minor, state, version, machine) "
        "VALUES (%s, %s, '', %s, 'p', %s, '/a/', '', '', 1, 'CNY', %s, %s, 1, 'm')",
        [
            (id, str(id), programme, calls[p.call], 1 if p.award else None, p.state)
            for id, p in zip(works, town.projects, strict=True)
        ],
    )
    many(
        "INSERT INTO event (chain_id, seq, noun, subject_id, subject_seq, machine, step, from_state, "
        "to_state, role, actor_id, request_id, fingerprint, at, body, prev_hash, hash) "
        "VALUES (%s, 1, 'project', %s, 1, 'm', 'project.apply', '', 'application', 'applicant', %s, %s, '', "
        "%s, %s, %s, sha256(%s || %s))",
        [
            (id, id, who(p.filed_by) or uuid4(), str(id), f"{p.filed_on} 12:00+08", *[id.bytes] * 4)
            for id, p in zip(works, town.projects, strict=True)
        ],
    )
    many(
        "INSERT INTO project_party (project_id, number, part, name_key, unit_key, person_id, identity_hash) "
        "VALUES (%s, %s, %s, compared(%s), compared(%s), %s, %s)",
        [
            (id, number, y.part, y.name, y.unit, who(y.person), y.identity)
            for id, p in zip(works, town.projects, strict=True)
            for number, y in enumerate(p.parties)
        ],
    )
    many(
        "INSERT INTO tie (id, person_id, kind, other_name, other_person_id, other_unit_key, project_id, "
        "until_on, evidence, declared_by, declared_at, ended_at) "
        "VALUES (%s, %s, %s, %s, %s, compared(%s), %s, %s, 'x', %s, '2020-01-01', %s)",
        [
            (
                uuid4(),
                who(t.person),
                t.kind,
                t.name,
                who(t.to),
                t.unit,
                None if t.project is None else works[t.project],
                t.until,
                who(t.person),
                date(2025, 1, 1) if t.ended else None,
            )
            for t in town.ties
        ],
    )
    return works, people


@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(town=towns)
def test_the_database_and_the_model_find_the_same_conflicts(owner: Conn, town: Town) -> None:
    works, people = settle(owner, town)
    try:
        found = conflicts_of(owner, works, people, DAY)
        for number, project in enumerate(works):
            for who, person in enumerate(people):
                rules = {conflict.rule for conflict in found.get((project, person), ())}
                assert rules == expected(town, number, who), json.dumps([number, who])
        alone = conflicts_of(owner, works[:1], people[:1], DAY)
        assert alone.get((works[0], people[0])) == found.get((works[0], people[0]))
    finally:
        owner.rollback()
