"""A bundle proves one project to an outsider who has only Python: offline, in an empty folder.

What was exported from a sound database verifies; what was tampered with, in the database before or in the
bundle after, does not.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from milepost.evidence.chain import EvidenceError
from milepost.evidence.export import export_evidence
from tests.evidence.lived import Copy, Lived

HELD = "SELECT code FROM project WHERE holds > 0"
DOCUMENTED = "SELECT p.code FROM project p JOIN milestone m ON m.project_id = p.id WHERE m.documents <> '[]'"


def held_project(copy: Copy, sql: str = HELD) -> str:
    """The project with a hold: it also has a payment that was released."""
    with copy.database.session() as session:
        row = session.conn.execute(sql).fetchone()
    assert row is not None
    return str(row[0])


def outsider(folder: Path, bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the verifier that came in the bundle, isolated, in an empty folder, with no network to speak of."""
    folder.mkdir()
    with zipfile.ZipFile(bundle) as opened:
        (folder / "verify_bundle.py").write_bytes(opened.read("verify_bundle.py"))
    return subprocess.run(
        [sys.executable, "-I", "verify_bundle.py", str(bundle), *arguments],
        cwd=folder,
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_outsider_verifies_the_bundle_against_the_root_they_hold(
    copy: Copy, lived: Lived, tmp_path: Path
) -> None:
    made = export_evidence(copy.database, held_project(copy), tmp_path / "evidence.zip")
    assert made.report.ok and made.root == lived.root
    done = outsider(tmp_path / "empty", made.path, "--root", lived.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VERIFIED" in done.stdout
    assert outsider(tmp_path / "other", made.path, "--root", "ab" * 32).returncode == 1


def test_the_same_database_gives_the_same_bytes(copy: Copy, tmp_path: Path) -> None:
    code = held_project(copy)
    first = export_evidence(copy.database, code, tmp_path / "a.zip")
    second = export_evidence(copy.database, first.project_id, tmp_path / "b.zip")
    assert sha256(first.path.read_bytes()).digest() == sha256(second.path.read_bytes()).digest()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.zip", "b.zip"]


def test_a_database_that_was_tampered_with_gives_a_bundle_that_does_not_verify(
    copy: Copy, tmp_path: Path
) -> None:
    code = held_project(copy)
    copy.tamper("UPDATE transfer SET amount_minor = amount_minor + 1 WHERE payment_id IS NOT NULL")
    made = export_evidence(copy.database, code, tmp_path / "evidence.zip")
    assert not made.report.ok
    assert outsider(tmp_path / "empty", made.path).returncode == 1


def test_what_is_not_sealed_yet_is_said(copy: Copy, tmp_path: Path) -> None:
    code = held_project(copy)
    copy.tamper("DELETE FROM seal_leaf", "DELETE FROM seal")
    with pytest.raises(EvidenceError) as refused:
        export_evidence(copy.database, code, tmp_path / "evidence.zip")
    assert refused.value.code == "not_sealed_yet"
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_project_is_refused(copy: Copy, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError) as refused:
        export_evidence(copy.database, "no-such", tmp_path / "evidence.zip")
    assert refused.value.code == "project_unknown"


def test_the_documents_of_a_project_travel_with_it(copy: Copy, lived: Lived, tmp_path: Path) -> None:
    made = export_evidence(copy.database, held_project(copy, DOCUMENTED), tmp_path / "evidence.zip")
    with zipfile.ZipFile(made.path) as opened:
        [document] = [name for name in opened.namelist() if name.startswith("documents/")]
        assert opened.read(document) == b"%PDF-1.7 a report"
    assert document.endswith(".pdf")
    assert outsider(tmp_path / "empty", made.path, "--root", lived.root).returncode == 0


def test_a_document_that_is_not_stored_is_openly_withheld(copy: Copy, tmp_path: Path) -> None:
    copy.tamper("DELETE FROM document")
    made = export_evidence(copy.database, held_project(copy, DOCUMENTED), tmp_path / "evidence.zip")
    assert made.report.ok
    assert "document_withheld" in {note.code for note in made.report.notes}
