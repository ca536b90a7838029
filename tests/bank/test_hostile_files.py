"""Guarantee: a file that is broken, cut off, another's or an attack is refused with the line and nothing of
it is taken; it opens no file, asks no server, and takes no time or memory to speak of."""

from __future__ import annotations

import os
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.bank.files import xlsx
from milepost.bank.files.camt053 import StatementFile
from milepost.bank.files.findings import FileUnreadable
from milepost.bank.files.handover import file_bytes
from milepost.bank.files.pain001_reader import read_pain001
from milepost.bank.files.pain002 import BlockStatus, PaymentStatus, StatusReport, read_pain002
from milepost.bank.files.sheet import example_template
from milepost.bank.files.statements import Entry, Transaction
from milepost.bank.files.xlsx import read_workbook
from milepost.bank.files.xml import opened
from tests.bank.papers import CREATED, YUAN, batch, id_of, report_bytes, statement, statement_bytes, works

STATEMENT = statement_bytes(
    statement(
        [
            Entry(
                amount_minor=-100 * n,
                currency="CNY",
                bank_reference=f"R{n}",
                transactions=(Transaction(end_to_end_id=id_of(n)),),
            )
            for n in range(1, 6)
        ]
    )
)
REPORT = report_bytes(
    StatusReport(
        message_id="R-1",
        created_at=CREATED,
        original_message_id="B-1",
        status="PART",
        blocks=(BlockStatus(id="B-1", payments=(PaymentStatus(end_to_end_id=id_of(1), status="RJCT"),)),),
    )
)
BATCH = file_bytes(batch(), rules=YUAN, works=works)


def _statement(content: bytes) -> object:
    with StatementFile(content) as file:
        return list(file.entries())


def _batch(content: bytes) -> object:
    return list(read_pain001(content))


READERS: dict[str, tuple[Callable[[bytes], object], bytes]] = {
    "camt.053": (_statement, STATEMENT),
    "pain.002": (read_pain002, REPORT),
    "pain.001": (_batch, BATCH),
}


def refused(read: Callable[[bytes], object], content: bytes) -> FileUnreadable:
    with pytest.raises(FileUnreadable) as caught:
        read(content)
    return caught.value


def with_doctype(content: bytes, doctype: str) -> bytes:
    declaration, rest = content.split(b"\n", 1)
    return declaration + b"\n" + doctype.encode() + rest


@pytest.mark.parametrize("name", READERS)
def test_what_is_not_hurt_is_read(name: str) -> None:
    read, content = READERS[name]
    assert read(content)


LAUGHS = '<!DOCTYPE e [<!ENTITY e0 "ha">' + "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10)
)
DOCTYPES = {
    "a file": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n',
    "a server": '<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:9/e">]>\n',
    "parameter entities": '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;]>\n',
    "an external subset": '<!DOCTYPE Document SYSTEM "http://127.0.0.1:9/d.dtd">\n',
    "a billion laughs": LAUGHS + "]>\n",
    "quadratic growth": f'<!DOCTYPE x [<!ENTITY a "{"a" * 50_000}">]>\n',
    "nothing at all": "<!DOCTYPE Document>\n",
    "after a comment": "<!-- a statement -->\n<?note?>\n<!DOCTYPE x>\n",
    "in small letters": "<!doctype Document>\n",
}


@pytest.mark.parametrize("attack", DOCTYPES)
@pytest.mark.parametrize("name", READERS)
def test_a_doctype_is_refused_before_anything_is_read(name: str, attack: str) -> None:
    read, content = READERS[name]
    hostile = with_doctype(content, DOCTYPES[attack])
    # The entity is also used, so that a reader which let it in would show what it read.
    hostile = hostile.replace(b"<MsgId>", b"<MsgId>&e;")
    began = time.perf_counter()
    error = refused(read, hostile)
    assert error.code == "xml_doctype"
    assert error.line == (4 if attack == "after a comment" else 2)
    assert "root:" not in str(error)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("name", READERS)
def test_an_entity_that_nobody_declared_is_refused_with_its_line(name: str) -> None:
    read, content = READERS[name]
    error = refused(read, content.replace(b"<MsgId>", b"<MsgId>&xxe;"))
    assert (error.code, error.line) == ("xml_broken", 3)


@pytest.mark.parametrize(
    ("encoding", "code"),
    [(name, "xml_encoding") for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")],
)
def test_an_encoding_in_which_a_doctype_could_hide_is_refused(encoding: str, code: str) -> None:
    text = STATEMENT.decode().replace("UTF-8", encoding)
    assert refused(_statement, text.encode(encoding)).code == code


@pytest.mark.parametrize("encoding", ["UTF-7", "utf7", "EBCDIC-CP-US", "IBM037", "UTF-16", "x-unknown"])
def test_a_declared_encoding_that_is_not_known_as_harmless_is_refused(encoding: str) -> None:
    error = refused(_statement, STATEMENT.replace(b"UTF-8", encoding.encode()))
    assert (error.code, error.line) == ("xml_encoding", 1)


@pytest.mark.parametrize("encoding", ["GB18030", "gbk", "ISO-8859-1", "utf-8"])
def test_encodings_that_banks_use_are_read(encoding: str) -> None:
    text = STATEMENT.decode().replace("科学技术局", "局" if encoding != "ISO-8859-1" else "Bureau")
    content = text.replace("UTF-8", encoding).encode(encoding)
    with StatementFile(content) as file:
        assert file.statements[0].account.owner in ("局", "Bureau")
    with StatementFile(b"\xef\xbb\xbf" + STATEMENT) as file:
        assert file.statements[0].entries == 5


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b"   \n\n  ", "xml_no_start"),
        (b"hello, this is a letter", "xml_no_start"),
        (b"PK\x03\x04" + b"\0" * 100, "xml_no_start"),
        (b"%PDF-1.7 something", "xml_no_start"),
        (b'{"json": true}', "xml_no_start"),
        (b"<!-- " + b"x" * 70_000 + b"--><Document/>", "xml_no_start"),
        (b"<?xml version='1.0'?><", "xml_no_start"),
        (b"<Document", "xml_no_start"),
        (b"<html><body>Please log in</body></html>", "xml_message"),
        (b"<Document/>", "xml_message"),
        (b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.054.001.08'/>", "xml_message"),
        (b"<Document xmlns='urn:example:camt.053.001.08'/>", "xml_message"),
    ],
)
def test_what_is_no_such_message_is_refused_as_what_it_is(name: str, content: bytes, code: str) -> None:
    assert refused(READERS[name][0], content).code == code


def test_a_message_of_another_kind_is_named() -> None:
    error = refused(_statement, REPORT)
    assert error.code == "xml_message"
    assert "pain.002.001.12" in error.en and "camt.053.001" in error.en
    assert refused(read_pain002, STATEMENT).code == "xml_message"


@pytest.mark.parametrize("name", READERS)
def test_a_message_without_its_content_is_refused(name: str) -> None:
    read, content = READERS[name]
    opening = content.split(b"<Document", 1)[1].split(b">", 1)[0]
    error = refused(read, b"<Document" + opening + b"></Document>")
    assert error.code == "element_missing"


@pytest.mark.parametrize("name", READERS)
def test_wherever_a_file_breaks_off_nothing_of_it_is_taken(name: str) -> None:
    read, content = READERS[name]
    begun = content.index(b"<MsgId>")
    for cut in range(len(content.rstrip())):
        error = refused(read, content[:cut])
        if cut > begun:
            # Where it breaks off is the last line there is.
            line = content[:cut].count(b"\n") + 1
            assert (error.code, error.line) == ("xml_truncated", line), content[:cut][-40:]
        else:
            assert error.code in ("file_empty", "xml_no_start", "xml_truncated", "element_missing"), cut


def test_a_tag_that_does_not_end_in_the_middle_of_a_file_is_not_its_end() -> None:
    error = refused(_statement, STATEMENT.replace(b"<AcctSvcrRef>R3<", b"<AcctSvcrRef R3<"))
    assert (error.code, error.line) == ("xml_broken", 7)


def test_a_file_that_breaks_off_says_so_and_where() -> None:
    error = refused(_statement, STATEMENT[: STATEMENT.index(b"R4")])
    assert (error.code, error.line) == ("xml_truncated", 8)
    assert "第 8 行" in error.zh and "line 8" in error.en


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(READERS)), st.data())
def test_a_file_with_a_damaged_byte_is_read_or_refused_and_nothing_else(
    name: str, data: st.DataObject
) -> None:
    read, content = READERS[name]
    at = data.draw(st.integers(0, len(content) - 1))
    damaged = content[:at] + bytes([data.draw(st.integers(0, 255))]) + content[at + 1 :]
    try:
        read(damaged)
    except FileUnreadable as error:
        assert error.zh and error.en


@settings(deadline=None, max_examples=100)
@given(st.sampled_from(sorted(READERS)), st.binary(max_size=300))
def test_noise_is_refused(name: str, noise: bytes) -> None:
    refused(READERS[name][0], noise)


BROKEN = {
    "a tag that does not close": (b"</Acct>", b"</Account>", "xml_broken"),
    "a control character": (b"R3", b"R\x033", "xml_broken"),
    "bytes that are no UTF-8": (b"R3", b"R\xff3", "xml_broken"),
    "an attribute twice": (b'<Amt Ccy="CNY">', b'<Amt Ccy="CNY" Ccy="CNY">', "xml_broken"),
    "something after the end": (b"</Document>", b"</Document><Document/>", "xml_broken"),
    "two references": (
        b"<AcctSvcrRef>R3<",
        b"<AcctSvcrRef>R9</AcctSvcrRef><AcctSvcrRef>R3<",
        "element_repeated",
    ),
    "two amounts": (b'<Ntry><Amt', b'<Ntry><Amt Ccy="CNY">9.00</Amt><Amt', "element_repeated"),
    "two ids of a payment": (b"<EndToEndId>", b"<EndToEndId>x</EndToEndId><EndToEndId>", "element_repeated"),
    "no amount": (b'<Amt Ccy="CNY">3.00</Amt>', b"", "element_missing"),
    "no currency": (b'<Amt Ccy="CNY">3.00', b"<Amt>3.00", "amount_unreadable"),
    "a negative amount": (b">3.00<", b">-3.00<", "amount_unreadable"),
    "an amount with a comma": (b">3.00<", b">3,00<", "amount_unreadable"),
    "half a cent": (b">3.00<", b">3.005<", "amount_decimals"),
    "more than can be kept": (b">3.00<", b">999999999999999999<", "amount_too_large"),
    "no direction": (b"<CdtDbtInd>DBIT</CdtDbtInd><Sts>", b"<Sts>", "element_missing"),
    "another direction": (b"<CdtDbtInd>DBIT<", b"<CdtDbtInd>BOTH<", "value_unreadable"),
    "a day that is none": (b"<Dt>2026-05-07<", b"<Dt>2026-02-30<", "value_unreadable"),
    "a time that is none": (b"<CreDtTm>2026", b"<CreDtTm>yesterday2026", "value_unreadable"),
    "a number that is none": (b"<ElctrncSeqNb>1<", b"<ElctrncSeqNb>one<", "value_unreadable"),
    "an entry in an entry": (b"<Ntry>", b"<Ntry><Ntry></Ntry>", "element_misplaced"),
    "a statement in a statement": (b"<Stmt>", b"<Stmt><Stmt></Stmt>", "element_misplaced"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_statement_with_one_thing_wrong_is_refused_whole_with_the_line(name: str) -> None:
    old, new, code = BROKEN[name]
    assert old in STATEMENT
    error = refused(_statement, STATEMENT.replace(old, new, 1))
    assert error.code == code
    assert error.line > 0


def test_an_amount_that_cannot_be_kept_is_named_by_its_entry() -> None:
    error = refused(_statement, STATEMENT.replace(b">3.00<", b">3.005<"))
    assert (error.finding.row, error.line, error.finding.field) == (3, 7, "amount")
    assert "row 3, line 7" in error.en


def test_a_comment_or_an_instruction_inside_a_value_hides_none_of_it() -> None:
    ids = [id_of(n).encode() for n in range(1, 6)]
    hidden = STATEMENT.replace(ids[0], ids[0][:9] + b"<!-- -->" + ids[0][9:20] + b"<?x?>" + ids[0][20:])
    with StatementFile(hidden) as file:
        assert [entry.transactions[0].end_to_end_id for entry in file.entries()] == [
            id.decode() for id in ids
        ]


def test_what_another_namespace_says_is_not_read() -> None:
    foreign = STATEMENT.replace(b"<Ntry>", b'<Ntry><Amt xmlns="urn:other" Ccy="CNY">9.00</Amt>', 1)
    with StatementFile(foreign) as file:
        assert next(file.entries()).amount_minor == -100


def test_a_prefix_before_every_name_changes_nothing() -> None:
    prefixed = STATEMENT.replace(b"xmlns=", b"xmlns:d=").replace(b"</", b"</d:").replace(b"<", b"<d:")
    prefixed = prefixed.replace(b"<d:?", b"<?").replace(b"<d:/d:", b"</d:")
    with StatementFile(prefixed) as file:
        assert (file.findings, file.statements[0].entries) == ((), 5)


def test_a_sheet_beyond_the_limit_is_not_cut_but_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = file_bytes(batch(), rules=YUAN, works=works, template=example_template())
    assert len(list(read_workbook(content))) == 4
    monkeypatch.setattr(xlsx, "ROWS_MAX", 3)
    with pytest.raises(FileUnreadable) as caught:
        list(read_workbook(content))
    assert caught.value.code == "sheet_too_long"


def test_deep_nesting_ends_in_a_refusal() -> None:
    deep = STATEMENT.replace(b"<Ntry>", b"<Ntry>" + b"<a>" * 5000 + b"</a>" * 5000, 1)
    assert refused(_statement, deep).code == "xml_broken"


def test_a_file_beyond_the_limit_is_not_begun() -> None:
    with pytest.raises(FileUnreadable) as caught:
        opened(STATEMENT, bytes_max=100)
    assert caught.value.code == "file_too_large"


def test_a_file_that_changes_after_it_was_checked_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "statement.xml"
    path.write_bytes(STATEMENT)
    with StatementFile(path) as file:
        path.write_bytes(STATEMENT.replace(b">3.00<", b">4.00<"))
        with pytest.raises(FileUnreadable) as caught:
            list(file.entries())
    assert caught.value.code == "file_changed"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="where open files are told is /proc")
def test_a_refused_file_is_let_go_of(tmp_path: Path) -> None:
    path = tmp_path / "statement.xml"
    path.write_bytes(STATEMENT[:900])
    # The refusal is kept, and with it everything that it can reach.
    kept = [refused_at(path) for _ in range(3)]
    open_now = {os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()}
    assert str(path) not in open_now
    assert {error.code for error in kept} == {"xml_truncated"}


def refused_at(path: Path) -> FileUnreadable:
    with pytest.raises(FileUnreadable) as caught:
        StatementFile(path)
    return caught.value


# -- workbooks -----------------------------------------------------------------------------------------------


def _package(parts: dict[str, bytes]) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "file_empty"),
        (b"no workbook", "workbook_broken"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "workbook_broken"),
        (_package({"a.txt": b"x"}), "workbook_broken"),
        (_package({"xl/workbook.xml": b"<!DOCTYPE x [<!ENTITY a 'b'>]><workbook/>"}), "xml_doctype"),
        (_package({"xl/workbook.foo": b"  <!DOCTYPE x><workbook/>"}), "xml_doctype"),
        (_package({"xl/workbook.foo": "<?xml?><!DOCTYPE x><workbook/>".encode("utf-16")}), "xml_encoding"),
        (_package({f"{n}.xml": b"<a/>" for n in range(300)}), "file_too_large"),
        (_package({"xl/sheet.bin": b"\0" * (130 * 2**20)}), "file_too_large"),
        (_package({"xl/workbook.xml": b"<workbook/>"})[:-30], "workbook_broken"),
    ],
    ids=["empty", "text", "xls", "zip", "doctype", "other name", "utf-16", "many parts", "bomb", "cut off"],
)
def test_what_is_no_safe_workbook_is_refused(content: bytes, code: str) -> None:
    tracemalloc.start()
    with pytest.raises(FileUnreadable) as caught:
        list(read_workbook(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.code == code
    assert peak < 20 * 2**20
