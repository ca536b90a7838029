"""What the database says last is as plain as what a guard says first."""

import string

import psycopg
import pytest

from milepost.constraints import CONSTRAINTS
from states.refusals import CATALOGUE
from tests.conftest import DatabaseUrls

NAMES = """SELECT conname FROM pg_constraint UNION SELECT relname FROM pg_class WHERE relkind = 'i'
UNION SELECT (regexp_matches(prosrc, $$CONSTRAINT = '(\\w+)'$$, 'g'))[1] FROM pg_proc"""


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_a_constraint_has_words_without_a_gap(name: str) -> None:
    refusal = CONSTRAINTS[name]()
    words = CATALOGUE[refusal.code]
    given = dict(refusal.params)
    for text in (words.fact, words.remedy):
        for said in (text.zh, text.en):
            wanted = {field for _, field, _, _ in string.Formatter().parse(said) if field}
            assert wanted <= set(given), f"{name}: nobody says {wanted - set(given)}"
    assert not {"", "?", "0"} & set(given.values())
    assert words.who


def test_every_constraint_that_is_spoken_for_is_there(database_urls: DatabaseUrls) -> None:
    with psycopg.connect(database_urls.owner) as conn:
        there = {row[0] for row in conn.execute(NAMES).fetchall()}
    assert set(CONSTRAINTS) <= there
