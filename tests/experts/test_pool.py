"""The pool keeps what was known and by whom; nobody does in it what the table does not give them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from milepost.clock import SimulatedClock
from milepost.db import Database, Session
from milepost.experts import pool
from milepost.experts.permits import PERMITS, SELF, ExpertError
from milepost.experts.pool import NewExpert, Unit
from milepost.people import PersonError, create_person, grant, set_active
from milepost.programmes import ensure_system
from milepost.queries.experts import expert, expert_list
from states.case import SYSTEM_ID
from tests.builders import build, people

TODAY = date(2025, 3, 3)
IDENTITY = "11010519491231002X"
LI = NewExpert(
    login="li",
    name="李文",
    kinds=["技术", "finance"],
    region="/liuzhou/",
    yearly_load=10,
    languages=["中文", "English"],
    title="教授",
    profile="Machine tools.",
    phone="+86 139-7720 0001",
    identity_no=IDENTITY,
    fields=["460", "520.20"],
    units=[Unit("广西大学（本部）", date(2015, 9, 1))],
)
ROLES = ("programme_officer", "administrator", "supervisor", "finance_officer", "applicant", "expert")


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(TODAY)


class Pool:
    """A pool with one expert, and somebody of each role for a region."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.people = people(database)
        with database.session() as session:
            ensure_system(session.conn)
            self.li = pool.enrol(session, LI, by=self.officer).person_id

    @property
    def officer(self) -> UUID:
        return self.people["programme_officer"][0].id

    def somebody(self, role: str, path: str) -> UUID:
        with self.database.session() as session:
            login = f"{role}{path.replace('/', '.')}x"
            id = create_person(session, login=login, name=f"Some {role}")
            grant(session, id, role, office_path=path)
        return id

    def value(self, sql: str, *given: Any) -> Any:
        with self.database.session() as session:
            row = session.conn.execute(sql, given).fetchone()
        return row[0] if row else None

    def do(self, what: Callable[..., Any], *given: Any, **named: Any) -> Any:
        with self.database.session() as session:
            return what(session, *given, **named)

    def code(self, what: Callable[..., Any], *given: Any, **named: Any) -> str:
        """The code with which something is refused; "" where it is done."""
        try:
            self.do(what, *given, **named)
        except (ExpertError, PersonError) as error:
            assert error.zh and error.en
            return error.code
        return ""


@pytest.fixture
def there(database: Database) -> Pool:
    return Pool(database)


# What is kept -------------------------------------------------------------------------------------------


def test_an_enrolled_expert_has_an_account_a_role_and_an_entry_that_says_what_was_given(there: Pool) -> None:
    row = there.do(expert, there.officer, there.li)
    assert (row["name"], row["kinds"], row["region"]) == ("李文", ["technology", "finance"], "/liuzhou/")
    assert (row["languages"], row["fields"], row["yearly_load"]) == (["zh", "en"], ["460", "52020"], 10)
    assert (row["phone"], row["identified"], row["version"]) == ("13977200001", True, 1)
    assert [(a["unit_name"], a["now_there"]) for a in row["affiliations"]] == [("广西大学（本部）", True)]
    assert there.value("SELECT unit_key FROM affiliation WHERE person_id = %s", there.li) == "广西大学本部"
    assert there.value("SELECT role FROM role_grant WHERE person_id = %s", there.li) == "expert"
    assert there.value("SELECT password_hash FROM person WHERE id = %s", there.li) is None


def test_neither_the_identity_number_nor_the_telephone_is_anywhere_it_must_not_be(there: Pool) -> None:
    there.do(pool.revise, there.li, {"phone": "13977200009", "title": "院士"}, by=there.officer)
    tables = there.do(
        lambda s: s.conn.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE 'alembic%'"
        ).fetchall()
    )
    for (table,) in tables:
        rows = there.value(f"SELECT coalesce(string_agg(t::text, chr(10)), '') FROM \"{table}\" t")
        assert IDENTITY not in rows and IDENTITY[:17] not in rows, table
        assert table == "expert" or "1397720000" not in rows, table
    assert len(there.value("SELECT identity_hash FROM expert")) == 64


def test_another_installation_hashes_the_same_number_differently(there: Pool) -> None:
    before = there.value("SELECT identity_hash FROM expert")
    there.do(lambda s: s.conn.execute("DELETE FROM setting WHERE name = 'identity_key'"))
    there.do(pool.revise, there.li, {"identity_no": IDENTITY}, by=there.officer)
    assert there.value("SELECT identity_hash FROM expert") != before


@pytest.mark.parametrize("written", [IDENTITY, IDENTITY.lower(), " 110105 19491231 002x "])
def test_a_person_is_enrolled_once_however_the_number_is_written(there: Pool, written: str) -> None:
    other = replace(LI, login="li2", name="Li Wen", phone="", identity_no=written)
    with pytest.raises(ExpertError, match="李文") as refused:
        there.do(pool.enrol, other, by=there.officer)
    assert refused.value.code == "expert_twice"
    assert there.value("SELECT count(*) FROM person WHERE login = 'li2'") == 0, "no half of it stays"
    there.do(pool.retire, there.li, reason="moved away", by=there.officer)
    assert there.code(pool.enrol, other, by=there.officer) == "expert_twice", "retired is not forgotten"


def test_of_two_who_enrol_one_person_at_once_one_is_refused(there: Pool) -> None:
    number, codes = "440524188001010014", []
    barrier = threading.Barrier(2)

    def enrol(login: str) -> None:
        barrier.wait()
        new = replace(LI, login=login, name=f"Name {login}", phone="", identity_no=number)
        codes.append(there.code(pool.enrol, new, by=there.officer))

    threads = [threading.Thread(target=enrol, args=(login,)) for login in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["", "expert_twice"]


def test_who_may_be_there_already_is_said_and_still_entered(there: Pool) -> None:
    new = replace(LI, login="li2", identity_no="")
    done = there.do(pool.enrol, new, by=there.officer)
    assert [(c.login, reasons) for c, reasons in done.alike] == [("li", ("phone", "name_and_unit"))]
    far = there.somebody("programme_officer", "/guilin/")
    third = replace(new, login="li3", region="/guilin/")
    assert there.do(pool.enrol, third, by=far).alike == [], "an entry of another region is not theirs to know"


def test_an_account_of_another_name_is_not_made_an_expert_by_mistake(there: Pool) -> None:
    there.do(create_person, login="wang", name="王军")
    new = replace(LI, login="wang", identity_no="")
    assert there.code(pool.enrol, new, by=there.officer) == "login_of_another"
    assert there.code(pool.enrol, replace(new, name="王军"), by=there.officer) == ""
    assert there.code(pool.enrol, replace(new, name="王军"), by=there.officer) == "expert_there"


WRONG = {
    "kinds": ([], "kind_missing"),
    "region": ("liuzhou", "region_unusable"),
    "yearly_load": ("-1", "load_unusable"),
    "languages": (["Klingon"], "language_unknown"),
    "phone": ("call me", "phone_unusable"),
    "identity_no": ("110105194912310021", "identity_unusable"),
    "fields": (["999"], "field_unknown"),
    "profile": ("x" * 5000, "text_too_long"),
    "title": ("Dr\x07", "text_has_control_characters"),
    "units": ([Unit("（）")], "unit_unreadable"),
}


@pytest.mark.parametrize("part", WRONG)
def test_what_cannot_be_is_refused_and_leaves_nothing_behind(there: Pool, part: str) -> None:
    value, code = WRONG[part]
    new = replace(LI, login="new", name="New", **{"identity_no": "", part: value})  # type: ignore[arg-type]
    assert there.code(pool.enrol, new, by=there.officer) == code
    assert there.value("SELECT count(*) FROM person WHERE login = 'new'") == 0


def test_each_change_names_who_did_what(there: Pool) -> None:
    by = there.officer
    there.do(pool.revise, there.li, {"yearly_load": 6, "title": "研究员"}, by=by)
    there.do(pool.set_fields, there.li, ["520"], by=by)
    there.do(pool.affiliate, there.li, Unit("玉柴"), by=by)
    there.do(pool.end_affiliation, there.value("SELECT id FROM affiliation LIMIT 1"), to_on=TODAY, by=by)
    tie = there.do(pool.declare_tie, there.li, kind="kin", other_name="李武", evidence="brother", by=by)
    there.do(pool.end_tie, tie, by=by)
    absence = there.do(pool.set_absence, there.li, from_on=TODAY, to_on=TODAY, by=by)
    there.do(pool.remove_absence, absence, by=by)
    ban = there.do(pool.ban, there.li, years=3, reason="forged report", by=by)
    there.do(pool.lift_ban, ban, reason="appeal upheld", by=there.people["supervisor"][0].id)
    there.do(pool.retire, there.li, reason="age", by=by)
    there.do(pool.return_to_pool, there.li, by=by)
    changes = there.do(
        lambda s: s.conn.execute(
            "SELECT what, by_id, detail::text FROM person_change WHERE person_id = %s "
            "AND starts_with(what, 'expert_')",
            (there.li,),
        ).fetchall()
    )
    once = {"enrolled", "revised", "fields_set", "affiliation_ended", "tie_declared", "tie_ended"}
    once |= {"absence_set", "absence_removed", "banned", "ban_lifted", "retired", "returned"}
    found = Counter(what.removeprefix("expert_") for what, _, _ in changes)
    assert found == {**dict.fromkeys(once, 1), "affiliated": 2}
    assert {by_id for _, by_id, _ in changes} == {by, there.people["supervisor"][0].id}
    assert not any("李武" in detail or "brother" in detail for _, _, detail in changes)


def test_the_same_again_changes_nothing_and_leaves_no_trace(there: Pool) -> None:
    by = there.officer
    ids = [there.do(pool.affiliate, there.li, Unit("玉柴", TODAY), by=by) for _ in range(2)]
    absences = [there.do(pool.set_absence, there.li, from_on=TODAY, to_on=TODAY, by=by) for _ in range(2)]
    assert len(set(ids)) == len(set(absences)) == 1
    changes = there.value("SELECT count(*) FROM person_change")
    assert there.do(pool.revise, there.li, {"title": "教授", "kinds": ["finance", "technology"]}, by=by) == ()
    assert there.do(pool.set_fields, there.li, ["52020", "460"], by=by) is False
    there.do(pool.return_to_pool, there.li, by=by)
    there.do(pool.affiliate, there.li, Unit("广西大学(本部)"), by=by)
    assert there.value("SELECT count(*) FROM person_change") == changes
    assert there.value("SELECT version FROM expert") == 1


@pytest.mark.parametrize("late", ["revise", "set_fields", "retire"])
def test_a_form_opened_before_anothers_change_is_told_so_and_changes_nothing(there: Pool, late: str) -> None:
    there.do(pool.revise, there.li, {"title": "院士"}, version=1, by=there.officer)
    calls: dict[str, Callable[[], str]] = {
        "revise": lambda: there.code(pool.revise, there.li, {"title": "讲师"}, version=1, by=there.officer),
        "set_fields": lambda: there.code(pool.set_fields, there.li, ["110"], version=1, by=there.officer),
        "retire": lambda: there.code(pool.retire, there.li, reason="x", version=1, by=there.officer),
    }
    assert calls[late]() == "changed_meanwhile"
    assert there.value("SELECT title FROM expert WHERE active") == "院士"


# Who may ------------------------------------------------------------------------------------------------


def _acts(there: Pool) -> dict[str, Callable[[Session, UUID], Any]]:
    """One thing to do for each row of the table that lets somebody do something."""
    other = replace(LI, login="new", name="New", phone="", identity_no="")
    other_ban = there.do(pool.ban, there.li, years=1, reason="x", by=SYSTEM_ID)
    return {
        "enrol": lambda s, by: pool.enrol(s, other, by=by),
        "profile": lambda s, by: pool.revise(s, there.li, {"title": "T", "phone": "13800000000"}, by=by),
        "fields": lambda s, by: pool.set_fields(s, there.li, ["110"], by=by),
        "affiliations": lambda s, by: pool.affiliate(s, there.li, Unit("U"), by=by),
        "ties": lambda s, by: pool.declare_tie(s, there.li, kind="kin", other_name="K", evidence="e", by=by),
        "absences": lambda s, by: pool.set_absence(s, there.li, from_on=TODAY, to_on=TODAY, by=by),
        "standing": lambda s, by: pool.revise(s, there.li, {"kinds": ["investment"]}, by=by),
        "identity": lambda s, by: pool.revise(s, there.li, {"identity_no": "E12345678"}, by=by),
        "active": lambda s, by: pool.retire(s, there.li, reason="r", by=by),
        "ban": lambda s, by: pool.ban(s, there.li, years=2, reason="r", by=by),
        "lift_ban": lambda s, by: pool.lift_ban(s, other_ban, reason="r", by=by),
    }


class _Undo(Exception):
    pass


def _outcome(there: Pool, act: Callable[[Session, UUID], Any], by: UUID) -> str:
    """The code of the refusal, "" where it is done; undone either way."""
    with there.database.session() as session:
        try:
            with session.conn.transaction():
                act(session, by)
                raise _Undo
        except _Undo:
            return ""
        except (ExpertError, PersonError) as error:
            return error.code


@pytest.mark.parametrize("role", [SELF, *ROLES])
def test_each_role_does_what_the_table_gives_and_only_for_its_region(there: Pool, role: str) -> None:
    acts = _acts(there)
    if role == SELF:
        _does_what_the_table_gives(there, acts, role, there.li, True)
        return
    for path in ("/", "/liuzhou/", "/guilin/", "/liuzhou/yufeng/"):
        by = there.somebody(role, path)
        _does_what_the_table_gives(there, acts, role, by, "/liuzhou/".startswith(path))


def _does_what_the_table_gives(
    there: Pool, acts: dict[str, Callable[[Session, UUID], Any]], role: str, by: UUID, covers: bool
) -> None:
    for name, act in acts.items():
        may = role in PERMITS[name] and covers
        found = _outcome(there, act, by)
        assert (found == "") == may, (name, found)
        if name != "enrol" and not may:
            sees = role in PERMITS["read"] and covers
            assert found == ("not_permitted" if sees else "expert_unknown"), name
    assert (there.do(expert, by, there.li) is not None) == (covers and role in PERMITS["read"])
    assert bool(there.do(expert_list, by).rows) == (covers and role in PERMITS["read"] and role != SELF)


def test_every_act_of_the_table_is_tried_above(there: Pool) -> None:
    assert set(PERMITS) - set(_acts(there)) == {"read", "read_phone", "read_review_side", "lower_load"}


def test_for_their_own_entry_an_officer_is_only_themselves(there: Pool) -> None:
    officer = there.people["programme_officer"][1].id
    login, name = there.do(
        lambda s: s.conn.execute("SELECT login, name FROM person WHERE id = %s", (officer,)).fetchone()
    )
    own = replace(LI, login=login, name=name, identity_no="", phone="")
    assert there.code(pool.enrol, own, by=officer) == "not_oneself"
    assert there.code(pool.enrol, own, by=there.officer) == ""
    assert there.code(pool.revise, officer, {"kinds": ["investment"]}, by=officer) == "not_permitted"
    assert there.code(pool.revise, officer, {"yearly_load": 11}, by=officer) == "load_above_given"
    assert there.code(pool.retire, officer, reason="r", by=officer) == "not_permitted"
    ban = there.do(pool.ban, officer, years=1, reason="r", by=there.officer)
    assert there.code(pool.lift_ban, ban, reason="r", by=officer) == "not_permitted"


def test_experts_choose_their_load_up_to_what_the_office_gave(there: Pool) -> None:
    def set_own(load: int) -> str:
        return there.code(pool.revise, there.li, {"yearly_load": load}, by=there.li)

    assert [set_own(11), set_own(4), set_own(10), set_own(3)] == ["load_above_given", "", "", ""]
    there.do(pool.revise, there.li, {"yearly_load": 5}, by=there.officer)
    assert [set_own(6), set_own(5), set_own(0), set_own(5)] == ["load_above_given", "", "", ""]


def test_an_officer_moves_nobody_out_of_or_into_a_region_that_is_not_theirs(there: Pool) -> None:
    here = there.somebody("programme_officer", "/liuzhou/")
    assert there.code(pool.revise, there.li, {"region": "/guilin/"}, by=here) == "not_permitted"
    assert there.code(pool.revise, there.li, {"region": "/liuzhou/yufeng/"}, by=here) == ""


def test_a_ban_is_lifted_by_another_person_than_who_imposed_it(there: Pool) -> None:
    supervisor = there.people["supervisor"][0].id
    ban = there.do(pool.ban, there.li, years=2, reason="plagiarism", by=supervisor)
    assert there.value("SELECT until_on FROM ban") == date(2027, 3, 2)
    assert there.code(pool.lift_ban, ban, reason="mistake", by=supervisor) == "ban_lifted_by_another"
    assert there.code(pool.lift_ban, ban, reason=" ", by=there.officer) == "text_missing"
    assert there.code(pool.lift_ban, ban, reason="mistake", by=there.officer) == ""
    assert there.value("SELECT lifted_by FROM ban") == there.officer


def test_experts_end_their_own_ties_and_no_others(there: Pool) -> None:
    told: dict[str, Any] = {"kind": "economic", "other_unit": "玉柴", "evidence": "shares"}
    officers = there.do(pool.declare_tie, there.li, **told, by=there.officer)
    own = there.do(pool.declare_tie, there.li, **told, by=there.li)
    assert there.code(pool.end_tie, officers, by=there.li) == "tie_not_your_own"
    assert there.code(pool.end_tie, own, by=there.li) == ""
    assert there.code(pool.end_tie, officers, by=there.officer) == ""
    assert there.value("SELECT count(*) FROM tie WHERE ended_at IS NOT NULL") == 2, "ended, not gone"
    nobody = {**told, "other_unit": " "}
    assert there.code(pool.declare_tie, there.li, **nobody, by=there.li) == "tie_to_nobody"


def test_experts_do_not_end_an_affiliation_years_back_so_that_a_conflict_would_vanish(there: Pool) -> None:
    id = there.value("SELECT id FROM affiliation")
    long_ago = date(2019, 1, 1)
    assert there.code(pool.end_affiliation, id, to_on=long_ago, by=there.li) == "ended_too_early"
    assert there.code(pool.end_affiliation, id, to_on=date(2015, 8, 31), by=there.officer) == (
        "days_not_in_order"
    )
    assert there.code(pool.end_affiliation, id, to_on=long_ago, by=there.officer) == ""
    assert there.code(pool.end_affiliation, id, to_on=TODAY, by=there.officer) == "affiliation_ended"


# Who is there for draws -----------------------------------------------------------------------------------


def test_only_who_can_review_on_the_day_is_eligible(there: Pool) -> None:
    def found(day: date) -> list[UUID]:
        return [row.person_id for row in there.do(pool.eligible, day)]

    by, later = there.officer, TODAY + timedelta(days=40)
    assert found(TODAY) == [there.li]
    there.do(pool.set_absence, there.li, from_on=TODAY, to_on=TODAY + timedelta(days=9), by=by)
    assert found(TODAY) == [] and found(TODAY + timedelta(days=9)) == []
    assert found(TODAY + timedelta(days=10)) == [there.li]
    ban = there.do(pool.ban, there.li, years=1, reason="r", by=by)
    assert found(later) == [] and found(date(2026, 3, 2)) == [] and found(date(2026, 3, 3)) == [there.li]
    there.do(pool.lift_ban, ban, reason="r", by=there.people["supervisor"][0].id)
    assert found(later) == [there.li]
    there.do(pool.retire, there.li, reason="r", by=by)
    assert found(later) == []
    there.do(pool.return_to_pool, there.li, by=by)
    there.do(set_active, there.li, False, by=by)
    assert found(later) == []


def test_an_eligible_row_says_what_drawing_and_matching_need(there: Pool) -> None:
    there.do(pool.affiliate, there.li, Unit("Later Ltd", date(2026, 1, 1)), by=there.officer)
    (row,) = there.do(pool.eligible, TODAY)
    assert (row.kinds, row.region, row.units) == (("technology", "finance"), "/liuzhou/", ("广西大学本部",))
    assert (row.fields, row.capacity_left, row.languages) == (("460", "52020"), 10, ("zh", "en"))
    assert row.profile == "Machine tools."
    (later,) = there.do(pool.eligible, date(2026, 1, 1))
    assert later.units == ("laterltd", "广西大学本部")


def test_tasks_of_the_year_that_came_to_something_use_the_load(database: Database) -> None:
    world = build(database, on=TODAY)
    expert_id = world.people["expert"][0].id
    with database.session() as session:
        name = session.conn.execute("SELECT name, login FROM person WHERE id = %s", (expert_id,)).fetchone()
        assert name is not None
        new = replace(LI, login=name[1], name=name[0], yearly_load=3)
        pool.enrol(session, new, by=world.people["programme_officer"][0].id)
    for _ in range(2):
        world.project_at("implementation")
    with database.session() as session:
        row = session.conn.execute(
            "SELECT count(*) FILTER (WHERE state NOT IN ('declined', 'recused', 'replaced')) FROM task "
            "WHERE expert_id = %s",
            (expert_id,),
        ).fetchone()
        assert row is not None and row[0] > 0
        assert pool.load_used(session, [expert_id, SYSTEM_ID], 2025) == {expert_id: row[0], SYSTEM_ID: 0}
        assert pool.load_used(session, [expert_id], 2024) == {expert_id: 0}
        (now,) = pool.eligible(session, TODAY)
        assert now.capacity_left == max(0, 3 - row[0])
        assert pool.eligible(session, date(2026, 5, 1))[0].capacity_left == 3
