"""Every conflict of interest is found, by its rule and with its evidence; whoever has none is not barred.

The table below is the promise, case by case. Under it, random pools and teams are judged twice: by the
database, and by a small model that was written from the rules and not from the SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from milepost import people
from milepost.actions import Actor
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.embedded import EmbeddedPostgres
from milepost.experts import records
from milepost.experts.conflicts import rules
from schema.experts import TIES
from states.refusals import Refused
from tests.builders import build
from tests.experts.pool_scene import TODAY, PoolScene, member
from tests.invariants.conftest import drop_database, new_database


@pytest.fixture(scope="module")
def scene(server: EmbeddedPostgres, template: str) -> Iterator[PoolScene]:
    name = new_database(server, template)
    database = Database(
        server.url("milepost_app", name), owner_url=server.url("postgres", name), clock=SimulatedClock(TODAY)
    )
    yield PoolScene(build(database, name="C"))
    database.close()
    drop_database(server, name)


Row = tuple[UUID, Actor, dict[str, str]]
Case = Callable[[PoolScene], Row]
CASES: dict[str, Case] = {}


def case(build_case: Case) -> Case:
    """A row of the table: builds a project and a person, and says which rules bar with what evidence."""
    CASES[build_case.__name__] = build_case
    return build_case


# Units ------------------------------------------------------------------------------------------------


@case
def same_unit_now(s: PoolScene) -> Row:
    return s.project("A大学"), s.person("", "A大学"), {"same_unit": "A大学"}


@case
def another_unit(s: PoolScene) -> Row:
    return s.project("A大学"), s.person("", "B大学"), {}


@case
def unit_of_a_member(s: PoolScene) -> Row:
    return s.project(team=[member("王一", "C所")]), s.person("", "C所"), {"same_unit": "C所"}


@case
def unit_that_takes_part(s: PoolScene) -> Row:
    team = [{"name": "", "unit": "D公司", "part": "unit"}]
    return s.project(team=team), s.person("", "D公司"), {"same_unit": "D公司"}


@case
def unit_left_two_years_ago(s: PoolScene) -> Row:
    return s.project("E院"), s.person("", ("E院", date(2023, 3, 3))), {"same_unit": "E院 (–2023-03-03)"}


@case
def unit_left_exactly_three_years_ago(s: PoolScene) -> Row:
    return s.project("E院"), s.person("", ("E院", date(2022, 3, 3))), {"same_unit": "E院 (–2022-03-03)"}


@case
def unit_left_three_years_and_a_day_ago(s: PoolScene) -> Row:
    return s.project("E院"), s.person("", ("E院", date(2022, 3, 2))), {}


@case
def unit_left_four_years_ago(s: PoolScene) -> Row:
    return s.project("E院"), s.person("", ("E院", date(2021, 3, 3))), {}


@case
def unit_left_and_come_back_to(s: PoolScene) -> Row:
    return s.project("E院"), s.person("", ("E院", date(2015, 1, 1)), "E院"), {"same_unit": "E院"}


@case
def unit_of_an_unsuitable_expert_bars_nobody_else(s: PoolScene) -> Row:
    return s.project(unsuitable=[{"name": "某人", "unit": "F大学"}]), s.person("", "F大学"), {}


# Oneself ----------------------------------------------------------------------------------------------


@case
def own_application_by_account(s: PoolScene) -> Row:
    expert = s.person("赵甲")
    project = s.project(team=[member("赵 甲", "别处", person_id=str(expert.id))])
    return project, expert, {"own_application": "team"}


@case
def own_application_by_identity_number(s: PoolScene) -> Row:
    expert = s.person("钱乙", identity="a" * 64)
    return (
        s.project(team=[member("钱一", "别处", identity_hash="a" * 64)]),
        expert,
        {"own_application": "team"},
    )


@case
def own_application_by_name_and_unit(s: PoolScene) -> Row:
    expert = s.person("孙丙", ("G大学", date(2010, 1, 1)))
    return s.project("G大学", "孙丙"), expert, {"own_application": "team"}


@case
def own_application_filed_with_the_account(s: PoolScene) -> Row:
    expert = s.person("李丁")
    s.execute(
        "INSERT INTO role_grant (id, person_id, role, office_path, granted_at) "
        "VALUES (gen_random_uuid(), %s, 'applicant', '/', now())",
        expert.id,
    )
    return s.project(by=expert), expert, {"own_application": "account"}


@case
def own_application_by_a_role_for_it(s: PoolScene) -> Row:
    expert, project = s.person("周戊"), s.project()
    with s.world.database.session() as session:
        people.grant(session, expert.id, "principal_investigator", project_id=project)
    return project, expert, {"own_application": "account"}


@case
def namesake_elsewhere(s: PoolScene) -> Row:
    return s.project("H大学", "吴己"), s.person("吴己", "I大学"), {}


@case
def namesake_without_a_unit(s: PoolScene) -> Row:
    return s.project("H大学", "郑庚"), s.person("郑庚"), {}


@case
def another_identity_number(s: PoolScene) -> Row:
    return (
        s.project(team=[member("王辛", "X", identity_hash="b" * 64)]),
        s.person("王辛", identity="c" * 64),
        {},
    )


@case
def own_competing_application(s: PoolScene) -> Row:
    expert = s.person("冯壬")
    s.project(team=[member("冯壬", "别处", person_id=str(expert.id))], code="COMPETING-1")
    return s.project(), expert, {"own_competing_application": "COMPETING-1"}


@case
def own_competing_application_withdrawn(s: PoolScene) -> Row:
    expert = s.person("陈癸")
    s.project(team=[member("陈癸", "别处", person_id=str(expert.id))], withdrawn=True)
    return s.project(), expert, {}


@case
def own_application_in_another_call(s: PoolScene) -> Row:
    expert = s.person("褚子")
    call = s.world.take(
        "programme_officer",
        "call.announce",
        None,
        programme_id=str(s.world.published.id),
        title="另一批",
        opens_on="2025-03-10",
        closes_on="2025-04-10",
    ).subject_id
    s.project(team=[member("褚子", "别处", person_id=str(expert.id))], call_id=str(call))
    return s.project(), expert, {}


# Ties -------------------------------------------------------------------------------------------------


@case
def kin_by_name(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "kin", name="卫 丑", evidence="配偶")
    return s.project(leader="卫丑"), expert, {"kin": "配偶"}


@case
def kin_by_name_and_unit(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "kin", name="蒋寅", unit="J大学（本部）")
    return s.project("J大学 (本部)", "蒋寅"), expert, {"kin": "kin on record"}


@case
def kin_by_name_and_unit_is_no_namesake_elsewhere(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "kin", name="蒋寅", unit="J大学")
    return s.project("K大学", "蒋寅"), expert, {}


@case
def kin_at_a_unit_is_not_everybody_there(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "kin", name="沈卯", unit="L大学")
    return s.project("L大学", "韩辰"), expert, {}


@case
def kin_by_account(s: PoolScene) -> Row:
    expert, other = s.person(), s.person("杨巳")
    s.tie(expert, "kin", to=other)
    return s.project(team=[member("杨巳", "M", person_id=str(other.id))]), expert, {"kin": "kin on record"}


@case
def kin_by_account_of_whom_the_application_knows_name_and_unit(s: PoolScene) -> Row:
    expert, other = s.person(), s.person("朱午", "N大学")
    s.tie(expert, "kin", to=other)
    return s.project("N大学", "朱午"), expert, {"kin": "kin on record"}


@case
def kin_declared_by_the_other_side(s: PoolScene) -> Row:
    expert, other = s.person(), s.person("秦未")
    s.tie(other, "kin", to=expert, evidence="父子")
    return s.project(team=[member("秦未", "O", person_id=str(other.id))]), expert, {"kin": "父子"}


@case
def kin_declared_by_the_other_side_by_name(s: PoolScene) -> Row:
    expert, other = s.person("尤申", "P大学"), s.person("许酉")
    s.tie(other, "kin", name="尤申", unit="P大学")
    return s.project(team=[member("许酉", "O", person_id=str(other.id))]), expert, {"kin": "kin on record"}


@case
def kin_declared_by_the_other_side_of_a_namesake(s: PoolScene) -> Row:
    expert, other = s.person("何戌", "Q大学"), s.person("吕亥")
    s.tie(other, "kin", name="何戌", unit="R大学")
    return s.project(team=[member("吕亥", "O", person_id=str(other.id))]), expert, {}


@case
def kin_of_an_unsuitable_expert(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "kin", name="施甲子")
    return s.project(unsuitable=[{"name": "施甲子"}]), expert, {}


@case
def ended_tie(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "kin", name="张乙丑", ended=datetime(2025, 3, 1, tzinfo=UTC))
    return s.project(leader="张乙丑"), expert, {}


@case
def supervisor_long_ago(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "supervisor", name="孔丙寅", until=date(1999, 7, 1), evidence="博士导师")
    return s.project(leader="孔丙寅"), expert, {"supervisor": "博士导师"}


@case
def student_declared_it(s: PoolScene) -> Row:
    expert, student = s.person(), s.person()
    s.tie(student, "supervisor", to=expert)
    project = s.project(team=[member("曹丁卯", "S", person_id=str(student.id))])
    return project, expert, {"supervisor": "supervisor on record"}


@case
def economic_tie_to_a_unit(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "economic", unit="T 股份有限公司", evidence="持股")
    return s.project("T股份有限公司"), expert, {"economic": "持股"}


@case
def declared_for_one_project(s: PoolScene) -> Row:
    expert, project = s.person(), s.project()
    s.tie(expert, "declared", project=project, evidence="不便评审")
    return project, expert, {"declared": "不便评审"}


@case
def declared_for_another_project(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "declared", project=s.project())
    return s.project(), expert, {}


@case
def collaborator_still(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "collaborator", name="严戊辰")
    return s.project(leader="严戊辰"), expert, {"collaborator": "collaborator on record"}


@case
def collaborator_until_three_years_ago(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "collaborator", name="华己巳", until=date(2022, 3, 3))
    return s.project(leader="华己巳"), expert, {"collaborator": "collaborator on record"}


@case
def collaborator_until_longer_ago(s: PoolScene) -> Row:
    expert = s.person()
    s.tie(expert, "collaborator", name="金庚午", until=date(2022, 3, 2))
    return s.project(leader="金庚午"), expert, {}


# Applications before ------------------------------------------------------------------------------------


def _together(s: PoolScene, code: str, **fellow: str) -> tuple[UUID, Actor]:
    expert = s.person()
    s.project(
        team=[member("本人", "X", person_id=str(expert.id)), member("魏辛未", "U大学", **fellow)],
        withdrawn=True,
        code=code,
    )
    return s.project(team=[member("魏辛未", "U大学", **fellow)]), expert


@case
def co_applicant_by_name_and_unit(s: PoolScene) -> Row:
    return *_together(s, "BEFORE-1"), {"co_applicant": "BEFORE-1"}


@case
def co_applicant_by_identity_number(s: PoolScene) -> Row:
    return *_together(s, "BEFORE-2", identity_hash="d" * 64), {"co_applicant": "BEFORE-2"}


@case
def co_applicant_of_another_unit_is_a_namesake(s: PoolScene) -> Row:
    expert = s.person()
    own = member("本人", "X", person_id=str(expert.id))
    s.project(team=[own, member("陶壬申", "V大学")], withdrawn=True)
    return s.project(team=[member("陶壬申", "W大学")]), expert, {}


@case
def earlier_application_of_ones_own_without_fellows(s: PoolScene) -> Row:
    expert = s.person()
    s.project(team=[member("本人", "X", person_id=str(expert.id))], withdrawn=True)
    return s.project(), expert, {}


# Named, and staff ---------------------------------------------------------------------------------------


@case
def named_unsuitable_by_name(s: PoolScene) -> Row:
    return (
        s.project(unsuitable=[{"name": "姜癸酉"}]),
        s.person("姜癸酉", "任何单位"),
        {"named_unsuitable": "application"},
    )


@case
def named_unsuitable_by_name_and_unit(s: PoolScene) -> Row:
    project = s.project(unsuitable=[{"name": "戚甲戌", "unit": "Y大学"}])
    return project, s.person("戚甲戌", "Ｙ大学"), {"named_unsuitable": "application"}


@case
def named_unsuitable_elsewhere(s: PoolScene) -> Row:
    return s.project(unsuitable=[{"name": "谢乙亥", "unit": "Y大学"}]), s.person("谢乙亥", "Z大学"), {}


@case
def named_unsuitable_whose_unit_nobody_knows(s: PoolScene) -> Row:
    project = s.project(unsuitable=[{"name": "邹丙子", "unit": "Y大学"}])
    return project, s.person("邹丙子"), {"named_unsuitable": "application"}


@case
def department_staff(s: PoolScene) -> Row:
    return s.project(), s.person(role="counsel"), {"department_staff": "counsel /"}


@case
def banned(s: PoolScene) -> Row:
    expert = s.person("失信者")
    _banned(s, expert, from_on=date(2025, 1, 1))
    return s.project(), expert, {"banned": "–2025-12-31"}


@case
def banned_from_another_day_on(s: PoolScene) -> Row:
    expert = s.person("将禁者")
    _banned(s, expert, from_on=date(2026, 1, 1))
    return s.project(), expert, {}


def _banned(s: PoolScene, expert: Actor, *, from_on: date) -> None:
    by = s.world.people["supervisor"][0].id
    with s.world.database.session() as session:
        records.ban(session, expert.id, years=1, reason="示例", from_on=from_on, by=by)


@case
def staff_of_another_office(s: PoolScene) -> Row:
    return s.project(), s.person(role="counsel", path="/elsewhere/"), {}


@pytest.fixture(scope="module")
def built(scene: PoolScene) -> dict[str, Row]:
    """Every row of the table, in one database: none of them may disturb another."""
    return {name: build_case(scene) for name, build_case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_conflict_is_found_by_its_rule_with_its_evidence(
    scene: PoolScene, built: dict[str, Row], name: str
) -> None:
    project, person, expected = built[name]
    assert scene.conflicts(project, person) == expected


def test_every_rule_has_a_case_and_words_in_both_languages_and_a_source(built: dict[str, Row]) -> None:
    assert set(rules()) == {rule for _, _, expected in built.values() for rule in expected} >= set(TIES)
    for rule in rules().values():
        assert all((rule.text.zh, rule.text.en, rule.source.zh, rule.source.en))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("某某大学（本部）", "某某大学 (本部)"),
        ("某某　大学", "某某大学"),
        ("ＡＢＣ研究所", "abc研究所"),
        ("某某·研究院", "某某•研究院"),
        ("“某某”公司", "某某公司"),
        ("Some University, Dept. of Physics", "some university dept of physics"),
        ("某某—某某中心", "某某-某某中心"),
    ],
)
def test_how_a_unit_is_spelt_makes_no_difference(scene: PoolScene, one: str, other: str) -> None:
    assert scene.conflicts(scene.project(one), scene.person("", other)) == {"same_unit": other}


def test_a_unit_that_is_another_one_stays_another_one(scene: PoolScene) -> None:
    assert scene.conflicts(scene.project("某某大学第一医院"), scene.person("", "某某大学第二医院")) == {}


def test_a_key_cannot_be_written_otherwise_than_the_name_says(scene: PoolScene) -> None:
    expert = scene.person("", "真实单位")
    scene.execute("UPDATE affiliation SET unit_key = 'else' WHERE person_id = %s", expert.id)
    assert scene.conflicts(scene.project("真实单位"), expert) == {"same_unit": "真实单位"}


def test_the_years_are_the_programmes(scene: PoolScene) -> None:
    """A day on, and a tie that stood to the last day of the third year has run out."""
    project, expert = scene.project("年限单位"), scene.person("", ("年限单位", date(2023, 2, 28)))
    assert scene.conflicts(project, expert, date(2026, 2, 28)) == {"same_unit": "年限单位 (–2023-02-28)"}
    assert scene.conflicts(project, expert, date(2026, 3, 1)) == {}


def test_a_joint_application_counts_for_three_years(scene: PoolScene) -> None:
    project, expert = _together(scene, "BEFORE-3")
    assert scene.conflicts(project, expert, date(2028, 3, 3)) == {"co_applicant": "BEFORE-3"}
    assert scene.conflicts(project, expert, date(2028, 3, 4)) == {}


def test_every_rule_that_bars_is_told_and_not_the_first_alone(scene: PoolScene) -> None:
    expert = scene.person("多重", "多重单位")
    scene.tie(expert, "kin", name="多重亲属")
    project = scene.project("多重单位", "多重亲属", unsuitable=[{"name": "多重", "unit": "多重单位"}])
    assert set(scene.conflicts(project, expert)) == {"same_unit", "kin", "named_unsuitable"}


def test_a_team_that_changes_changes_its_conflicts(scene: PoolScene) -> None:
    expert = scene.person("换人", "换人单位")
    project = scene.project(team=[member("某甲", "换人单位")])
    assert set(scene.conflicts(project, expert)) == {"same_unit"}
    scene.describe(project, [member("某乙", "别的单位")])
    assert scene.conflicts(project, expert) == {}
    scene.describe(project, [], [{"name": "换人"}])
    assert set(scene.conflicts(project, expert)) == {"named_unsuitable"}


def test_an_applicant_names_three_unsuitable_experts_and_no_fourth(scene: PoolScene) -> None:
    three = [{"name": f"不宜{n}"} for n in range(3)]
    project = scene.project(unsuitable=three)
    assert set(scene.conflicts(project, scene.person("不宜2"))) == {"named_unsuitable"}
    with pytest.raises(Refused) as refused:
        scene.describe(project, [], [*three, {"name": "不宜3"}])
    assert [refusal.code for refusal in refused.value.refusals] == ["unsuitable_too_many"]


def test_many_are_asked_at_once_with_the_answers_of_each(scene: PoolScene, built: dict[str, Row]) -> None:
    pairs = [(project, person) for project, person, _ in built.values()]
    projects, persons = [p for p, _ in pairs], [e for _, e in pairs]
    every = scene.of(projects, persons)
    for project, person in pairs:
        pair = (project, person.id)
        assert every.get(pair, ()) == scene.of([project], [person]).get(pair, ())
    assert scene.of([], persons) == scene.of(projects, []) == {}
