"""Two entries that may be one person are found with the reason; people who share a name are told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import combinations
from random import Random

import pytest

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.experts import pool
from milepost.experts.duplicates import (
    REASONS,
    Candidate,
    alike,
    candidates,
    find_duplicates,
    name_key,
    reasons_between,
)
from milepost.experts.pool import NewExpert, Unit
from tests.builders import people

LI = Candidate(None, "li", "李文华", frozenset({"广西大学"}), "13900000001", "a" * 64)
APART = replace(LI, login="other", name="王军", units=frozenset({"玉柴"}), phone="", identity_hash=None)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(date(2025, 3, 3))


CASES = {
    "nothing in common": (APART, ()),
    "the same number": (replace(APART, identity_hash=LI.identity_hash), ("identity",)),
    "the same telephone": (replace(APART, phone=LI.phone), ("phone",)),
    "no telephone is no agreement": (replace(APART, phone=""), ()),
    "name and unit": (replace(LI, login="x", phone="", identity_hash=None), ("name_and_unit",)),
    "the name alone": (replace(APART, name="李文华"), ("name",)),
    "the unit alone": (replace(APART, units=LI.units), ()),
    "a letter changed": (replace(APART, name="李文花", units=LI.units), ("similar_name_and_unit",)),
    "a letter changed, another unit": (replace(APART, name="李文花"), ()),
    "two people of one name": (replace(LI, login="x", phone="", identity_hash="b" * 64), ()),
    "two people, one telephone": (replace(LI, login="x", identity_hash="b" * 64), ("phone",)),
}


@pytest.mark.parametrize("what", CASES)
def test_each_agreement_has_its_reason(what: str) -> None:
    other, reasons = CASES[what]
    assert reasons_between(LI, other) == reasons == reasons_between(other, LI)
    assert set(reasons) <= set(REASONS)


@pytest.mark.parametrize(
    ("left", "right", "near"),
    [
        ("张小明", "张晓明", True),
        ("张小明", "张明", False),
        ("欧阳明华", "欧阳明", True),
        ("王伟", "王玮", False),
        ("maria garcia", "maria garcja", True),
        ("maria garcia", "maria garci", True),
        ("maria garcia", "mario garcja", False),
        ("张小明", "张小明", False),
    ],
)
def test_names_are_near_when_one_letter_differs_and_enough_remain(left: str, right: str, near: bool) -> None:
    assert alike(left, right) == alike(right, left) == near


def test_a_name_is_the_same_in_any_order_width_and_case() -> None:
    assert name_key("WEI, Li") == name_key("li wei") == name_key("Ｌｉ　Ｗｅｉ")
    assert name_key("李·文") == name_key("李 文")


def test_the_list_finds_every_pair_that_comparing_all_with_all_finds(database: Database) -> None:
    random = Random(7)
    officer = people(database)["programme_officer"][0].id
    with database.session() as session:
        for n in range(60):
            pool.enrol(
                session,
                NewExpert(
                    login=f"e{n:02}",
                    name="".join(random.choice("李王张文华明") for _ in range(3)),
                    kinds=["技术"],
                    region="/",
                    yearly_load=1,
                    phone=f"1390000{random.randrange(60):04}",
                    units=[Unit(random.choice(["甲所", "乙所", "丙所"]))],
                ),
                by=officer,
            )
        found = find_duplicates(session)
        expected = {
            (a.login, b.login): reasons
            for a, b in combinations(candidates(session), 2)
            if (reasons := reasons_between(a, b))
        }
    assert {(p.first.login, p.second.login): p.reasons for p in found} == expected
    assert len(expected) > 20, "the sample has something to find"
    assert [p.degree for p in found] == sorted(
        (p.degree for p in found), key=("certain", "likely", "possible").index
    )


def test_a_pair_is_settled_when_one_of_the_two_is_retired(database: Database) -> None:
    officer = people(database)["programme_officer"][0].id
    new = NewExpert("li", "李文华", ["技术"], "/", 1, units=[Unit("广西大学")])
    with database.session() as session:
        pool.enrol(session, new, by=officer)
        second = pool.enrol(session, replace(new, login="li2", units=[Unit("广西 大学")]), by=officer)
        (pair,) = find_duplicates(session)
        assert (pair.first.login, pair.second.login, pair.degree) == ("li", "li2", "likely")
        pool.retire(session, second.person_id, reason="entered twice", by=officer)
        assert find_duplicates(session) == []
