"""A cost claim by forms alone: nothing typed is lost, files stay with their line, doubles are pointed out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from config.settings import Settings
from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.web.app import create_app
from tests.builders import FIRST_DAY, build
from tests.web.conftest import Reader, Site, form_of, message_codes

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "cost-claims" / "programme.toml"
PDF = b"%PDF-1.7 invoice"
PERIOD = {"period_from": "2025-01-01", "period_to": "2025-02-28"}


@pytest.fixture
def site(database: Database, password_hash: str, tmp_path: Path) -> Iterator[Site]:
    world = build(database, EXAMPLE)
    with database.session() as session:
        session.conn.execute("UPDATE person SET password_hash = %s WHERE login <> 'system'", (password_hash,))
    minutes = SimulatedClock(FIRST_DAY.replace(year=2030))
    settings = Settings(data_dir=tmp_path, upload_bytes_max=100_000)
    made = Site(world, create_app(database, settings, clock=minutes), password_hash, minutes)
    yield made
    for client in made.open:
        client.close()


def rows(**columns: list[str]) -> dict[str, list[str]]:
    """The rows of a form, by column; a column that is not given is empty in all of them."""
    count = max(map(len, columns.values()))
    every = ("category", "spent_on", "payee", "invoice_no", "description", "amount", "evidence")
    return {f"lines.{name}": columns.get(name, [""] * count) for name in every}


def send(reader: Reader, step: str, id: UUID, **given: object) -> object:
    files = given.pop("files", None)
    form = {key: value for key, value in reader.form(step, id).items() if not key.startswith("lines.")}
    return reader.client.post(f"/steps/{step}/{id}", data={**form, **given}, files=files)


def test_a_claim_is_written_handed_in_examined_and_accepted_by_forms_alone(site: Site) -> None:
    project = site.world.project_at("implementation")
    grantee = site.the("applicant", locale="zh")
    typed = rows(
        category=["staff", "materials"],
        spent_on=["2025-01-15", "2025-02-01"],
        payee=["张三", "玻璃厂"],
        invoice_no=["A-1", "B-2"],
        description=["测试", "原料"],
        amount=["1,000.00", "一百"],
    )
    file = {"lines.file.0": ("发票.pdf", PDF, "application/pdf")}
    answer = send(grantee, "claim.open", project, **PERIOD, **typed, files=file)
    # What cannot be read is named by its row, and all that was typed is there, the file too.
    assert answer.status_code == 422 and "第 2 笔" in answer.text
    assert 'value="张三"' in answer.text and 'value="一百"' in answer.text and "发票.pdf" in answer.text
    digest = site.world.value("SELECT sha256 FROM document")
    typed = rows(**{k.removeprefix("lines."): v for k, v in typed.items()})
    typed |= {"lines.amount": ["1,000.00", "2,000"], "lines.evidence": [digest, ""]}
    answer = send(grantee, "claim.open", project, **PERIOD, **typed)
    assert answer.status_code == 303
    claim = site.world.value("SELECT id FROM claim")
    assert answer.headers["location"] == f"/claims/{claim}?done=claim.open"
    # The office does not look over the shoulder of who is still writing.
    finance = site.the("finance_officer", locale="zh")
    assert finance.get(f"/claims/{claim}").status_code == 404
    refused = grantee.take("claim.submit", claim)
    assert message_codes(refused.text) == ["claim_evidence_missing"]
    second = {"lines.file.1": ("收据.pdf", PDF + b"2", "application/pdf")}
    assert send(grantee, "claim.save", claim, **PERIOD, **typed, files=second).status_code == 303
    assert grantee.take("claim.submit", claim).status_code == 303
    page = finance.get(f"/claims/{claim}").text
    assert "玻璃厂" in page and "1,000.00元" in page and "发票.pdf" in page
    assert finance.get(f"/claims/{claim}/evidence/{digest}").content == PDF
    found = {"findings.1.allowed": "400", "findings.1.reason": "只认可四成", "findings.rest": "yes"}
    assert finance.take("claim.examine", claim, **found).status_code == 303
    assert finance.take("claim.accept", claim).status_code == 303
    page = grantee.get(f"/projects/{project}").text
    assert "2,400.00元" in page and "600.00元" in page
    assert "只认可四成" in grantee.get(f"/claims/{claim}").text


def test_an_invoice_of_another_project_is_pointed_out_to_the_office_and_to_nobody_else(site: Site) -> None:
    world = site.world
    grantee, finance = site.the("applicant"), site.the("finance_officer")
    line = rows(
        category=["staff"],
        spent_on=["2025-01-15"],
        payee=["Lab Ltd"],
        invoice_no=["7"],
        description=["tests"],
        amount=["10"],
    )
    claims = []
    for number, payee in enumerate(["Lab Ltd", "LAB LTD."]):
        project = world.project_at("implementation")
        given = {**PERIOD, **line, "lines.payee": [payee]}
        file = {"lines.file.0": (f"{number}.pdf", PDF + bytes([65 + number]), "application/pdf")}
        assert send(grantee, "claim.open", project, **given, files=file).status_code == 303
        claims.append(world.value("SELECT id FROM claim WHERE project_id = %s", project))
        assert grantee.take("claim.submit", claims[-1]).status_code == 303
    code = world.value(
        "SELECT p.code FROM project p JOIN claim c ON c.project_id = p.id WHERE c.id = %s", claims[0]
    )
    assert code in finance.get(f"/claims/{claims[1]}").text
    assert code in finance.get(f"/steps/claim.examine/{claims[1]}").text
    assert f">{code}<" not in grantee.get(f"/claims/{claims[1]}").text
    refused = finance.take("claim.examine", claims[1], **{"findings.rest": "yes"})
    assert message_codes(refused.text) == ["double_unexplained"]


def test_more_rows_can_be_asked_for_without_losing_any(site: Site) -> None:
    project = site.world.project_at("implementation")
    grantee = site.the("applicant")
    answer = send(grantee, "claim.open", project, **PERIOD, **rows(payee=["x"] * 40), more="lines")
    assert answer.status_code == 200 and answer.text.count('value="x"') == 40
    assert answer.text.count('name="lines.payee"') == 43
    assert send(grantee, "claim.open", project, **PERIOD, **rows(payee=["x"] * 200)).status_code == 303
    assert site.world.value("SELECT jsonb_array_length(lines) FROM claim") == 200


def test_a_budget_stands_beside_what_was_claimed(site: Site) -> None:
    project = site.world.project_at("implementation")
    grantee = site.the("applicant")
    answer = grantee.take("project.set_budget", project, **{"budget.staff": "5,000"})
    assert answer.status_code == 303
    page = grantee.get(f"/projects/{project}").text
    assert "5,000.00 CNY" in page and "Staff" in page
    assert 'value="5000.00"' in grantee.get(f"/steps/project.set_budget/{project}").text


def test_a_table_is_taken_in_with_its_files_and_each_bad_row_is_named(site: Site) -> None:
    project = site.world.project_at("implementation")
    grantee = site.the("applicant")
    assert send(grantee, "claim.open", project, **PERIOD, **rows(payee=[""])).status_code == 303
    claim = site.world.value("SELECT id FROM claim")
    head = "科目,日期,收款方,发票号码,事由,金额,凭证\n"
    table = head + '劳务费,2025-02-03,张三,,二月劳务,"1,000",a.pdf\n餐费,2025-02-03,饭店,,聚餐,10,\n'
    files = [
        ("table", ("costs.csv", table.encode(), "text/csv")),
        ("papers", ("a.pdf", PDF, "application/pdf")),
    ]
    page = grantee.get(f"/claims/{claim}").text
    token = {"csrf": form_of(page, f"/claims/{claim}/lines")["csrf"]}
    answer = grantee.client.post(f"/claims/{claim}/lines", data=token, files=files)
    assert answer.status_code == 422 and 'data-row="3" data-code="category_unknown"' in answer.text
    assert "1 lines taken" in answer.text and "a.pdf" in answer.text
    assert site.world.value("SELECT jsonb_array_length(lines) FROM claim") == 1
    stranger = site.reader(site.stranger("applicant"))
    token = {"csrf": stranger.csrf()}
    files[0] = ("table", ("costs.csv", table.encode(), "text/csv"))
    assert stranger.client.post(f"/claims/{claim}/lines", data=token, files=files).status_code == 404
