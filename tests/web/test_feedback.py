"""Applicants read what reviewers said when it is decided, as far as the programme says, and no sooner."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from tests.builders import PROGRAMMES, World, published
from tests.web.conftest import Site

COMMENT, SCORE, NAME = "示例意见", "80.00", "expert 1"


def told(tmp_path: Path, feedback: str, blinding: str) -> Path:
    text = (PROGRAMMES / "city-milestone-subsidy.toml").read_text(encoding="utf-8")
    said = f'feedback = "{feedback}"\nblinding = "{blinding}"\n'
    path = tmp_path / "told.toml"
    named = text.replace('code = "city', 'code = "told', 1)
    path.write_text(named.replace("[review]\n", f"[review]\n{said}", 1), encoding="utf-8")
    return path


def page_of(site: Site, project_id: UUID) -> str:
    answer = site.the("applicant").get(f"/projects/{project_id}")
    assert answer.status_code == 200
    return answer.text


@pytest.mark.parametrize(
    ("feedback", "blinding", "shown"),
    [
        ("nothing", "open", []),
        ("comments", "single", [COMMENT]),
        ("scores", "double", [COMMENT, SCORE]),
        ("scores", "open", [COMMENT, SCORE, NAME]),
    ],
)
def test_what_the_programme_says_is_shown_once_it_is_decided_and_nothing_before(
    site: Site, tmp_path: Path, feedback: str, blinding: str, shown: list[str]
) -> None:
    version = published(site.database, told(tmp_path, feedback, blinding))
    world = World(site.database, version, site.world.people, name="told")
    project_id = world.project_at("approval")
    before = page_of(site, project_id)
    assert not [word for word in (COMMENT, SCORE, NAME) if word in before]
    world.bring_to(project_id, "implementation")
    after = page_of(site, project_id)
    assert [word for word in (COMMENT, SCORE, NAME) if word in after] == shown
