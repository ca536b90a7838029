"""What an expert typed is kept as typed, whoever saves over it, and only while the task is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from uuid import UUID

import pytest

from milepost.clock import SimulatedClock
from milepost.db import Database, Session
from milepost.experts.drafts import (
    CHARACTERS_MAX,
    DraftTooLong,
    Typed,
    kept_versions,
    read_draft,
    save_draft,
    take_back,
    typed_from,
)
from tests.builders import FIRST_DAY
from tests.web.review_scene import ReviewSite, review_site


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(FIRST_DAY)


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[ReviewSite]:
    with review_site(database, "", tmp_path) as made:
        yield made


@pytest.fixture
def session(site: ReviewSite) -> Iterator[Session]:
    with site.database.session() as opened:
        yield opened


def words(text: str, **scores: str) -> Typed:
    return Typed(scores, text)


def save(session: Session, site: ReviewSite, typed: Typed, base: int, tab: str, **more: object) -> object:
    saved = save_draft(session, site.expert.id, site.task_id, typed, base=base, tab=tab, **more)  # type: ignore[arg-type]
    return (saved.revision, saved.kept) if saved else None


def standing(session: Session, site: ReviewSite) -> Typed:
    draft = read_draft(session, site.expert.id, site.task_id)
    assert draft is not None
    return draft.typed


def aside(session: Session, site: ReviewSite) -> list[str]:
    now = standing(session, site)
    return [kept.typed.comment for kept in kept_versions(session, site.expert.id, site.task_id, now)]


def test_what_is_no_number_and_what_is_out_of_range_is_kept_as_typed(
    session: Session, site: ReviewSite
) -> None:
    typed = words("第一行\n\n  ‘half’ 😀\t", novelty="4,", team="99", lawful="")
    assert save(session, site, typed, 0, "a") == (1, False)
    assert standing(session, site) == typed
    assert site.task("scores") in ({}, None) and site.task("comment") is None, "a draft is no evidence"


def test_a_tab_goes_on_from_its_own_saves_even_when_it_never_heard_of_them(
    session: Session, site: ReviewSite
) -> None:
    assert save(session, site, words("a"), 0, "a", sequence=1) == (1, False)
    assert save(session, site, words("ab"), 0, "a", sequence=2) == (2, False)
    assert save(session, site, words("a"), 0, "a", sequence=1) == (2, False), "overtaken on its way"
    assert standing(session, site).comment == "ab"
    assert aside(session, site) == []


def test_the_same_text_again_is_no_new_revision(session: Session, site: ReviewSite) -> None:
    assert save(session, site, words("a"), 0, "a") == (1, False)
    assert save(session, site, words("a"), 0, "b") == (1, False)


def test_two_tabs_lose_nothing_to_each_other(session: Session, site: ReviewSite) -> None:
    save(session, site, words("from a"), 0, "a")
    assert save(session, site, words("from b", team="3"), 0, "b") == (2, True)
    assert standing(session, site).comment == "from b"
    assert aside(session, site) == ["from a"]
    assert save(session, site, words("from a, more"), 1, "a") == (3, True)
    assert standing(session, site).comment == "from a, more"
    assert sorted(aside(session, site)) == ["from a", "from b"]


def test_what_a_crash_left_in_a_browser_never_replaces_what_was_saved_since(
    session: Session, site: ReviewSite
) -> None:
    save(session, site, words("monday"), 0, "a")
    save(session, site, words("tuesday"), 1, "b")
    assert save(session, site, words("monday, not sent"), 1, "a", aside=True) == (2, True)
    assert standing(session, site).comment == "tuesday"
    assert aside(session, site) == ["monday, not sent"]
    assert save(session, site, words("tuesday, not sent"), 2, "c", aside=True) == (3, False)
    assert standing(session, site).comment == "tuesday, not sent", "nothing was saved since"


def test_a_kept_version_comes_back_and_the_other_is_kept_for_it(session: Session, site: ReviewSite) -> None:
    save(session, site, words("one", novelty="7"), 0, "a")
    save(session, site, words("two"), 0, "b")
    kept = kept_versions(session, site.expert.id, site.task_id, standing(session, site))[0]
    assert take_back(session, site.expert.id, site.task_id, kept.id, tab="t") is not None
    assert standing(session, site) == words("one", novelty="7")
    assert aside(session, site) == ["two"]


def test_nobody_reads_or_writes_the_draft_of_another(session: Session, site: ReviewSite) -> None:
    save(session, site, words("mine"), 0, "a")
    for role in ("expert", "programme_officer", "supervisor", "administrator"):
        other = site.world.people[role][-1].id
        assert read_draft(session, other, site.task_id) is None
        assert kept_versions(session, other, site.task_id, words("")) == []
        assert save_draft(session, other, site.task_id, words("theirs"), base=1, tab="x") is None
    assert standing(session, site).comment == "mine"


@pytest.mark.parametrize("end", ["decline", "recuse", "submit", "take_away", "conflict", "revoked"])
def test_once_the_task_is_not_theirs_to_write_nothing_is_saved(
    session: Session, site: ReviewSite, end: str
) -> None:
    save(session, site, words("before"), 0, "a")
    kept = save(session, site, words("before, in b"), 0, "b")
    assert kept == (2, True)
    aside_id = site.world.value("SELECT id FROM draft_kept")
    if end == "conflict":
        site.declare_conflict()
    elif end == "revoked":
        session.conn.execute(
            "UPDATE role_grant SET revoked_at = now() WHERE person_id = %s", (site.expert.id,)
        )
    elif end == "submit":
        scores = {"novelty": 1, "team": 1, "lawful": 1}
        site.world.take(site.expert, "task.submit", site.task_id, scores=scores)
    else:
        actor = "system" if end == "take_away" else site.expert
        site.world.take(actor, f"task.{end}", site.task_id, reason="test")
    assert save(session, site, words("after"), 2, "b") is None
    assert take_back(session, site.expert.id, site.task_id, UUID(str(aside_id)), tab="t") is None
    assert site.draft()["comment"] == "before, in b"


def test_two_tabs_that_save_at_the_same_moment_leave_one_standing_and_one_kept(site: ReviewSite) -> None:
    barrier, answers = Barrier(2), []

    def one(tab: str) -> None:
        with site.database.session() as own:
            barrier.wait()
            answers.append(save(own, site, words(f"from {tab}"), 0, tab))

    threads = [Thread(target=one, args=(tab,)) for tab in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [(1, False), (2, True)]
    with site.database.session() as session:
        assert {standing(session, site).comment, *aside(session, site)} == {"from a", "from b"}


def test_line_ends_are_one_kind_and_what_no_database_holds_is_left_out() -> None:
    assert typed_from({"a": "1\0", "strange": "x"}, "a\r\nb\rc\0", ["a"]) == words("a\nb\nc", a="1")
    with pytest.raises(DraftTooLong, match=str(CHARACTERS_MAX)):
        typed_from({}, "字" * (CHARACTERS_MAX + 1), [])
