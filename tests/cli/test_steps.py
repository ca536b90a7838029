"""A step from the command line is the step from anywhere: same guards, same receipt, every refusal told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import PASSWORD, Shell

OFFICER, FINANCE, UNIT = "programme_officer-1", "finance_officer-1", "applicant-1"
IMPLEMENTED = "SELECT code FROM project WHERE state = 'implementation' AND holds = 0 ORDER BY code LIMIT 1"
HELD = "SELECT code FROM project WHERE holds > 0"


def test_today_s_work_comes_with_names_ready_to_be_typed(shell: Shell) -> None:
    found = shell.json("todo", "--as", UNIT)
    assert found["ok"] and found["person"] == UNIT
    names = {item["name"] for item in found["work"]}
    assert any(name.endswith("/m2") for name in names)
    for name in names:
        assert shell.run("show", name, "--as", UNIT).exit_code == 0, name
    assert "/m2" in shell.run("todo", "--as", UNIT).stdout


def test_a_task_stands_in_its_own_state_and_not_in_its_round_s(shell: Shell) -> None:
    [task] = shell.json("todo", "--as", "expert-1")["work"]
    assert (task["noun"], task["state"]) == ("task", "invited")
    assert "Review task" in shell.run("todo", "--as", "expert-1", "--lang", "en").stdout


def test_nobody_acts_unless_named_and_known(shell: Shell) -> None:
    assert shell.json("todo", code=2)["error"]["code"] == "nobody_named"
    assert shell.json("todo", "--as", "stranger", code=2)["error"]["code"] == "nobody_known"
    assert shell.json("todo", "--as", "system", code=2)["error"]["code"] == "nobody_known"
    done = shell.run("todo", MILEPOST_AS=UNIT)
    assert done.exit_code == 0, done.output


def test_a_project_is_shown_as_its_reader_may_see_it(shell: Shell) -> None:
    code = shell.one(HELD)
    seen = shell.json("show", code, "--as", OFFICER)
    assert {"ok", "noun", "subject", "parts", "holds", "deadlines", "blocked", "events", "steps"} == set(seen)
    assert seen["subject"]["code"] == code and seen["holds"][0]["reason"] == "audit"
    text = shell.run("show", code, "--as", OFFICER, "--lang", "en").stdout
    assert "Implementation" in text and "The project is on hold" in text
    assert shell.json("show", code, "--as", "expert-9", code=1)["refusals"][0]["code"] == "not_found"


def test_a_step_is_taken_once_under_one_request(shell: Shell) -> None:
    name = f"{shell.one(IMPLEMENTED)}/m2"
    words = ("do", "milestone.report", name, "report=built", "--as", UNIT, "--request-id", "r-1")
    first = shell.json(*words)["receipt"]
    assert (first["state"], first["repeated"]) == ("reported", False)
    again = shell.json(*words)["receipt"]
    assert (again["seq"], again["hash"], again["repeated"]) == (first["seq"], first["hash"], True)
    other = shell.json(*words[:3], "report=other", *words[4:], code=1)
    assert other["refusals"][0]["code"] == "request_reused"


@pytest.mark.parametrize(
    ("lang", "words"), [("zh", ("当前状态", "可办理")), ("en", ("It is", "Who can act"))]
)
def test_a_refusal_gives_fact_remedy_and_who_in_the_chosen_language(
    shell: Shell, lang: str, words: tuple[str, str]
) -> None:
    name = f"{shell.one(IMPLEMENTED)}/m2"
    before = shell.one("SELECT count(*) FROM event")
    done = shell.run("do", "milestone.accept", name, "opinion=fine", "--as", OFFICER, "--lang", lang)
    assert done.exit_code == 1 and done.stdout == ""
    assert all(word in done.stderr for word in words), done.stderr
    found = shell.json("do", "milestone.accept", name, "opinion=fine", "--as", "evaluator-1", code=1)
    [refusal] = found["refusals"]
    assert set(refusal) == {"code", "fact", "remedy", "who"} and set(refusal["fact"]) == {"zh", "en"}
    assert shell.one("SELECT count(*) FROM event") == before


@pytest.mark.parametrize(
    ("typed", "minor"),
    [("amount=1.5万元", 1_500_000), ("amount=12,345.67", 1_234_567), ("amount_minor=250", 250)],
)
def test_sums_are_read_as_people_write_them(shell: Shell, typed: str, minor: int) -> None:
    code = shell.one(IMPLEMENTED)
    shell.json("do", "project.evidence_contribution", code, typed, "evidence=voucher", "--as", FINANCE)
    assert shell.one("SELECT own_contribution_minor FROM project WHERE code = %s", code) == minor


@pytest.mark.parametrize("typed", ["amount=1.234", "amount=-5", "amount=ten", "amount_minor=1.5", "amuont=5"])
def test_a_sum_that_cannot_be_kept_exactly_changes_nothing(shell: Shell, typed: str) -> None:
    code = shell.one(IMPLEMENTED)
    words = ("do", "project.evidence_contribution", code, typed, "evidence=x", "--as", FINANCE)
    found = shell.json(*words, code=1)
    assert found["error"]["zh"] and found["error"]["en"]
    assert shell.one("SELECT own_contribution_minor FROM project WHERE code = %s", code) == 0


def test_money_is_released_only_with_the_releaser_s_password(shell: Shell) -> None:
    payment, releaser = shell.payment("approved"), "finance_officer-3"
    shell.give_password(releaser)
    words = ("do", "payment.release", payment, "--as", releaser)
    assert shell.json(*words, code=2)["error"]["code"] == "password_needed"
    wrong = shell.json(*words, "--password-stdin", code=1, typed="wrong horse\n")
    assert wrong["error"]["code"] == "password_wrong"
    right = shell.json(*words, "--password-stdin", typed=f"{PASSWORD}\n")
    assert right["receipt"]["state"] == "released"


def test_who_has_a_duty_already_is_refused_whatever_the_door(shell: Shell) -> None:
    payment = shell.payment("approved")
    shell.give_password("finance_officer-2")
    words = ("do", "payment.release", payment, "--as", "finance_officer-2", "--password-stdin")
    assert shell.json(*words, code=1, typed=f"{PASSWORD}\n")["refusals"][0]["code"] == "four_eyes"


def test_an_application_is_made_from_words(shell: Shell) -> None:
    made = shell.json(
        *("do", "project.apply", "code=NEW-1", "title=Glass", "programme=city-milestone-subsidy"),
        *("office_path=/", "unit_name=Works", "leader_name=Li", "requested=1万元", "currency=CNY"),
        'plan=[{"number": 1, "title": "all", "amount_minor": 1000000}]',
        *("--as", UNIT),
    )
    assert made["receipt"]["state"] == "application"
    assert shell.one("SELECT requested_minor FROM project WHERE code = 'NEW-1'") == 1_000_000


def test_a_file_is_handed_in_by_its_path_and_never_by_its_hash_alone(shell: Shell, tmp_path: Path) -> None:
    report = tmp_path / "report.pdf"
    report.write_bytes(b"%PDF-1.7 mine")
    name = f"{shell.one(IMPLEMENTED)}/m2"
    foreign = shell.one("SELECT sha256 FROM document")
    words = ("do", "milestone.report", name, "report=see file")
    pi = "principal_investigator-1"
    assert (
        shell.json(*words, f"documents={foreign}", "--as", pi, code=2)["error"]["code"] == "document_unknown"
    )
    shell.json(*words, f"documents=@{report}", "--as", UNIT)
    digests = shell.one(
        "SELECT documents FROM milestone WHERE report = 'see file' AND documents <> '[]' "
        "AND version = 2 ORDER BY reported_on DESC LIMIT 1"
    )
    assert shell.one("SELECT content FROM document WHERE sha256 = %s", digests[0]) == b"%PDF-1.7 mine"


def test_input_comes_as_json_too_from_a_file_as_well(shell: Shell, tmp_path: Path) -> None:
    code = shell.one(IMPLEMENTED)
    given = tmp_path / "input.json"
    given.write_text(json.dumps({"reason": "为什么"}), encoding="utf-8")
    shell.json("do", "project.place_hold", code, "--input", f"@{given}", "--as", OFFICER)
    shell.json("do", "project.place_hold", code, "--input", '{"reason": "two"}', "--as", OFFICER)
    assert shell.one("SELECT holds FROM project WHERE code = %s", code) == 2
    assert shell.json("do", "project.place_hold", code, "--input", "[1]", "--as", OFFICER, code=2)
    assert shell.json("do", "project.place_hold", code, "reason", "--as", OFFICER, code=2)


@pytest.mark.parametrize(
    ("words", "code", "exit"),
    [
        (("do", "milestone.accept", "nowhere/m9"), "subject_unknown", 2),
        (("do", "milestone.accept", "{p}"), "subject_unfit", 2),
        (("do", "project.suspend", "{p}/m1"), "subject_unfit", 2),
        (("do", "project.apply", "{p}"), "subject_unfit", 2),
        (("do", "project.dance", "{p}"), "refused", 1),
        (("do", "dance", "{p}"), "refused", 1),
        (("why", "{p}/x9"), "subject_unknown", 2),
    ],
)
def test_what_cannot_be_meant_is_said_with_what_could(
    shell: Shell, words: tuple[str, ...], code: str, exit: int
) -> None:
    project = shell.one(IMPLEMENTED)
    acting = ("--as", OFFICER) if words[0] == "do" else ()
    found = shell.json(*(word.format(p=project) for word in words), *acting, code=exit)
    assert found["error"]["code"] == code


def test_a_stale_version_is_refused(shell: Shell) -> None:
    code = shell.one(IMPLEMENTED)
    found = shell.json("do", "project.suspend", code, "reason=x", "--expect", "1", "--as", OFFICER, code=1)
    assert found["refusals"][0]["code"] == "stale_page"


# Why ------------------------------------------------------------------------------------------------------


def test_why_names_every_shut_gate_who_can_act_and_until_when(shell: Shell) -> None:
    code = shell.one(HELD)
    found = shell.json("why", f"{code}/t2")
    assert {"on_hold", "integrity_flagged", "milestone_not_accepted"} <= {r["code"] for r in found["blocked"]}
    assert all(r["who"] for r in found["blocked"])
    whole = shell.json("why", code)
    parts = {part["subject"]["label"]: part for part in whole["parts"]}
    assert {f"{code}/m2", f"{code}/t1", f"{code}/t2"} <= set(parts)
    report = next(s for s in parts[f"{code}/m2"]["steps"] if s["step"] == "milestone.report")
    assert report["onward"] and report["who"][0]["login"] == UNIT and report["refusals"] == []
    assert parts[f"{code}/m2"]["deadlines"][0]["name"] == "milestone_report_due"
    text = shell.run("why", code, "--lang", "en").stdout
    assert "The project is on hold" in text and "applicant 1" in text and "until 20" in text


def test_why_leaves_out_whoever_already_has_a_duty(shell: Shell) -> None:
    payment = shell.payment("approved")
    found = shell.json("why", payment)
    release = next(s for s in found["steps"] if s["step"] == "payment.release")
    logins = {who["login"] for who in release["who"]}
    done = {"finance_officer-1", "finance_officer-2"}
    assert logins and not logins & done


def test_what_was_typed_into_a_title_does_not_move_the_reader_s_cursor(shell: Shell) -> None:
    code = shell.one(IMPLEMENTED)
    shell.copy.tamper(f"UPDATE project SET title = E'\\u001b[2Jgone' WHERE code = '{code}'")
    assert "\x1b" not in shell.run("show", code, "--as", OFFICER).stdout


def test_why_of_a_payment_tells_gates_duties_and_ledger_to_those_who_may(shell: Shell) -> None:
    payment = shell.payment("settled")
    whole = shell.json("why", payment)["payment"]
    assert all(gate["open"] for gate in whole["gates"]) and whole["gates_as_of"]
    assert [d["duty"] for d in whole["duties"]] == ["payee_editor", "requester", "approver", "releaser"]
    assert [leg["kind"] for leg in whole["ledger"]] == ["pending", "post", "posted", "posted"]
    assert whole["account"].startswith("••••") and whole["bank_reference"]
    own = shell.json("why", payment, "--as", UNIT)["payment"]
    assert own["duties"] == own["ledger"] == [] and own["bank_reference"] == whole["bank_reference"]
    shut = shell.json("why", shell.payment("planned"))["payment"]
    assert [g["refusal"]["code"] for g in shut["gates"] if not g["open"]]
    text = shell.run("why", payment, "--lang", "en").stdout
    assert "Conditions" in text and "releaser" in text and "In the ledger" in text


def test_a_voucher_balances_and_says_where_it_is_on_record(shell: Shell) -> None:
    payment = shell.payment("settled")
    paper = shell.json("voucher", payment)
    debit = sum(line["debit_minor"] or 0 for line in paper["lines"])
    assert debit == sum(line["credit_minor"] or 0 for line in paper["lines"]) == paper["total_minor"]
    assert paper["capitals"].startswith("人民币") and paper["payee"]["account"].startswith("••••")
    assert shell.one("SELECT count(*) FROM event WHERE encode(hash, 'hex') = %s", paper["last_event_hash"])
    assert paper["seal"]["root"] == shell.one("SELECT encode(root, 'hex') FROM seal")
    assert {line["event_hash"] for line in paper["lines"]} <= {d["event_hash"] for d in paper["duties"]} | {
        e["hash"] for e in shell.json("why", payment)["payment"]["events"]
    }
    assert shell.json("voucher", payment, "--as", UNIT, code=2)["error"]["code"] == "paper_missing"
    assert shell.json("voucher", payment, "--paper", "advice", "--as", UNIT)["payee"]["account"].isdigit()
    assert shell.json("voucher", shell.payment("planned"), code=2)["error"]["code"] == "paper_missing"
    assert "Voucher" in shell.run("voucher", payment, "--lang", "en").stdout


def test_ageing_is_for_those_who_see_budgets_and_writes_a_sheet(shell: Shell, tmp_path: Path) -> None:
    found = shell.json("ageing")
    assert found["items"] and sum(found["total"]["counts"]) == len(found["items"])
    assert shell.json("ageing", "--as", OFFICER)["items"]
    assert shell.json("ageing", "--as", UNIT, code=1)["refusals"][0]["code"] == "not_found"
    shell.json("ageing", "--output", str(tmp_path / "a.csv"))
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert shell.json("ageing", "--output", str(tmp_path / "a.txt"), code=2)["error"]["code"] == "file_kind"


def test_the_forecast_is_the_same_twice_and_says_what_it_rests_on(shell: Shell) -> None:
    found = shell.json("forecast", "--months", "3")
    assert found == shell.json("forecast", "--months", "3", "--as", "finance_officer-1")
    whole = next(line for line in found["lines"] if line["kind"] == "all")
    unpaid = shell.one(
        "SELECT sum(t.amount_minor)::bigint FROM tranche t JOIN project p ON p.id = t.project_id "
        "WHERE t.paid_minor = 0 AND p.state IN ('implementation', 'acceptance', 'closure')"
    )
    assert whole["open_minor"] == unpaid and len(whole["months"]) == 3
    assert found["basis"] and all(basis["scope"] == "few" for basis in found["basis"])
    assert shell.json("forecast", "--as", UNIT, code=1)["refusals"][0]["code"] == "not_found"
    assert shell.json("forecast", "--back-test")["ok"]


def test_what_somebody_may_not_see_is_neither_shown_nor_acted_on(shell: Shell) -> None:
    """A programme officer reads of an account its last four characters; an evaluator has no such project."""
    name = f"{shell.one(IMPLEMENTED)}/payee"
    number = shell.one("SELECT account_no FROM payee LIMIT 1").replace(" ", "")
    for words in ((), ("--json",)):
        told = shell.run("show", name, *words, "--as", OFFICER).stdout
        assert number[-4:] in told and number not in told and "@" not in told
    refused = shell.json(
        "do", "milestone.accept", f"{shell.one(IMPLEMENTED)}/m2", "--as", "evaluator-2", code=1
    )
    assert refused["refusals"][0]["code"] == "not_found"
