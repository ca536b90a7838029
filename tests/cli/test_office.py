"""People and programmes from the command line: each change with who made it, each file with what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.programme_files import shipped_programmes
from tests.cli.conftest import PASSWORD, Shell

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {path.stem: path for path in shipped_programmes()}
MILESTONES = SHIPPED["city-milestone-subsidy"]


# People ---------------------------------------------------------------------------------------------------


def test_a_person_is_added_given_a_role_and_can_act(shell: Shell) -> None:
    added = shell.json("person", "add", "wang", "--name", "王", "--password-stdin", typed=f"{PASSWORD}\n")
    assert added["ok"] and added["can_log_in"]
    shell.json("person", "grant", "wang", "supervisor")
    code = shell.one("SELECT code FROM project WHERE state = 'implementation' AND holds = 0 LIMIT 1")
    shell.json("do", "project.place_hold", code, "reason=look", "--as", "wang")
    shell.json("person", "revoke", "wang", "supervisor")
    assert shell.json("do", "project.place_hold", code, "reason=look", "--as", "wang", code=1)
    [listed] = shell.json("person", "list", "wang")["people"]
    assert (listed["login"], listed["roles"], listed["can_log_in"]) == ("wang", [], True)


def test_a_role_may_be_for_one_project_only(shell: Shell) -> None:
    first, second = (
        shell.one(f"SELECT code FROM project WHERE state = 'implementation' ORDER BY code OFFSET {n} LIMIT 1")
        for n in (0, 1)
    )
    shell.json("person", "add", "li", "--name", "Li")
    granted = shell.json("person", "grant", "li", "programme_officer", "--project", first)
    assert granted["project"] == first and granted["office"] is None
    assert shell.run("show", first, "--as", "li").exit_code == 0
    assert shell.run("show", second, "--as", "li").exit_code == 1
    shell.json("person", "revoke", "li", "programme_officer", "--project", first)
    assert shell.run("show", first, "--as", "li").exit_code == 1


@pytest.mark.parametrize(
    ("words", "code", "exit"),
    [
        (("add", "expert-1", "--name", "x"), "login_taken", 1),
        (("add", "two words", "--name", "x"), "login_unusable", 1),
        (("grant", "expert-1", "king"), "role_unknown", 1),
        (("grant", "nobody-here", "expert"), "person_unknown", 2),
        (("grant", "expert-1", "expert", "--project", "none"), "project_unknown", 2),
        (("grant", "expert-1", "expert", "--project", "x", "--office", "/"), "scope_twice", 2),
        (("revoke", "expert-1", "supervisor"), "grant_unknown", 2),
    ],
)
def test_what_cannot_be_of_people_is_refused(
    shell: Shell, words: tuple[str, ...], code: str, exit: int
) -> None:
    assert shell.json("person", *words, code=exit)["error"]["code"] == code


def test_a_password_is_set_and_never_too_short(shell: Shell) -> None:
    words = ("person", "password", "expert-1", "--password-stdin")
    assert shell.json(*words, typed="short\n", code=1)["error"]["code"] == "password_length"
    assert shell.json(*words, typed=f"{PASSWORD}\n")["ok"]
    assert shell.one("SELECT password_hash FROM person WHERE login = 'expert-1'").startswith("$argon2")


def test_whoever_is_named_is_on_record_for_the_change(shell: Shell) -> None:
    shell.json("person", "grant", "expert-1", "counsel", "--as", "administrator-1")
    by = shell.one(
        "SELECT n.login FROM person_change c JOIN person n ON n.id = c.by_id WHERE c.what = 'granted'"
    )
    assert by == "administrator-1"


# Programmes -----------------------------------------------------------------------------------------------


def test_the_shipped_programmes_pass_their_own_check(shell: Shell) -> None:
    found = shell.json("programme", "check", "small-grants", str(MILESTONES))
    assert found["ok"] and [p["ok"] for p in found["programmes"]] == [True, True]
    assert found["programmes"][1]["combinations"] > 100


def test_a_broken_programme_is_named_by_line_with_the_way_out(shell: Shell, tmp_path: Path) -> None:
    text = MILESTONES.read_text(encoding="utf-8")
    malformed = tmp_path / "malformed.toml"
    malformed.write_text(text.replace("version = 1", 'version = "one"', 1), encoding="utf-8")
    found = shell.json("programme", "check", str(malformed), code=1)
    [problem] = found["programmes"][0]["problems"]
    assert problem["line"] and problem["zh"] and problem["en"]
    unknown = tmp_path / "unknown.toml"
    unknown.write_text(text.replace('"no_hold"', '"no_holds"', 1), encoding="utf-8")
    done = shell.run("programme", "check", str(unknown), "--lang", "en")
    assert done.exit_code == 1 and "unknown.toml:" in done.stdout and "no_hold" in done.stdout
    assert shell.json("programme", "publish", str(unknown), code=1)["ok"] is False


def test_a_programme_is_drawn_as_mermaid_and_as_svg(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("programme", "diagram", "small-grants").stdout.startswith("stateDiagram-v2")
    out = tmp_path / "payment.svg"
    shell.json("programme", "diagram", "small-grants", "--noun", "payment", "--format", "svg", "-o", str(out))
    assert out.read_text(encoding="utf-8").startswith("<svg")
    assert (
        shell.json("programme", "diagram", "small-grants", "--noun", "x", code=2)["error"]["code"]
        == "noun_unknown"
    )
    assert shell.json("programme", "diagram", "nowhere", code=2)["error"]["code"] == "programme_file_unknown"


def test_a_new_version_is_previewed_published_and_never_replaced(shell: Shell, tmp_path: Path) -> None:
    text = MILESTONES.read_text(encoding="utf-8").replace("version = 1", "version = 2", 1)
    newer = tmp_path / "newer.toml"
    newer.write_text(text, encoding="utf-8")
    [old] = shell.json("programme", "preview", str(newer))["versions"]
    assert old["possible"] and old["running"] > 3 and old["stranded"] == []
    assert shell.json("programme", "publish", str(newer))["version"] == 2
    assert shell.json("programme", "publish", str(newer))["ok"]
    newer.write_text(text + "\n# changed\n", encoding="utf-8")
    assert shell.json("programme", "publish", str(newer), code=1)["error"]["code"] == "version_taken"
    assert [p["version"] for p in shell.json("programme", "list")["programmes"]] == [2, 1]
