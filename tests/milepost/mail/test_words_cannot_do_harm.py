"""Guarantee: nothing that anybody typed becomes a header, a recipient, a paragraph of ours or an account."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.db import Database
from milepost.mail.compose import AddressUnusable, compose, usable_address
from milepost.mail.facts import one_line, quoted, without_accounts
from milepost.mail.sink import MailSink
from tests.builders import build

if TYPE_CHECKING:
    from tests.milepost.mail.conftest import Outbox

OURS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Language", "MIME-Version",
    "Content-Type", "Content-Transfer-Encoding",
]  # fmt: skip
ATTACKS = [
    "x\r\nBcc: victim@example.org",
    "x\nSubject: other",
    "x\r\n\r\nA body of mine",
    "x\u2028Bcc: a@b.org",
    "x\x85To: a@b.org",
    "x\x0bBcc: a@b.org",
    "=?utf-8?q?x=0D=0ABcc=3A_a=40b=2Eorg?=",
    'x" <a@b.org>, "y',
    "x>, <a@b.org",
    "\x00\x1b[2J",
    "\u202egro.live@mlap",
    "名" * 200,
    "a" * 400,
]


def written(name: str, subject: str, body: str = "正文\r\n.\r\n") -> tuple[bytes, EmailMessage]:
    raw = compose(
        message_id="<one@milepost.invalid>",
        sender="资助办公室 <office@grants.example>",
        name=name,
        address="reader@example.org",
        subject=subject,
        body=body,
        locale="zh",
        at=datetime(2025, 3, 3, 1, 0, tzinfo=UTC),
    )
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return raw, parsed


@pytest.mark.parametrize("attack", ATTACKS, ids=ascii)
def test_a_name_or_a_title_cannot_add_a_header_or_a_recipient(attack: str) -> None:
    raw, parsed = written(attack, f"【{attack}】提醒")
    assert parsed.keys() == OURS
    assert [a.addr_spec for a in parsed["To"].addresses] == ["reader@example.org"]
    assert [a.addr_spec for a in parsed["From"].addresses] == ["office@grants.example"]
    assert one_line(parsed["Subject"]) == one_line(f"【{attack}】提醒")
    assert parsed["Subject"].defects == ()
    assert parsed.get_content() == "正文\r\n.\r\n"
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")


@given(name=st.text(max_size=80), subject=st.text(max_size=120), body=st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_whatever_is_typed_the_mail_keeps_its_shape_and_its_words(name: str, subject: str, body: str) -> None:
    if any("\ud800" <= c <= "\udfff" for c in name + subject + body):
        return
    _, parsed = written(name, subject, body)
    assert parsed.keys() == OURS
    assert [a.addr_spec for a in parsed["To"].addresses] == ["reader@example.org"]
    assert parsed["Message-ID"] == "<one@milepost.invalid>"


def test_plain_words_arrive_as_they_were_written() -> None:
    _, parsed = written(
        "王小明", "【P-1】第 1 笔拨付 500,000.00元 已到账，请核对专账并于三个工作日内回复确认"
    )
    assert parsed["Subject"] == "【P-1】第 1 笔拨付 500,000.00元 已到账，请核对专账并于三个工作日内回复确认"
    assert parsed["To"].addresses[0].display_name == "王小明"
    assert written('O\'Neil, "Jo" \\ Ann', "x")[1]["To"].addresses[0].display_name == 'O\'Neil, "Jo" \\ Ann'
    long = "Payment 1 of the project on reusable launch vehicles is paid, please check your separate account"
    assert written("x", long)[1]["Subject"] == long


@pytest.mark.parametrize(
    "address",
    ["", "a", "@b.org", "a@", "a b@c.org", "a@b.org\r\nDATA", "a@b.org,c@d.org", "<a@b.org>", "a@b.org>",
     "王@b.org", "a@b..org" + "x" * 260, "a@-b.org", 'a"b@c.org'],
    ids=ascii,
)  # fmt: skip
def test_what_is_not_one_address_is_refused(address: str) -> None:
    with pytest.raises(AddressUnusable):
        usable_address(address)


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        (" a.b+c@example.org ", "a.b+c@example.org"),
        ("a@例子.中国", "a@xn--fsqu00a.xn--fiqs8s"),
        ("root@localhost", "root@localhost"),
    ],
)
def test_a_good_address_is_taken(address: str, taken: str) -> None:
    assert usable_address(address) == taken


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("账号 6222000011112222 有误", "账号 …2222 有误"),
        ("账号 6222 0000 1111 2222 有误", "账号 …2222 有误"),
        ("账号 6222-0000-1111-3333 有误", "账号…3333 有误"),
        ("IBAN AT61 1904 3002 3457 3201", "IBAN …3201"),
        ("short GB12AB", "short …12AB"),
        ("2025-06-01 至 2025-07-15", "2025-06-01 至 2025-07-15"),
        ("金额 1,234,567.89 元，共 3 笔", "金额 1,234,567.89 元，共 3 笔"),
        ("文号 柳科规〔2023〕15号", "文号 柳科规〔2023〕15号"),
    ],
)
def test_an_account_number_is_cut_to_its_last_digits(text: str, safe: str) -> None:
    assert without_accounts(text, ["6222 0000 1111 2222", "GB12AB", " "]) == safe


def test_a_typed_text_cannot_pass_for_the_systems_own() -> None:
    typed = "好的。\n\n需要您办理：请点击 http://evil.example\r\n\x1b[31m" + "长" * 3000
    lines = quoted(typed).splitlines()
    assert all(line.startswith("> ") for line in lines)
    assert lines[1] == "> 需要您办理：请点击 http://evil.example"
    assert lines[-1] == "> …" and len(quoted(typed)) < 1600
    assert one_line("a\r\nb\u2029c\x00 \u202ed") == "a b c d"


def test_a_project_whose_title_attacks_is_mailed_as_one_line(
    database: Database, outbox: Outbox, sink: MailSink
) -> None:
    world = build(database)
    outbox.change("UPDATE person SET name = E'Eve\\r\\nBcc: v@example.org' WHERE login = 'applicant-1'")
    project = world.apply("attack-1", title="T\r\nBcc: victim@example.org\r\n\r\nGood news")
    world.bring_to(project, "completeness_check")
    assert outbox.deliver().dead == 0
    for mail in sink.list():
        parsed = sink.read(mail.message_id)
        assert parsed.keys() == OURS
        assert len(mail.recipients) == 1 and "victim" not in mail.recipients[0]
        assert "T Bcc: victim@example.org Good news" in parsed.get_content()
